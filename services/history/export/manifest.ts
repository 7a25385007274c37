import { RangeInvalidError } from '../../errors.ts'
import { assembleCoverage, holesOf } from '../coverage.ts'
import type { GapRecord, HistoryStore, TimeRange } from '../records.ts'

/** What `manifest.json` says of an export. All times are ISO 8601 in UTC. */
export interface Manifest {
  from: string
  to: string
  madeAt: string
  format: string
  units: Record<string, string>
  files: { name: string; rows: number }[]
  gaps: (Omit<GapRecord, 'startedAtMs' | 'detectedAtMs' | 'endedAtMs' | 'decidedAtMs'> & {
    startedAt: string
    detectedAt: string
    endedAt: string | null
  })[]
  /** By market. Intervals are half-open, and each begins where the one before ends. */
  coverage: Record<
    string,
    {
      recordedFrom: string | null
      intervals: { from: string; to: string; kind: string; reason: string | null }[]
    }
  >
}

const GAPS_MAX = 100_000

/** @throws {RangeInvalidError} for more gaps than a manifest holds: what is left out would be a hole that nobody sees */
export async function readAllGaps(history: HistoryStore, range: TimeRange): Promise<GapRecord[]> {
  const gaps = await history.gaps({ ...range, marketId: null, limit: GAPS_MAX + 1 })
  if (gaps.length <= GAPS_MAX) return gaps
  throw new RangeInvalidError(`the range holds more than ${GAPS_MAX} gaps: export shorter ones`)
}

/** Returns of each market which stretches of a range are verified, degraded or missing. */
export async function readManifestCoverage(
  history: HistoryStore,
  { range, gaps, nowMs }: { range: TimeRange; gaps: readonly GapRecord[]; nowMs: number },
  markets: readonly string[]
): Promise<Manifest['coverage']> {
  const sessions = await history.sessions(range)
  const coverage: Manifest['coverage'] = {}
  for (const marketId of markets) {
    const rows = await history.coverage({ ...range, marketId })
    const recorded = await history.recordedSpan(marketId)
    const holes = holesOf(
      gaps.filter((gap) => concerns(gap, marketId)),
      nowMs
    )
    const { intervals } = assembleCoverage(rows, sessions, range, nowMs, { recorded, holes })
    coverage[marketId] = {
      recordedFrom: recorded === null ? null : isoTime(recorded.fromMs),
      intervals: intervals.map(({ fromMs, toMs, kind, reason }) => ({
        from: isoTime(fromMs),
        to: isoTime(toMs),
        kind,
        reason
      }))
    }
  }
  return coverage
}

export function manifestGaps(gaps: readonly GapRecord[]): Manifest['gaps'] {
  return gaps.map(({ startedAtMs, detectedAtMs, endedAtMs, decidedAtMs: _, ...gap }) => ({
    ...gap,
    startedAt: isoTime(startedAtMs),
    detectedAt: isoTime(detectedAtMs),
    endedAt: endedAtMs === null ? null : isoTime(endedAtMs)
  }))
}

export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

function concerns({ venue, marketIds }: GapRecord, marketId: string): boolean {
  return marketIds === null ? marketId.startsWith(`${venue}:`) : marketIds.includes(marketId)
}
