import { COMPONENT_SCHEMAS } from './components.ts'
import { CLOSE_CODES, STREAM_SCHEMAS } from './stream.ts'

/** A message of the document: its schema's name, its own, and what it is for. */
interface MessageEntry {
  schema: string
  name: string
}

const COMMANDS: readonly MessageEntry[] = [
  { schema: 'StreamSubscribe', name: 'subscribe' },
  { schema: 'StreamUnsubscribe', name: 'unsubscribe' },
  { schema: 'StreamPing', name: 'ping' }
]
const MESSAGES: readonly MessageEntry[] = [
  { schema: 'StreamSubscribed', name: 'subscribed' },
  { schema: 'StreamUnsubscribed', name: 'unsubscribed' },
  { schema: 'StreamSnapshot', name: 'snapshot' },
  { schema: 'StreamChange', name: 'change' },
  { schema: 'StreamDepthMessage', name: 'depth' },
  { schema: 'StreamTickers', name: 'tickers' },
  { schema: 'StreamTrades', name: 'trades' },
  { schema: 'StreamHealthMessage', name: 'health' },
  { schema: 'StreamLag', name: 'lag' },
  { schema: 'StreamResync', name: 'resync' },
  { schema: 'StreamError', name: 'error' },
  { schema: 'StreamPong', name: 'pong' }
]
/** Answers to commands, which a stream of events has none of. */
const NOT_AS_EVENTS = new Set(['unsubscribed', 'error', 'pong'])

export interface AsyncApiMessage {
  name: string
  summary: string
  payload: { $ref: string }
  examples: { payload: unknown }[]
}

/** A schema as the document has it. */
export interface DocumentedSchema {
  $ref?: string
  type?: string
  const?: unknown
  enum?: readonly unknown[]
  description?: string
  properties?: Record<string, DocumentedSchema>
  required?: readonly string[]
  items?: DocumentedSchema
  anyOf?: readonly DocumentedSchema[]
  examples?: readonly unknown[]
}

export interface AsyncApiDocument {
  asyncapi: string
  info: { title: string; version: string; description: string; license: { name: string; url: string } }
  channels: Record<
    string,
    { address: string; title: string; description: string; messages: Record<string, Reference> }
  >
  operations: Record<string, { action: string; channel: Reference; summary: string; messages: Reference[] }>
  components: { messages: Record<string, AsyncApiMessage>; schemas: Record<string, DocumentedSchema> }
}
interface Reference {
  $ref: string
}

/** Returns the document of the stream, put together from the schemas of its messages. */
export function asyncApiDocument(version: string): AsyncApiDocument {
  const schemas = documentedSchemas()
  const asEvents = MESSAGES.filter(({ name }) => !NOT_AS_EVENTS.has(name))
  const codes = Object.entries(CLOSE_CODES).map(([name, code]) => `${code} ${name}`)
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Crossbook stream',
      version,
      description:
        'Order books, tickers and trades as they change. Prices are dollars per contract and sizes contracts, both as exact ' +
        'decimal text. docs/stream.md says how the messages fit together: numbering, snapshots, resuming, slow readers.',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' }
    },
    channels: {
      stream: {
        address: '/v1/stream',
        title: 'WebSocket',
        description: `Any number of subscriptions on one connection. Close codes: ${codes.join(', ')}.`,
        messages: references('#/components/messages', [...COMMANDS, ...MESSAGES])
      },
      events: {
        address: '/v1/stream/sse',
        title: 'Server-sent events',
        description:
          'One subscription a request: the fields of subscribe, and those of its filter, as query parameters. `event` is the ' +
          "message's type, `data` the message, `id` where to resume: a browser sends it back as Last-Event-ID by itself.",
        messages: references('#/components/messages', asEvents)
      }
    },
    operations: {
      receiveCommands: {
        action: 'receive',
        channel: { $ref: '#/channels/stream' },
        summary: 'What a client may send',
        messages: Object.values(references('#/channels/stream/messages', COMMANDS))
      },
      sendMessages: {
        action: 'send',
        channel: { $ref: '#/channels/stream' },
        summary: 'What the gateway sends',
        messages: Object.values(references('#/channels/stream/messages', MESSAGES))
      },
      sendEvents: {
        action: 'send',
        channel: { $ref: '#/channels/events' },
        summary: 'What the gateway sends as events',
        messages: Object.values(references('#/channels/events/messages', asEvents))
      }
    },
    components: {
      messages: Object.fromEntries(
        [...COMMANDS, ...MESSAGES].map(({ schema, name }) => [
          name,
          {
            name,
            summary: schemas[schema]?.description ?? '',
            payload: { $ref: `#/components/schemas/${schema}` },
            examples: (schemas[schema]?.examples ?? []).map((payload) => ({ payload }))
          }
        ])
      ),
      schemas
    }
  }
}

function references(base: string, entries: readonly MessageEntry[]): Record<string, Reference> {
  return Object.fromEntries(entries.map(({ name }) => [name, { $ref: `${base}/${name}` }]))
}

/** The stream's schemas and all that they stand on. */
function documentedSchemas(): Record<string, DocumentedSchema> {
  const known = new Map([...STREAM_SCHEMAS, ...COMPONENT_SCHEMAS].map((schema) => [schema.$id, schema]))
  const found: Record<string, DocumentedSchema> = {}
  const wanted = STREAM_SCHEMAS.map(({ $id }) => $id)
  for (let id = wanted.shift(); id !== undefined; id = wanted.shift()) {
    if (found[id] !== undefined) continue
    found[id] = plain(known.get(id), (name) => wanted.push(name)) as DocumentedSchema
  }
  return found
}

/** Returns a schema without what only TypeBox knows, its references as pointers into the document. */
function plain(value: unknown, onReference: (name: string) => void): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item, onReference))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== '$id' && !key.startsWith('~'))
  return Object.fromEntries(
    entries.map(([key, item]) => {
      if (key === 'examples') return [key, structuredClone(item)]
      if (key !== '$ref' || typeof item !== 'string') return [key, plain(item, onReference)]
      onReference(item)
      return [key, `#/components/schemas/${item}`]
    })
  )
}
