import type { Candle } from '../../../schemas/history.ts'
import type { GapRecord, TimeRange } from '../records.ts'
import type { Covered } from './coverage-shares.ts'

/** Why a candle is not complete. */
export interface CandleHole {
  reason: NonNullable<Candle['reason']>
  detail: string | null
}

/**
 * Returns for each candle of a range of whole ones the gravest reason why it is not complete, or null: a stretch of
 * which nothing is known (also before the recording began), one that is not verified, a gap, that its snapshots were
 * thinned, or that it is running. `thinned` are the starts of candles that were.
 */
export function candleHoles(
  range: TimeRange,
  lengthMs: number,
  covered: readonly Covered[],
  gaps: readonly GapRecord[],
  nowMs: number,
  thinned: readonly number[] = []
): (CandleHole | null)[] {
  const holes = new Holes(range, lengthMs)
  for (const stretch of uncovered(range, covered, nowMs))
    holes.mark(stretch, { reason: 'missing', detail: null })
  for (const kind of ['missing', 'degraded'] as const)
    for (const one of covered) if (one.kind === kind) holes.mark(one, { reason: kind, detail: one.reason })
  // A gap without length touches the candle that it falls into.
  for (const { startedAtMs, endedAtMs, kind } of gaps)
    holes.mark(
      { fromMs: startedAtMs, toMs: Math.max(endedAtMs ?? nowMs, startedAtMs + 1) },
      { reason: 'gap', detail: kind }
    )
  for (const fromMs of thinned) holes.mark({ fromMs, toMs: fromMs + 1 }, { reason: 'thinned', detail: null })
  holes.mark({ fromMs: nowMs, toMs: Number.MAX_SAFE_INTEGER }, { reason: 'running', detail: null })
  return holes.found
}

/** The parts of a range, up to now, that no interval speaks for. */
function* uncovered(
  { fromMs, toMs }: TimeRange,
  covered: readonly Covered[],
  nowMs: number
): Generator<TimeRange> {
  let knownToMs = fromMs
  for (const one of covered) {
    if (one.fromMs > knownToMs) yield { fromMs: knownToMs, toMs: one.fromMs }
    knownToMs = Math.max(knownToMs, one.toMs)
  }
  const endMs = Math.min(toMs, nowMs)
  if (knownToMs < endMs) yield { fromMs: knownToMs, toMs: endMs }
}

/** What was marked first stays, so whoever marks begins with the gravest. */
class Holes {
  readonly found: (CandleHole | null)[]
  private readonly range: TimeRange
  private readonly lengthMs: number

  constructor(range: TimeRange, lengthMs: number) {
    this.range = range
    this.lengthMs = lengthMs
    this.found = new Array<CandleHole | null>((range.toMs - range.fromMs) / lengthMs).fill(null)
  }

  mark({ fromMs, toMs }: TimeRange, hole: CandleHole): void {
    const { found, range, lengthMs } = this
    const first = Math.max(0, Math.floor((fromMs - range.fromMs) / lengthMs))
    const end = Math.min(found.length, Math.ceil((toMs - range.fromMs) / lengthMs))
    for (let at = first; at < end; at++) found[at] ??= hole
  }
}
