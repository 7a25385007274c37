import { type Kysely, type Migration, Migrator, sql } from 'kysely'
import { ConfigError } from '../../errors.ts'
import type { Tables } from './tables.ts'
import { createHypertables } from './timescale.ts'

/**
 * Brings the schema up to what this code needs. Migrations only go forward: their names sort by age, and what was
 * released is never edited.
 *
 * @throws {ConfigError} where a newer Crossbook has been at the database
 */
export async function migrate(db: Kysely<Tables>, timescale: boolean): Promise<void> {
  const migrations = migrationsOf(timescale)
  refuseNewer(await appliedTo(db), migrations)
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}

/**
 * Checks that the schema is what this code needs, and leaves it as it is.
 *
 * @throws {ConfigError} where it is not: an older or a newer Crossbook has been at the database, or none
 */
export async function assertMigrated(db: Kysely<Tables>): Promise<void> {
  const migrations = migrationsOf(false)
  const applied = await appliedTo(db)
  refuseNewer(applied, migrations)
  if (Object.keys(migrations).every((name) => applied.includes(name))) return
  throw new ConfigError(
    'the database of the history is empty or of an older Crossbook: start the gateway of this version on it once'
  )
}

function migrationsOf(timescale: boolean): Record<string, Migration> {
  return {
    '0001_first': { up: (on) => createAll(on, timescale) },
    '0002_trades_heard_later': { up: addHeardAt },
    '0003_venue_candles': { up: addVenueCandles },
    '0004_gaps_decided_at': { up: addDecidedAt }
  }
}

async function appliedTo(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{ there: boolean }>`
    select to_regclass('kysely_migration') is not null as there`.execute(db)
  if (!rows[0]?.there) return []
  const applied = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db)
  return applied.rows.map(({ name }) => name)
}

function refuseNewer(applied: readonly string[], known: Record<string, Migration>): void {
  const newer = applied.find((name) => !(name in known))
  if (newer === undefined) return
  throw new ConfigError(
    `the database of the history was changed by a newer Crossbook (${newer}): run that version, or another database`
  )
}

/** `row_no` keeps the order of writing among rows of one millisecond; `digest` tells a row from one sent again. */
const STATEMENTS = [
  `create table market_keys (
    market_key integer primary key generated always as identity,
    market_id text not null unique
  )`,
  `create table markets_meta (
    market_key integer not null,
    from_ms bigint not null,
    venue text not null,
    status text not null,
    rules_hash text not null,
    market json not null,
    primary key (market_key, from_ms)
  )`,
  // Not an identity column: partitioned tables have those from PostgreSQL 17 on.
  'create sequence row_numbers',
  `create table market_snapshots (
    at_ms bigint not null,
    row_no bigint not null default nextval('row_numbers'),
    market_key integer not null,
    digest bigint not null,
    source text not null,
    cause text not null,
    sequence bigint,
    venue_time_ms bigint,
    received_at_ms bigint,
    best_bid_e4 integer,
    best_bid_size_e6 bigint,
    best_ask_e4 integer,
    best_ask_size_e6 bigint,
    bids json not null,
    asks json not null,
    state text not null,
    reason text,
    verified_at_ms bigint,
    mismatches integer not null,
    primary key (market_key, source, at_ms, digest)
  )`,
  'create index market_snapshots_time on market_snapshots (at_ms, row_no)',
  `create table trades (
    received_at_ms bigint not null,
    row_no bigint not null default nextval('row_numbers'),
    market_key integer not null,
    digest bigint not null,
    trade_id text,
    venue_time_ms bigint,
    price_e4 integer not null,
    size_e6 bigint not null,
    taker_side text,
    primary key (market_key, digest, received_at_ms)
  )`,
  'create index trades_market on trades (market_key, received_at_ms, row_no)',
  'create index trades_time on trades (received_at_ms, row_no)',
  `create table gaps (
    id text primary key,
    venue text not null,
    kind text not null,
    connection text,
    subscription text,
    from_sequence bigint,
    to_sequence bigint,
    all_markets boolean not null,
    started_at_ms bigint not null,
    detected_at_ms bigint not null,
    ended_at_ms bigint,
    recovered_by text,
    detail text not null
  )`,
  'create index gaps_time on gaps (started_at_ms, id)',
  'create index gaps_open on gaps (started_at_ms) where ended_at_ms is null',
  `create table gap_markets (
    gap_id text not null references gaps on delete cascade,
    market_key integer not null,
    position integer not null,
    primary key (gap_id, market_key)
  )`,
  'create index gap_markets_market on gap_markets (market_key, gap_id)',
  `create table coverage (
    market_key integer not null,
    from_ms bigint not null,
    session_id text not null,
    to_ms bigint,
    kind text not null,
    reason text,
    primary key (market_key, from_ms, session_id)
  )`,
  `create table sessions (
    session_id text primary key,
    started_at_ms bigint not null,
    heartbeat_at_ms bigint not null,
    ended_at_ms bigint
  )`,
  `create table recycler_runs (
    run_id text primary key,
    started_at_ms bigint not null,
    ended_at_ms bigint not null,
    report json not null
  )`,
  'create table progress (task text primary key, done_before_ms bigint not null)'
]

/** Trades that are read again for a gap have their place at the venue's time, and were heard at another. */
async function addHeardAt(db: Kysely<Tables>): Promise<void> {
  await sql`alter table trades add column heard_at_ms bigint`.execute(db)
}

/** Minutes of gaps as the venue tells them afterwards. */
async function addVenueCandles(db: Kysely<Tables>): Promise<void> {
  await sql`
    create table venue_candles (
      market_key integer not null,
      from_ms bigint not null,
      bid json not null,
      ask json not null,
      price json,
      volume_e6 bigint not null,
      heard_at_ms bigint not null,
      primary key (market_key, from_ms)
    )`.execute(db)
}

/**
 * How a gap was recovered is often known only after its end. Of rows of before it is not known when: null, and it is told
 * from their end on.
 */
async function addDecidedAt(db: Kysely<Tables>): Promise<void> {
  await sql`alter table gaps add column decided_at_ms bigint`.execute(db)
}

async function createAll(db: Kysely<Tables>, timescale: boolean): Promise<void> {
  const partitioned: Record<string, string> = { market_snapshots: 'at_ms', trades: 'received_at_ms' }
  for (const statement of STATEMENTS) {
    const [, table = ''] = /^create table (\w+)/.exec(statement) ?? []
    const column = timescale ? undefined : partitioned[table]
    await sql
      .raw(column === undefined ? statement : `${statement} partition by range (${column})`)
      .execute(db)
  }
  if (timescale) await createHypertables(db)
}
