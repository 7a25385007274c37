import type { CoverageSummary } from '../../../schemas/history.ts'
import { RangeInvalidError } from '../../errors.ts'
import type { GapQuery, GapRecord, TimeRange } from '../records.ts'
import { type Covered, clip, sharesOf } from './coverage-shares.ts'
import type { HistoryReader } from './reader.ts'

/** Gaps, or intervals of coverage, that one answer may hold. */
export const STRETCHES_MAX = 10_000
/** Further the gaps of a summary are not counted. */
const COUNTED_MAX = 1_000

/** Coverage of a range, and when recording of the market began. */
export interface ReadCoverage {
  recordedFromMs: number | null
  covered: Covered[]
}

/** @throws {RangeInvalidError} for more intervals than an answer holds */
export async function readCoverage(
  reader: HistoryReader,
  marketId: string,
  range: TimeRange
): Promise<ReadCoverage> {
  const { recordedFromMs, intervals } = await reader.coverage(marketId, range)
  const covered = clip(intervals, range)
  assertFew(covered.length, 'intervals of coverage')
  return { recordedFromMs, covered }
}

/** @throws {RangeInvalidError} for more gaps than an answer holds: what is left out would be a hole that nobody sees */
export async function readGaps(
  { store }: Pick<HistoryReader, 'store'>,
  marketId: string,
  range: TimeRange,
  kinds: Pick<GapQuery, 'kinds' | 'lateKinds'> = {}
): Promise<GapRecord[]> {
  const gaps = await store.gaps({ marketId, ...range, limit: STRETCHES_MAX + 1, ...kinds })
  assertFew(gaps.length, 'gaps')
  return gaps
}

/** Returns in short how much can be said of a range that is over. */
export async function readSummary(
  reader: HistoryReader,
  marketId: string,
  range: TimeRange
): Promise<CoverageSummary> {
  const [{ intervals }, gaps] = await Promise.all([
    reader.coverage(marketId, range),
    reader.store.gaps({ marketId, ...range, limit: COUNTED_MAX })
  ])
  return summaryOf(clip(intervals, range), gaps.length, range)
}

export function summaryOf(covered: readonly Covered[], gaps: number, range: TimeRange): CoverageSummary {
  return { verifiedPercent: sharesOf(covered, range).verified.percent, gaps: Math.min(gaps, COUNTED_MAX) }
}

function assertFew(count: number, what: string): void {
  if (count <= STRETCHES_MAX) return
  throw new RangeInvalidError(
    `query parameter from is too far from to: the range holds more than ${STRETCHES_MAX} ${what}`
  )
}
