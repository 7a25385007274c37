import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'
import { DAY_MS, TIME_TABLES } from './time-layout.ts'

/** Chunks older than this are compressed. */
const COMPRESS_AFTER_MS = 2 * DAY_MS

/**
 * Loads TimescaleDB where the server has it and we may. Nothing of this file is run by our tests: TimescaleDB is not on
 * our machines.
 */
export async function loadTimescale(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql`select from pg_available_extensions where name = 'timescaledb'`.execute(db)
  if (rows.length === 0) return false
  try {
    await sql`create extension if not exists timescaledb`.execute(db)
    return true
  } catch {
    // Not ours to create, or not preloaded: partitions of our own do.
    return false
  }
}

/** Cuts the empty tables that grow into chunks of a day. */
export async function createHypertables(db: Kysely<Tables>): Promise<void> {
  for (const [table, column] of Object.entries(TIME_TABLES))
    await sql`
      select create_hypertable(${table}::regclass, ${column}::name, chunk_time_interval => ${DAY_MS}::bigint)`.execute(
      db
    )
}

/** Has old chunks compressed; throws with the edition of TimescaleDB that cannot. */
export async function compressHypertables(db: Kysely<Tables>): Promise<void> {
  await sql`
    create or replace function crossbook_now_ms() returns bigint language sql stable
    as $$ select (extract(epoch from now()) * 1000)::bigint $$`.execute(db)
  for (const [table, column] of Object.entries(TIME_TABLES)) {
    await sql`
      select set_integer_now_func(${table}::regclass, 'crossbook_now_ms', replace_if_exists => true)`.execute(
      db
    )
    await sql`
      alter table ${sql.table(table)} set (timescaledb.compress, timescaledb.compress_segmentby = 'market_key',
        timescaledb.compress_orderby = ${sql.lit(`${column}, row_no`)})`.execute(db)
    await sql`
      select add_compression_policy(${table}::regclass, compress_after => ${COMPRESS_AFTER_MS}::bigint,
        if_not_exists => true)`.execute(db)
  }
}
