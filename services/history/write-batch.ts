import type { HistoryStore } from './records.ts'
import type { StandingBatch } from './standing-rows.ts'
import type { RowBatch } from './waiting-rows.ts'

export type Batch = StandingBatch | RowBatch

/** Writes one kind's rows, whole or not at all. */
export async function writeBatch(history: HistoryStore, batch: Batch): Promise<void> {
  switch (batch.kind) {
    case 'snapshots':
      return history.writeSnapshots(batch.rows)
    case 'trades':
      return history.writeTrades(batch.rows)
    case 'gaps':
      return history.writeGaps(batch.rows)
    case 'coverage':
      return history.writeCoverage(batch.rows)
    case 'markets':
      return history.writeMarkets(batch.rows)
    case 'recycler':
      for (const run of batch.rows) await history.writeRecyclerRun(run)
  }
}

/** Returns what went wrong in one line, for people. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
