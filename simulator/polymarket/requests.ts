/** What a client's text frame asks for. */
export type ClientRequest =
  | { kind: 'ping' }
  | {
      kind: 'subscribe'
      isInitial: boolean
      assets: string[]
      customFeatures: boolean | undefined
      initialDump: boolean
    }
  | { kind: 'unsubscribe'; assets: string[] }
  | { kind: 'malformed' }

/** Reads a text frame of a client. A misnamed list of assets is an empty one: the venue says nothing about it. */
export function parseRequest(text: string): ClientRequest {
  if (text === 'PING') return { kind: 'ping' }
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'malformed' }
  const request = value as Record<string, unknown>
  const assets = request.assets_ids ?? []
  if (!isTexts(assets)) return { kind: 'malformed' }
  const isInitial = request.operation === undefined
  if (isInitial ? request.type !== 'market' : typeof request.operation !== 'string')
    return { kind: 'malformed' }
  if (request.operation === 'unsubscribe') return { kind: 'unsubscribe', assets }
  if (!isInitial && request.operation !== 'subscribe') return { kind: 'malformed' }
  const flag = request.custom_feature_enabled
  return {
    kind: 'subscribe',
    isInitial,
    assets,
    customFeatures: typeof flag === 'boolean' ? flag : undefined,
    initialDump: request.initial_dump !== false
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
