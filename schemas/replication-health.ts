import { type Static, Type } from 'typebox'
import { nullable } from './common.ts'

const count = (description: string) => Type.Integer({ description, minimum: 0 })
const milliseconds = (description: string) =>
  Type.Number({ description: `${description}, milliseconds`, minimum: 0 })

const RedisHealthSchema = Type.Object(
  {
    state: Type.Enum(['connecting', 'ready', 'waiting', 'refused', 'stopped'], {
      type: 'string',
      description: 'waiting: it is tried again; refused: it does not take our user or password'
    }),
    lastError: nullable(Type.String({ description: 'What is wrong now; null while it is ready' })),
    connects: count('Times that it was reached')
  },
  { $id: 'RedisHealth', additionalProperties: false, description: 'The connection to Redis' }
)

const LeasesHealthSchema = Type.Object(
  {
    member: Type.String({ description: 'This process, as the others know it' }),
    members: count('Ingest processes that share the markets'),
    held: count('Shards that this process writes'),
    share: count('Shards that fall to this process')
  },
  { $id: 'LeasesHealth', additionalProperties: false, description: 'Which part of the markets is read here' }
)

const ReplicationWriterHealthSchema = Type.Object(
  {
    entries: count('Entries written'),
    failures: count('Writes that failed and were made again'),
    fenced: count('Writes that Redis refused because the shard is another’s now'),
    lostTrades: count('Trades that were told to no replica, because Redis was away for too long'),
    backlogMs: milliseconds('Age of the oldest change that Redis has not confirmed')
  },
  { $id: 'ReplicationWriterHealth', additionalProperties: false, description: 'What is written for replicas' }
)

const ReplicaHealthSchema = Type.Object(
  {
    filled: Type.Boolean({ description: 'Every shard was filled once' }),
    filledShards: count('Shards that were'),
    laggingShards: count('Shards that are further behind than REPLICA_LAG_MAX_MS'),
    lagMs: nullable(milliseconds('How far the shard that is furthest behind is behind its writer')),
    entries: count('Entries read'),
    changes: count('Changes of markets in them'),
    gaps: count('Times that something was found missing'),
    fills: count('Shards filled from their whole books: at the start, and after gaps'),
    unreadable: count('Entries that were not understood'),
    withoutRoom: count('Markets that MAX_MARKETS_PER_VENUE leaves no room for')
  },
  { $id: 'ReplicaHealth', additionalProperties: false, description: 'How a replica follows its writers' }
)

const CacheHealthSchema = Type.Object(
  {
    written: count('Markets written'),
    refreshed: count('Markets whose keys were kept from expiring'),
    pending: count('Markets whose last change is not confirmed by Redis'),
    writeFailures: count('Writes that failed'),
    hits: count('Reads that found something'),
    misses: count('Reads that found nothing'),
    readFailures: count('Reads that failed')
  },
  { $id: 'CacheHealth', additionalProperties: false, description: 'The cache in Redis' }
)

export const ReplicationHealthSchema = Type.Object(
  {
    role: Type.Enum(['all', 'ingest', 'api'], { type: 'string', description: 'The setting ROLE' }),
    shards: count('Parts that the markets are divided into'),
    redis: Type.Unsafe<Static<typeof RedisHealthSchema>>(Type.Ref('RedisHealth')),
    leases: nullable(Type.Unsafe<Static<typeof LeasesHealthSchema>>(Type.Ref('LeasesHealth'))),
    writer: nullable(
      Type.Unsafe<Static<typeof ReplicationWriterHealthSchema>>(Type.Ref('ReplicationWriterHealth'))
    ),
    replica: nullable(Type.Unsafe<Static<typeof ReplicaHealthSchema>>(Type.Ref('ReplicaHealth'))),
    cache: Type.Unsafe<Static<typeof CacheHealthSchema>>(Type.Ref('CacheHealth')),
    booksByState: Type.Record(Type.String(), Type.Integer(), {
      description: 'Markets served here by the state of their verdict'
    })
  },
  {
    $id: 'ReplicationHealth',
    additionalProperties: false,
    description: 'What this process does with Redis; null without REDIS_URL'
  }
)
export type ReplicationHealth = Static<typeof ReplicationHealthSchema>

export const REPLICATION_HEALTH_SCHEMAS = [
  RedisHealthSchema,
  LeasesHealthSchema,
  ReplicationWriterHealthSchema,
  ReplicaHealthSchema,
  CacheHealthSchema,
  ReplicationHealthSchema
]
