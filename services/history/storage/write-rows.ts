import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import type { SnapshotRecord, TradeRecord } from '../records.ts'
import type { MarketKeys } from './market-keys.ts'
import { SNAPSHOT_COLUMNS, snapshotCells } from './snapshot-rows.ts'
import { batchOf, type Cell, namesOf } from './sql-columns.ts'
import type { Tables } from './tables.ts'
import { DAY_MS, type TimeLayout } from './time-layout.ts'
import { TRADE_COLUMNS, tradeCells } from './trade-rows.ts'

/** SQLSTATE of a row for which there is no partition. */
const NO_PARTITION = '23514'
/** Rows whose cells are made in one turn of the event loop: about a millisecond. */
const SLICE_ROWS = 100

export interface Writing {
  db: Kysely<Tables>
  keys: MarketKeys
  layout: TimeLayout
}

/** Writes a batch of snapshots in one statement; those that are there already are left alone. */
export async function writeSnapshots(on: Writing, rows: readonly SnapshotRecord[]): Promise<void> {
  const keyOf = await on.keys.of(rows.map((row) => row.marketId))
  const cells = await inSlices(rows, (row) => snapshotCells(row, keyOf(row.marketId)))
  const names = namesOf(SNAPSHOT_COLUMNS)
  await withRoom(on.layout, async () => {
    await on.layout.ensure(
      'market_snapshots',
      rows.map((row) => row.atMs)
    )
    await sql`
      insert into market_snapshots (${names}) select ${names} from ${batchOf(SNAPSHOT_COLUMNS, cells)}
      order by ordinal on conflict do nothing`.execute(on.db)
  })
}

/**
 * Writes a batch of trades in one statement. A venue may send a trade again after a reconnect, received later: one
 * with an id that was received within a day of it is left out.
 */
export async function writeTrades(on: Writing, rows: readonly TradeRecord[]): Promise<void> {
  const keyOf = await on.keys.of(rows.map((row) => row.marketId))
  const cells = tradeCells(rows, keyOf)
  const names = namesOf(TRADE_COLUMNS)
  await withRoom(on.layout, async () => {
    await on.layout.ensure(
      'trades',
      rows.map((row) => row.atMs)
    )
    await sql`
      insert into trades (${names}) select ${names} from ${batchOf(TRADE_COLUMNS, cells)}
      where not exists (
        select from trades there
        where there.market_key = batch.market_key and there.digest = batch.digest
          and there.received_at_ms between batch.received_at_ms - ${sql.lit(DAY_MS)}
            and batch.received_at_ms + ${sql.lit(DAY_MS)})
      order by ordinal on conflict do nothing`.execute(on.db)
  })
}

/** Makes the cells of a batch, some milliseconds in all, without holding up the event loop for them. */
async function inSlices<Row>(rows: readonly Row[], cellsOf: (row: Row) => Cell[]): Promise<Cell[][]> {
  const cells: Cell[][] = []
  for (const row of rows) {
    if (cells.length > 0 && cells.length % SLICE_ROWS === 0) await new Promise(setImmediate)
    cells.push(cellsOf(row))
  }
  return cells
}

/** Tries once more where another process dropped a partition that we believed to be there. */
async function withRoom(layout: TimeLayout, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== NO_PARTITION) throw error
    layout.forget()
    await write()
  }
}
