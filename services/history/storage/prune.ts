import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from './tables.ts'
import { countDeleted, DAY_MS, TIME_TABLES, type TimeLayout, type TimeTable } from './time-layout.ts'

const MINUTE_MS = 60_000
/** Rows deleted by one statement, so that none holds locks, or the embedded database, for long. */
const DELETE_BATCH = 10_000
/** How much of the time one statement thins. */
const THIN_WINDOW_MS = 5 * MINUTE_MS
/** Up to where rows of snapshots are thinned. */
const THINNED = 'snapshots thinned'
/** Up to where that was begun: written before the first row goes, so that no reader takes what is left for all. */
const THINNING = 'snapshots being thinned'
/** Up to where rows were deleted; written before the first one goes, like that of thinning. */
const DELETING = 'rows being deleted'

/** SQL for the database's own clock. */
const DATABASE_NOW_MS = sql<number>`(extract(epoch from now()) * 1000)::bigint`

export interface Pruning {
  db: Kysely<Tables>
  layout: TimeLayout
}

/** Deletes what is older than an instant, then thins what is older than another; returns the rows removed. */
export async function prune(
  { db, layout }: Pruning,
  limits: { deleteBeforeMs: number; thinBeforeMs: number }
): Promise<number> {
  const { deleteBeforeMs } = limits
  let keptFromMs = deleteBeforeMs
  const compressed = new Set<TimeTable>()
  for (const table of Object.keys(TIME_TABLES) as TimeTable[]) {
    // A compressed day goes as a whole, later; until then what is said of its time stays too.
    if (!(await layout.isCompressed(table, deleteBeforeMs))) continue
    compressed.add(table)
    keptFromMs = startOfDay(deleteBeforeMs)
  }
  await keepProgress(db, DELETING, keptFromMs)
  let removed = 0
  for (const table of Object.keys(TIME_TABLES) as TimeTable[]) {
    removed += await layout.dropBefore(table, deleteBeforeMs)
    if (!compressed.has(table)) removed += await deleteRows(layout, table, deleteBeforeMs)
  }
  removed += await deleteRecords(db, keptFromMs)
  return removed + (await thin({ db, layout }, limits.thinBeforeMs))
}

/** Deletes what is old of the day that is not wholly so. */
async function deleteRows(layout: TimeLayout, table: TimeTable, beforeMs: number): Promise<number> {
  const at = sql.ref(TIME_TABLES[table])
  return inBatches(() =>
    layout.deleteRows(sql`
      with old as (
        select ${at} as at, row_no from ${sql.table(table)} where ${at} < ${beforeMs}::bigint
        order by 1, 2 limit ${sql.lit(DELETE_BATCH)}
      )
      delete from ${sql.table(table)} row using old
      where row.${at} = old.at and row.row_no = old.row_no and row.${at} < ${beforeMs}::bigint`)
  )
}

/** What is still in force stays: gaps without an end, and what a venue last said of a market. */
async function deleteRecords(db: Kysely<Tables>, beforeMs: number): Promise<number> {
  const old: [table: string, key: string[], where: RawBuilder<unknown>][] = [
    ['gaps', ['id'], sql`ended_at_ms < ${beforeMs}::bigint`],
    [
      'coverage',
      ['market_key', 'from_ms', 'session_id'],
      sql`coalesce(to_ms, (select heartbeat_at_ms from sessions where session_id = row.session_id))
        < ${beforeMs}::bigint`
    ],
    [
      'sessions',
      ['session_id'],
      sql`coalesce(ended_at_ms, heartbeat_at_ms) < ${beforeMs}::bigint
        and not exists (select from coverage where session_id = row.session_id and to_ms is null)`
    ],
    ['venue_candles', ['market_key', 'from_ms'], sql`from_ms < ${beforeMs}::bigint`],
    ['recycler_runs', ['run_id'], sql`ended_at_ms < ${beforeMs}::bigint`],
    [
      'markets_meta',
      ['market_key', 'from_ms'],
      sql`exists (
        select from markets_meta later where later.market_key = row.market_key
        and later.from_ms > row.from_ms and later.from_ms <= ${beforeMs}::bigint)`
    ]
  ]
  let removed = 0
  for (const [table, key, where] of old) {
    const columns = sql.join(key.map((name) => sql.ref(name)))
    const statement = sql`
      delete from ${sql.table(table)} where (${columns}) in (
        select ${columns} from ${sql.table(table)} row where ${where} limit ${sql.lit(DELETE_BATCH)})`
    removed += await inBatches(() => countDeleted(db, statement))
  }
  return removed
}

