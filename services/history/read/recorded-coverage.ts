import { assembleCoverage, HOLE_KINDS, holesOf } from '../coverage.ts'
import { BOOK_GAP_KINDS, type HistoryRows, type TimeRange } from '../records.ts'
import type { RecordedCoverage } from './reader.ts'
import { readGaps } from './summary.ts'

export interface KnownTo {
  /** Up to when the rows tell all, once they are read; epoch milliseconds. */
  nowMs: () => number
  /** Of the run that records now; null where none does. */
  liveSessionId: string | null
}

/**
 * Puts together what covers a market over a range from the rows that were recorded of it.
 *
 * @throws {RangeInvalidError} for more holes in the recording than are looked at
 */
export async function readRecordedCoverage(
  store: HistoryRows,
  marketId: string,
  range: TimeRange,
  { nowMs: knownTo, liveSessionId }: KnownTo
): Promise<RecordedCoverage> {
  const [rows, recorded, sessions, gaps] = await Promise.all([
    store.coverage({ ...range, marketId }),
    store.recordedSpan(marketId),
    store.sessions(range),
    readGaps({ store }, marketId, range, { kinds: HOLE_KINDS, lateKinds: BOOK_GAP_KINDS })
  ])
  const nowMs = knownTo()
  const { intervals } = assembleCoverage(rows, sessions, range, nowMs, {
    recorded,
    liveSessionId,
    holes: holesOf(gaps, nowMs)
  })
  return { recordedFromMs: recorded?.fromMs ?? null, intervals }
}
