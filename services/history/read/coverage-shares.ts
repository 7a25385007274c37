import type { CoverageShare } from '../../../schemas/history.ts'
import { formatScaled } from '../../numbers/decimal.ts'
import { COVERAGE_KINDS, type CoverageKind, type TimeRange } from '../records.ts'
import type { RecordedInterval } from './reader.ts'

/** A stretch of one kind with an end. */
export interface Covered extends TimeRange {
  kind: CoverageKind
  reason: string | null
}

export type CoverageShares = Record<CoverageKind, CoverageShare>

const PERCENT_DECIMALS = 4
const WHOLE = 100n * 10n ** BigInt(PERCENT_DECIMALS)

/** Returns what of each interval lies in the range; one that goes on ends with it. */
export function clip(intervals: readonly RecordedInterval[], { fromMs, toMs }: TimeRange): Covered[] {
  return intervals
    .map(({ fromMs: start, toMs: end, kind, reason }) => ({
      fromMs: Math.max(start, fromMs),
      toMs: Math.min(end ?? toMs, toMs),
      kind,
      reason
    }))
    .filter((one) => one.fromMs < one.toMs)
}

/**
 * Returns how much of the range is of each kind; what no interval covers is missing. The percentages add up to 100:
 * verified is rounded down, and what that leaves goes to the others.
 */
export function sharesOf(covered: readonly Covered[], { fromMs, toMs }: TimeRange): CoverageShares {
  const lengthMs = toMs - fromMs
  const durations: Record<CoverageKind, number> = { verified: 0, degraded: 0, missing: lengthMs }
  for (const one of covered) {
    if (one.kind === 'missing') continue
    durations[one.kind] += one.toMs - one.fromMs
    durations.missing -= one.toMs - one.fromMs
  }
  const parts = Object.fromEntries(
    COVERAGE_KINDS.map((kind) => [kind, (BigInt(durations[kind]) * WHOLE) / BigInt(lengthMs)])
  ) as Record<CoverageKind, bigint>
  for (const kind of ['missing', 'degraded'] as const) {
    const isWhole = (BigInt(durations[kind]) * WHOLE) % BigInt(lengthMs) === 0n
    if (!isWhole && parts.verified + parts.degraded + parts.missing < WHOLE) parts[kind]++
  }
  const share = (kind: CoverageKind) => ({
    durationMs: durations[kind],
    percent: formatScaled(Number(parts[kind]), PERCENT_DECIMALS)
  })
  return { verified: share('verified'), degraded: share('degraded'), missing: share('missing') }
}