/**
 * Keeps the last snapshot of each minute, market and source, and those of changed verdicts. Only whole minutes are
 * thinned, and none twice: how far it got is kept in the database.
 */
async function thin({ db, layout }: Pruning, beforeMs: number): Promise<number> {
  const end = Math.floor(beforeMs / MINUTE_MS) * MINUTE_MS
  const progress = await db
    .selectFrom('progress')
    .select('done_before_ms')
    .where('task', '=', THINNED)
    .executeTakeFirst()
  const begin = progress?.done_before_ms ?? null
  let removed = 0
  let done = begin
  for (;;) {
    const from = await nextSnapshot(db, done, end)
    if (from === null) break
    const to = Math.min(end, from + THIN_WINDOW_MS)
    await keepProgress(db, THINNING, to)
    removed += await thinWindow(layout, from, to)
    await keepProgress(db, THINNED, to)
    done = to
  }
  if (done === begin && begin !== null && begin >= end) return removed
  await keepProgress(db, THINNED, end)
  if (removed > 0) await layout.compact('market_snapshots', startOfDay(begin ?? 0), end)
  return removed
}

/** SQL for the instant before which snapshots may have been thinned; null where none were. */
export function thinnedBefore(): RawBuilder<number | null> {
  const tasks = sql.join([THINNED, THINNING])
  return sql`(select max(done_before_ms) from progress where task in (${tasks}))`
}

/** SQL for the instant before which rows may have been deleted, 0 where none were. */
export function deletedBefore(): RawBuilder<number> {
  return sql`coalesce(
    (select done_before_ms from progress where task = ${DELETING} and done_before_ms <= ${DATABASE_NOW_MS}), 0)`
}

async function nextSnapshot(
  db: Kysely<Tables>,
  doneMs: number | null,
  endMs: number
): Promise<number | null> {
  const row = await db
    .selectFrom('market_snapshots')
    .select('at_ms')
    .where('at_ms', '<', endMs)
    .$if(doneMs !== null, (query) => query.where('at_ms', '>=', doneMs))
    .orderBy('at_ms')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? null : Math.floor(row.at_ms / MINUTE_MS) * MINUTE_MS
}

async function thinWindow(layout: TimeLayout, fromMs: number, toMs: number): Promise<number> {
  const inside = sql`at_ms >= ${fromMs}::bigint and at_ms < ${toMs}::bigint`
  return inBatches(() =>
    layout.deleteRows(sql`
      delete from market_snapshots where ${inside} and (at_ms, row_no) in (
        select at_ms, row_no from (
          select at_ms, row_no, row_number() over (
            partition by market_key, source, at_ms / ${sql.lit(MINUTE_MS)} order by at_ms desc, row_no desc) as place,
            cause
          from market_snapshots where ${inside}) ranked
        where place > 1 and cause <> 'verdict' limit ${sql.lit(DELETE_BATCH)})`)
  )
}

async function keepProgress(db: Kysely<Tables>, task: string, doneBeforeMs: number): Promise<void> {
  await db
    .insertInto('progress')
    .values({ task, done_before_ms: doneBeforeMs })
    .onConflict((conflict) =>
      conflict.column('task').doUpdateSet({
        // What lies ahead was written by a clock that was wrong: it must not hold for ever.
        done_before_ms: sql<number>`case when progress.done_before_ms > ${DATABASE_NOW_MS}
          then excluded.done_before_ms else greatest(progress.done_before_ms, excluded.done_before_ms) end`
      })
    )
    .execute()
}

/** Runs a statement that deletes at most `DELETE_BATCH` rows, and says how many, until it deletes fewer. */
async function inBatches(deleteSome: () => Promise<number>): Promise<number> {
  let removed = 0
  for (;;) {
    const count = await deleteSome()
    removed += count
    if (count < DELETE_BATCH) return removed
  }
}

function startOfDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS
}
