import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'
import { DAY_MS, TIME_TABLES, type TimeTable } from './time-layout.ts'

/** Chunks older than this are compressed. */
const COMPRESS_AFTER_MS = 2 * DAY_MS

/** Loads TimescaleDB where the server has it and we may; elsewhere partitions of our own do. */
export async function loadTimescale(db: Kysely<Tables>): Promise<boolean> {
  // Where its loader, of which this is a setting, was not preloaded, creating it would end our connection.
  const { rows } = await sql`
    select from pg_available_extensions
    where name = 'timescaledb' and current_setting('timescaledb.max_background_workers', true) is not null`.execute(
    db
  )
  if (rows.length === 0) return false
  try {
    await sql`create extension if not exists timescaledb`.execute(db)
    return true
  } catch {
    // Not ours to create, or "if not exists" did not hold between two processes: the other one did.
    const installed = await sql`select from pg_extension where extname = 'timescaledb'`.execute(db)
    return installed.rows.length > 0
  }
}

/** Cuts the empty tables that grow into chunks of a day. */
export async function createHypertables(db: Kysely<Tables>): Promise<void> {
  for (const [table, column] of Object.entries(TIME_TABLES))
    await sql`
      select create_hypertable(${table}::regclass, ${column}::name, chunk_time_interval => ${DAY_MS}::bigint,
        create_default_indexes => false)`.execute(db)
}

/** Has old chunks compressed; throws with the edition of TimescaleDB that cannot. */
export async function compressHypertables(db: Kysely<Tables>): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    // One process at a time; and to alter a table that is set up already would make all of them wait.
    await sql`select pg_advisory_xact_lock(hashtext('crossbook compression'))`.execute(transaction)
    const { rows } = await sql<{ name: string }>`
      select hypertable_name as name from timescaledb_information.jobs
      where proc_name = 'policy_compression' and hypertable_schema = current_schema`.execute(transaction)
    const done = new Set(rows.map(({ name }) => name))
    for (const table of Object.keys(TIME_TABLES) as TimeTable[])
      if (!done.has(table)) await setUpCompression(transaction, table)
  })
}

async function setUpCompression(db: Kysely<Tables>, table: TimeTable): Promise<void> {
  await sql`
    create or replace function crossbook_now_ms() returns bigint language sql stable
    as $$ select (extract(epoch from now()) * 1000)::bigint $$`.execute(db)
  await sql`
    select set_integer_now_func(${table}::regclass, 'crossbook_now_ms', replace_if_exists => true)`.execute(
    db
  )
  // Not by row_no too: before 2.27, what is compressed again after rows came late would be read in a wrong order.
  // https://github.com/timescale/timescaledb/pull/9739
  await sql`
    alter table ${sql.table(table)} set (timescaledb.compress, timescaledb.compress_segmentby = 'market_key',
      timescaledb.compress_orderby = ${sql.lit(TIME_TABLES[table])})`.execute(db)
  await sql`
    select add_compression_policy(${table}::regclass, compress_after => ${COMPRESS_AFTER_MS}::bigint)`.execute(
    db
  )
}
