import { type Static, Type } from 'typebox'
import { dateTime, nullable, VenueSchema } from './common.ts'
import { VERDICT_SOURCES } from './verdict.ts'

const count = (description: string) => Type.Integer({ description, minimum: 0 })
const milliseconds = (description: string) =>
  Type.Number({ description: `${description}, milliseconds`, minimum: 0 })
const bytes = (description: string) => Type.Integer({ description: `${description}, bytes`, minimum: 0 })
const countsBy = (description: string) => Type.Record(Type.String(), Type.Integer(), { description })
const lastError = nullable(Type.String({ description: 'What last went wrong; null if nothing did' }))

export const LivenessSchema = Type.Object(
  { status: Type.Literal('up', { description: 'The process answers' }) },
  {
    $id: 'Liveness',
    additionalProperties: false,
    description: 'The process is up',
    examples: [{ status: 'up' }]
  }
)

export const ReadinessSchema = Type.Object(
  { status: Type.Literal('ready', { description: 'Every venue had its first synchronisation' }) },
  {
    $id: 'Readiness',
    additionalProperties: false,
    description: 'Ready to serve',
    examples: [{ status: 'ready' }]
  }
)

const ConnectionHealthSchema = Type.Object(
  {
    name: Type.String({ description: 'Which connection' }),
    state: Type.Enum(['idle', 'connecting', 'open', 'waiting', 'refused', 'stopped'], {
      type: 'string',
      description: 'waiting: backing off before the next attempt; refused: the venue rejected our credentials'
    }),
    markets: count('Markets subscribed on it'),
    connectedAt: nullable(dateTime('When it was opened')),
    lastMessageAt: nullable(dateTime('Our clock at its last message')),
    messages: count('Messages received on it'),
    reconnects: count('Times that it was opened again after a loss'),
    lastError
  },
  { $id: 'ConnectionHealth', additionalProperties: false, description: 'One connection to a venue' }
)

const VenueHealthSchema = Type.Object(
  {
    venue: VenueSchema,
    source: Type.Enum([...VERDICT_SOURCES], { type: 'string', description: 'How books reach us' }),
    synced: Type.Boolean({ description: 'The first synchronisation is done' }),
    note: nullable(Type.String({ description: 'What keeps this venue from its full work, if anything' })),
    lastMessageAt: nullable(dateTime('Our clock at the last message on any connection')),
    messagesPerSecond: Type.Number({ description: 'Messages a second over the last minute', minimum: 0 }),
    connections: Type.Array(
      Type.Unsafe<Static<typeof ConnectionHealthSchema>>(Type.Ref('ConnectionHealth')),
      {
        description: 'Every connection to the venue'
      }
    ),
    markets: count('Markets served'),
    booksByState: countsBy('Markets by the state of their verdict'),
    booksByReason: countsBy('Markets by the reason for which they are not live'),
    discovery: Type.Object(
      {
        lastAt: nullable(dateTime('When markets were last discovered')),
        selected: count('Markets that the last discovery selected'),
        lastError
      },
      { additionalProperties: false, description: 'The look for new and ended markets' }
    ),
    rest: Type.Object(
      {
        requests: count('REST requests made'),
        failures: count('REST requests that failed for good'),
        retries: count('REST requests made again'),
        lastError
      },
      { additionalProperties: false, description: 'The REST side of the venue' }
    ),
    counters: Type.Object(
      {
        frames: count('Frames received'),
        applied: count('Frames that changed a book or a market'),
        ignored: countsBy('Frames, or elements of them, that changed nothing, by reason'),
        seen: countsBy('Which of the readings that the protocol leaves open occurred')
      },
      { additionalProperties: false, description: 'What became of the frames' }
    )
  },
  { $id: 'VenueHealth', additionalProperties: false, description: 'How one venue is doing' }
)
export type VenueHealth = Static<typeof VenueHealthSchema>

const ValidationHealthSchema = Type.Object(
  {
    mode: Type.Enum(['off', 'sample', 'all'], {
      type: 'string',
      description: 'Which answers are checked against their schema'
    }),
    checked: count('Answers checked'),
    failed: count('Answers that did not match their schema'),
    failuresByRoute: countsBy('Failed answers by operationId')
  },
  { $id: 'ValidationHealth', additionalProperties: false, description: 'The check of our own answers' }
)
export type ValidationHealth = Static<typeof ValidationHealthSchema>

export const HealthSchema = Type.Object(
  {
    status: Type.Enum(['ok', 'degraded', 'starting'], {
      type: 'string',
      description:
        'starting: a venue never synchronised; degraded: a venue is unsynced or a connection is not open'
    }),
    startedAt: dateTime('When the process started to serve'),
    uptimeMs: milliseconds('Time since then'),
    venues: Type.Array(Type.Unsafe<VenueHealth>(Type.Ref('VenueHealth')), {
      description: 'Every venue that is run'
    }),
    process: Type.Object(
      {
        residentBytes: bytes('Resident memory'),
        heapUsedBytes: bytes('JavaScript heap in use'),
        arrayBufferBytes: bytes('Buffers and typed arrays'),
        eventLoopDelayMeanMs: milliseconds('Mean event-loop delay since the last look'),
        eventLoopDelayP99Ms: milliseconds('99th percentile of the event-loop delay since the last look'),
        eventLoopDelayMaxMs: milliseconds('Longest event-loop delay since the last look')
      },
      { additionalProperties: false, description: 'The process itself' }
    ),
    store: Type.Object(
      {
        markets: count('Markets served'),
        capacityMarkets: count('Markets that there is room for'),
        levelsReserved: count('Order-book levels in use or ready for reuse'),
        capacityLevels: count('Order-book levels that there is room for')
      },
      { additionalProperties: false, description: 'The memory of the books' }
    ),
    validation: Type.Unsafe<ValidationHealth>(Type.Ref('ValidationHealth'))
  },
  { $id: 'Health', additionalProperties: false, description: 'The full status' }
)
export type Health = Static<typeof HealthSchema>

export const HEALTH_SCHEMAS = [
  LivenessSchema,
  ReadinessSchema,
  ConnectionHealthSchema,
  VenueHealthSchema,
  ValidationHealthSchema,
  HealthSchema
]
