/** A text of ours that changed which assets a connection carries. */
export interface SentCommand {
  action: 'subscribe' | 'unsubscribe'
  assetIds: readonly string[]
}

/** Returns what a text that a connection sent says, or null for anything else, such as a ping. Never throws. */
export function parseSentCommand(text: string): SentCommand | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { operation, assets_ids } = value as Record<string, unknown>
  if (!Array.isArray(assets_ids)) return null
  // The first subscription of a connection names no operation.
  return {
    action: operation === 'unsubscribe' ? 'unsubscribe' : 'subscribe',
    assetIds: assets_ids.map(String)
  }
}
