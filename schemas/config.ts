import { type Static, Type } from 'typebox'

/** A string by a pattern; `expects` says in words what that is, and follows "must be". */
const matching = (options: { description: string; pattern: string; expects: string; default: string }) =>
  Type.String(options)
const httpUrl = (description: string, value: string) =>
  matching({
    description,
    pattern: '^https?://',
    expects: 'a URL that begins with http:// or https://',
    default: value
  })
const wsUrl = (description: string, value: string) =>
  matching({
    description,
    pattern: '^wss?://',
    expects: 'a URL that begins with ws:// or wss://',
    default: value
  })
/** The longest wait that a timer can hold; a longer one would be over at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

const list = (description: string) =>
  Type.String({ description: `${description}; a comma-separated list`, default: '' })

/** Every environment variable that is read; `.env.example` lists the same names in the same order. */
export const ConfigSchema = Type.Object({
  HOST: Type.String({ description: 'Address to listen on', minLength: 1, default: '127.0.0.1' }),
  PORT: Type.Integer({
    description: 'Port to listen on; 0 takes a free one',
    minimum: 0,
    maximum: 65_535,
    default: 3000
  }),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    type: 'string',
    description: 'How much is logged',
    default: 'info'
  }),
  VENUES: matching({
    description: 'Which venues to run; a comma-separated list of kalshi and polymarket',
    pattern: '^(kalshi|polymarket)(,(kalshi|polymarket))*$',
    expects: 'a comma-separated list of kalshi and polymarket',
    default: 'kalshi,polymarket'
  }),
  KALSHI_API_KEY: Type.String({ description: 'Key id; without it Kalshi is polled over REST', default: '' }),
  KALSHI_API_SECRET: Type.String({
    description: 'Private key (RSA or Ed25519): PEM text, \\n escapes allowed, or a path to a PEM file',
    default: ''
  }),
  KALSHI_HTTP_BASE: httpUrl('Kalshi REST base', 'https://external-api.kalshi.com/trade-api/v2'),
  KALSHI_WS_URL: wsUrl('Kalshi WebSocket', 'wss://external-api-ws.kalshi.com/trade-api/ws/v2'),
  KALSHI_POLL_INTERVAL_MS: Type.Integer({
    description:
      'Time between two polls of a Kalshi book over REST, with a key beside the stream, milliseconds',
    minimum: 250,
    maximum: MAX_TIMER_MS,
    default: 5_000
  }),
  KALSHI_SERIES: list('Kalshi series to serve; empty means all'),
  KALSHI_TICKERS: list('Kalshi markets to serve, besides those of the series; combos only when named here'),
  POLYMARKET_HTTP_BASE: httpUrl('Polymarket CLOB REST base', 'https://clob.polymarket.com'),
  POLYMARKET_GAMMA_BASE: httpUrl('Polymarket Gamma (discovery) base', 'https://gamma-api.polymarket.com'),
  POLYMARKET_WS_URL: wsUrl(
    'Polymarket market channel',
    'wss://ws-subscriptions-clob.polymarket.com/ws/market'
  ),
  POLYMARKET_POLL_INTERVAL_MS: Type.Integer({
    description: 'Time between two polls of a Polymarket book over REST beside the stream, milliseconds',
    minimum: 250,
    maximum: MAX_TIMER_MS,
    default: 5_000
  }),
  POLYMARKET_TAGS: list('Polymarket tag slugs to serve; empty means all'),
  POLYMARKET_CONDITION_IDS: list('Polymarket condition ids to serve, besides those of the tags'),
  POLYMARKET_ASSETS_PER_CONNECTION: Type.Integer({
    description: 'Assets subscribed on one connection; above about 500 the venue sends no snapshots',
    minimum: 1,
    maximum: 500,
    default: 250
  }),
  MAX_MARKETS_PER_VENUE: Type.Integer({
    description: 'Markets served of each venue, by 24 h volume',
    minimum: 1,
    maximum: 200_000,
    default: 500
  }),
  BOOK_LEVELS_MAX: Type.Integer({
    description:
      'Room for order-book levels, all books together; 0 means 256 for each market that may be served',
    minimum: 0,
    maximum: 200_000_000,
    default: 0
  }),
  REDISCOVERY_INTERVAL_MS: Type.Integer({
    description: 'Time between two looks for new and ended markets, milliseconds',
    minimum: 1_000,
    maximum: MAX_TIMER_MS,
    default: 300_000
  }),
  ENDED_MARKET_RETENTION_MS: Type.Integer({
    description: 'How long an ended market is still served, milliseconds',
    minimum: 0,
    default: 3_600_000
  }),
  SNAPSHOT_TIMEOUT_MS: Type.Integer({
    description: 'How long a subscribed book may wait for its first snapshot before it is asked for again',
    minimum: 100,
    maximum: MAX_TIMER_MS,
    default: 10_000
  }),
  SILENT_AFTER_MS: Type.Integer({
    description:
      'A connection on which nothing comes for this long, not even an answer to our pings, is dropped, milliseconds',
    minimum: 3_000,
    maximum: MAX_TIMER_MS,
    default: 12_000
  }),
  AUDIT_PERIOD_MS: Type.Integer({
    description: 'Every streamed book is compared with a REST read once in this time, milliseconds',
    minimum: 2_000,
    maximum: MAX_TIMER_MS,
    default: 60_000
  }),
  HASH_BUDGET_PERCENT: Type.Number({
    description: 'Time of one core for proving Polymarket books by their hashes, percent; 0 proves none',
    minimum: 0,
    maximum: 100,
    default: 10
  }),
  DIALS_PER_SECOND: Type.Number({
    description: 'Connections that one venue is asked for each second, and at once, however many were lost',
    minimum: 0.1,
    maximum: 1_000,
    default: 5
  }),
  BREAKER_FAILURES: Type.Integer({
    description:
      'Failures in a row after which a REST host is not asked, or a connection not dialled, for a while',
    minimum: 1,
    maximum: 1_000,
    default: 5
  }),
  BREAKER_OPEN_MS: Type.Integer({
    description: 'How long that while is, milliseconds; then one trial decides',
    minimum: 100,
    maximum: MAX_TIMER_MS,
    default: 10_000
  }),
  RECYCLER_INTERVAL_HOURS: Type.Number({
    description: 'Hours between two renewals of the venue connections, give or take a tenth',
    exclusiveMinimum: 0,
    maximum: 500,
    default: 12
  }),
  HISTORY: Type.Enum(['on', 'off'], {
    type: 'string',
    description: 'Whether what passes is recorded and can be asked for later',
    default: 'on'
  }),
  DATA_DIR: Type.String({
    description: 'Folder of the journal, of the last state and, without DATABASE_URL, of the database',
    minLength: 1,
    default: './data'
  }),
  DATABASE_URL: matching({
    description:
      'PostgreSQL to record in, postgres://user:password@host/name; empty means PGlite in DATA_DIR',
    pattern: '^$|^postgres(ql)?://',
    expects: 'a URL such as postgres://user:password@host/name',
    default: ''
  }),
  HISTORY_FLUSH_MS: Type.Integer({
    description: 'What was recorded is on disk after this time at the latest, milliseconds',
    minimum: 50,
    maximum: 60_000,
    default: 1_000
  }),
  HISTORY_QUEUE_MAX: Type.Integer({
    description: 'Rows that may wait for the database; above it snapshots of the same market are merged',
    minimum: 1_000,
    maximum: 10_000_000,
    default: 50_000
  }),
  JOURNAL_RETENTION_HOURS: Type.Integer({
    description: 'Segments of the journal are deleted after this time, hours',
    minimum: 1,
    maximum: 1_000_000,
    default: 168
  }),
  JOURNAL_MAX_MB: Type.Integer({
    description: 'The oldest segments of the journal are deleted above this size, megabytes',
    minimum: 16,
    maximum: 1_000_000_000,
    default: 20_480
  }),
  SNAPSHOT_RETENTION_DAYS: Type.Integer({
    description: 'Recorded rows are deleted after this time, days (up to a day later with TimescaleDB)',
    minimum: 1,
    maximum: 100_000,
    default: 30
  }),
  SNAPSHOT_THIN_AFTER_HOURS: Type.Integer({
    description:
      'Snapshots older than this are thinned to the last of each minute and those of changed verdicts, hours',
    minimum: 1,
    maximum: 1_000_000,
    default: 24
  }),
  GAP_FILL_INTERVAL_MS: Type.Integer({
    description: 'Time between two looks whether open gaps can be closed, milliseconds',
    minimum: 1_000,
    maximum: MAX_TIMER_MS,
    default: 300_000
  }),
  STREAM_CLIENTS_MAX: Type.Integer({
    description: 'Clients that may stream at a time',
    minimum: 1,
    maximum: 100_000,
    default: 2_000
  }),
  STREAM_SUBSCRIPTIONS_MAX: Type.Integer({
    description: 'Subscriptions of one client',
    minimum: 1,
    maximum: 10_000,
    default: 100
  }),
  STREAM_TOPICS_MAX: Type.Integer({
    description: 'Different questions that all clients together may ask',
    minimum: 1,
    maximum: 100_000,
    default: 5_000
  }),
  STREAM_TICKER_INTERVAL_MS: Type.Integer({
    description: 'Shortest time between two tickers of a market, milliseconds',
    minimum: 50,
    maximum: 3_600_000,
    default: 1_000
  }),
  STREAM_CLIENT_BUFFER_MAX: Type.Integer({
    description: 'Bytes that may wait for a client to read them; what comes above that is conflated',
    minimum: 131_072,
    maximum: 1_000_000_000,
    default: 1_048_576
  }),
  STREAM_STALL_TIMEOUT_MS: Type.Integer({
    description: 'A client that reads nothing for this long while something waits is closed, milliseconds',
    minimum: 500,
    maximum: MAX_TIMER_MS,
    default: 30_000
  }),
  STREAM_KEEP_ALIVE_MS: Type.Integer({
    description: 'Time between two pings to a client; shorter than STREAM_IDLE_TIMEOUT_MS, milliseconds',
    minimum: 100,
    maximum: MAX_TIMER_MS,
    default: 20_000
  }),
  STREAM_IDLE_TIMEOUT_MS: Type.Integer({
    description:
      'A client that is not heard of for this long, not even by an answer to a ping, or that has no subscription for ' +
      'as long, is closed, milliseconds',
    minimum: 1_000,
    maximum: MAX_TIMER_MS,
    default: 60_000
  }),
  STREAM_RESUME_MS: Type.Integer({
    description: 'How long messages are kept that nobody takes any more, for who comes back, milliseconds',
    minimum: 0,
    maximum: MAX_TIMER_MS,
    default: 60_000
  }),
  STREAM_RING_MESSAGES: Type.Integer({
    description: 'Messages of one question that are kept for who missed them',
    minimum: 0,
    maximum: 10_000_000,
    default: 20_000
  }),
  STREAM_RING_MB: Type.Integer({
    description: 'Room for all messages that are kept, megabytes; shared by the questions',
    minimum: 1,
    maximum: 100_000,
    default: 64
  }),
  REDIS_URL: matching({
    description: 'Redis for the cache and for replicas, redis://user:password@host:6379/0; empty means none',
    pattern: '^$|^rediss?://',
    expects: 'a URL such as redis://user:password@host:6379/0',
    default: ''
  }),
  ROLE: Type.Enum(['all', 'ingest', 'api'], {
    type: 'string',
    description:
      'all: reads the venues and serves, alone; ingest: reads its share of the markets and writes them to Redis; api: serves what the ingest processes wrote',
    default: 'all'
  }),
  CLUSTER_NAME: matching({
    description: 'Which cluster of one Redis this process belongs to',
    pattern: '^[A-Za-z0-9_-]{1,40}$',
    expects: '1 to 40 letters, digits, hyphens or underscores',
    default: 'crossbook'
  }),
  SHARDS: Type.Integer({
    description: 'Parts that the markets of a cluster are divided into; the same for all its processes',
    minimum: 1,
    maximum: 256,
    default: 32
  }),
  LEASE_MS: Type.Integer({
    description: 'An ingest process that is not heard of for this long loses its markets, milliseconds',
    minimum: 1_000,
    maximum: 60_000,
    default: 4_000
  }),
  REPLICA_LAG_MAX_MS: Type.Integer({
    description: 'A replica serves books that are further behind than this as stale, milliseconds',
    minimum: 1_000,
    maximum: 600_000,
    default: 3_000
  }),
  CACHE_TTL_MARKET_S: Type.Integer({
    description: 'How long Redis keeps market:{venue}:{id} after it was last written or confirmed, seconds',
    minimum: 2,
    maximum: 86_400,
    default: 300
  }),
  CACHE_TTL_BOOK_S: Type.Integer({
    description: 'The same for orderbook:{venue}:{id}, seconds',
    minimum: 2,
    maximum: 86_400,
    default: 10
  }),
  CACHE_TTL_PRICE_S: Type.Integer({
    description: 'The same for price:{venue}:{id}, seconds',
    minimum: 2,
    maximum: 86_400,
    default: 5
  }),
  OPERATOR_API_KEY: matching({
    description: 'Key of operator calls, such as to start a renewal; without it they are refused',
    pattern: '^(\\S{16,})?$',
    expects: 'at least 16 characters, with no space among them',
    default: ''
  }),
  MAX_BOOK_DEPTH: Type.Integer({
    description: 'Deepest book that an answer may carry, levels a side',
    minimum: 0,
    maximum: 100,
    default: 100
  }),
  VALIDATE_RESPONSES: Type.Enum(['off', 'sample', 'all'], {
    type: 'string',
    description: 'Which answers are checked against their schema at run time',
    default: 'sample'
  }),
  CORS_ORIGINS: list('Origins that browsers may call from; empty means none')
})
export type Config = Static<typeof ConfigSchema>
