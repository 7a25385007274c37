import { type Static, Type } from 'typebox'
import { dateTime, nullable, VenueSchema } from './common.ts'
import { HISTORY_HEALTH_SCHEMAS, type HistoryHealth } from './history-health.ts'
import {
  type AuditHealthSchema,
  INTEGRITY_SCHEMAS,
  type IncidentsHealth,
  type LivenessHealthSchema
} from './integrity.ts'
import { type ReplayHealth, ReplayHealthSchema } from './replay-health.ts'
import { REPLICATION_HEALTH_SCHEMAS, type ReplicationHealth } from './replication-health.ts'
import { type StreamHealth, StreamHealthSchema } from './stream-health.ts'
import { VERDICT_SOURCES } from './verdict.ts'

const count = (description: string) => Type.Integer({ description, minimum: 0 })
const milliseconds = (description: string) =>
  Type.Number({ description: `${description}, milliseconds`, minimum: 0 })
const bytes = (description: string) => Type.Integer({ description: `${description}, bytes`, minimum: 0 })
const countsBy = (description: string) => Type.Record(Type.String(), Type.Integer(), { description })
const lastError = nullable(Type.String({ description: 'What is wrong now; null once it works again' }))

const BreakerHealthSchema = Type.Object(
  {
    state: Type.Enum(['closed', 'open', 'half_open'], {
      type: 'string',
      description: 'open: nothing is tried for a while; half_open: one trial is under way'
    }),
    opened: count('Times that it opened'),
    successes: count('Calls that were answered'),
    failures: count('Calls that failed'),
    rejected: count('Calls that it did not let through'),
    changedAt: nullable(dateTime('When its state changed last'))
  },
  {
    $id: 'BreakerHealth',
    additionalProperties: false,
    description: 'The circuit breaker around one REST host or one connection’s dialling'
  }
)
const breaker = Type.Unsafe<Static<typeof BreakerHealthSchema>>(Type.Ref('BreakerHealth'))

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
  {
    status: Type.Literal('ready', {
      description: 'Every venue had its first synchronisation, and the database was waited for'
    })
  },
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
    lastError,
    breaker
  },
  { $id: 'ConnectionHealth', additionalProperties: false, description: 'One connection to a venue' }
)

const RestHostHealthSchema = Type.Object(
  {
    name: Type.String({ description: 'Which host' }),
    requests: count('Requests made'),
    failures: count('Requests that failed'),
    retries: count('Requests made again'),
    lastError,
    breaker,
    tokensPerSecond: Type.Number({
      description:
        'The present pace, in the tokens that the venue counts; it falls with 429 and slow answers',
      minimum: 0
    }),
    tokensPerSecondMax: Type.Number({ description: 'The pace when all is well', minimum: 0 })
  },
  { $id: 'RestHostHealth', additionalProperties: false, description: 'One host that is asked over REST' }
)

const RecoveryHealthSchema = Type.Object(
  {
    losses: count('Connections that were open and were lost'),
    recovered: count('Losses after which every book was whole again'),
    lastMs: nullable(milliseconds('From the last loss that was recovered from to its last whole book')),
    maxMs: nullable(milliseconds('The longest such time')),
    resubscribed: count('Books that were subscribed again after losses')
  },
  { $id: 'RecoveryHealth', additionalProperties: false, description: 'How the losses of connections went' }
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
        failures: count('REST requests that failed'),
        retries: count('REST requests made again'),
        lastError,
        hosts: Type.Array(Type.Unsafe<Static<typeof RestHostHealthSchema>>(Type.Ref('RestHostHealth')), {
          description: 'Each host of the venue'
        })
      },
      { additionalProperties: false, description: 'The REST side of the venue' }
    ),
    recovery: Type.Unsafe<Static<typeof RecoveryHealthSchema>>(Type.Ref('RecoveryHealth')),
    audit: nullable(Type.Unsafe<Static<typeof AuditHealthSchema>>(Type.Ref('AuditHealth'))),
    liveness: nullable(Type.Unsafe<Static<typeof LivenessHealthSchema>>(Type.Ref('LivenessHealth'))),
    proofs: nullable(
      Type.Record(Type.String(), Type.Number(), {
        description: 'What the proofs by hash did; null where the venue sends no hash'
      })
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
        'starting: a venue never synchronised; degraded: a connection is not open, a venue refused us, a circuit breaker is not closed, Redis is away, or a replica lags'
    }),
    startedAt: dateTime('When the process started to serve'),
    uptimeMs: milliseconds('Time since then'),
    venues: Type.Array(Type.Unsafe<VenueHealth>(Type.Ref('VenueHealth')), {
      description: 'Every venue that is run'
    }),
    incidents: Type.Unsafe<IncidentsHealth>(Type.Ref('IncidentsHealth')),
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
    validation: Type.Unsafe<ValidationHealth>(Type.Ref('ValidationHealth')),
    history: nullable(Type.Unsafe<HistoryHealth>(Type.Ref('HistoryHealth'))),
    stream: Type.Unsafe<StreamHealth>(Type.Ref('StreamHealth')),
    replication: nullable(Type.Unsafe<ReplicationHealth>(Type.Ref('ReplicationHealth'))),
    replay: nullable(Type.Unsafe<ReplayHealth>(Type.Ref('ReplayHealth')))
  },
  { $id: 'Health', additionalProperties: false, description: 'The full status' }
)
export type Health = Static<typeof HealthSchema>

export const HEALTH_SCHEMAS = [
  LivenessSchema,
  ReadinessSchema,
  BreakerHealthSchema,
  ConnectionHealthSchema,
  RestHostHealthSchema,
  RecoveryHealthSchema,
  ...INTEGRITY_SCHEMAS,
  VenueHealthSchema,
  ValidationHealthSchema,
  ...HISTORY_HEALTH_SCHEMAS,
  StreamHealthSchema,
  ...REPLICATION_HEALTH_SCHEMAS,
  ReplayHealthSchema,
  HealthSchema
]
