import type { CoverageRecord, GapKind, GapRecord, SessionRecord, TimeRange } from './records.ts'

/** Recorded rows as they were at an instant: what lay ahead of it is taken from them. */

/** Of these the sentence is written at the end, and tells how it went on. */
const TOLD_AT_END: readonly GapKind[] = ['storage_down', 'recorder_overflow']

/** Returns the part of a range of which there were rows; that of the very millisecond is in it. */
export function rangeAsOf<Range extends TimeRange>(range: Range, atMs: number): Range {
  return { ...range, toMs: Math.min(range.toMs, atMs + 1) }
}

/** Returns a gap that was known then. */
export function gapAsOf(gap: GapRecord, atMs: number): GapRecord {
  const undecided = { ...gap, recoveredBy: null, decidedAtMs: null }
  if (!isAhead(gap.endedAtMs, atMs)) return isAhead(gap.decidedAtMs, atMs) ? undecided : gap
  const detail = TOLD_AT_END.includes(gap.kind) ? 'It is not over.' : gap.detail
  return { ...undecided, endedAtMs: null, detail }
}

/** Returns an interval that had begun then. */
export function coverageAsOf(row: CoverageRecord, atMs: number): CoverageRecord {
  return isAhead(row.toMs, atMs) ? { ...row, toMs: null } : row
}

/** Returns a run that had begun then; one that went on had its last sign of life just then. */
export function sessionAsOf(session: SessionRecord, atMs: number): SessionRecord {
  const { heartbeatAtMs, endedAtMs } = session
  return {
    ...session,
    heartbeatAtMs: Math.min(heartbeatAtMs, atMs),
    endedAtMs: isAhead(endedAtMs, atMs) ? null : endedAtMs
  }
}

function isAhead(timeMs: number | null, atMs: number): boolean {
  return timeMs !== null && timeMs > atMs
}
