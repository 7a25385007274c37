import { REASONS, reasonBit, reasonBits, type VerdictSource } from '../integrity/verdict.ts'
import {
  BOOK_GAP_KINDS,
  type CoverageKind,
  type CoverageRecord,
  type GapRecord,
  type RecordedSpan,
  type SessionRecord,
  type TimeRange
} from './records.ts'

/** How much one instant of a market is worth, and why it is not worth more. */
export interface CoverageState {
  kind: CoverageKind
  reason: string | null
}

/** A stretch of a market's coverage, half-open and closed at both ends. */
export interface CoverageInterval extends TimeRange, CoverageState {}

/** What is known of how a stretch was covered. */
export interface Coverage {
  /** Ordered, each beginning where the one before ends. */
  intervals: CoverageInterval[]
  /** Up to where anything is known within the range; null when nothing is. */
  recordedToMs: number | null
}

/**
 * A stretch in which rows or frames were lost, nothing was heard, or something was wrong and not noticed yet, so that
 * nothing in it is proven.
 */
export interface CoverageHole extends TimeRange {
  reason: string
}

/** The venue's own pauses and ends: the book rests, and its stream may be well. */
const STATUS = reasonBits(['market_settled', 'market_closed', 'venue_paused', 'not_open'])
const BOOKLESS = reasonBits(['awaiting_snapshot', 'arena_full'])
const POLL_OVERDUE = reasonBit('poll_overdue')
/** Gaps that make holes: what was proven is not recorded there. */
export const HOLE_KINDS: readonly GapRecord['kind'][] = ['standstill', 'journal_hole', 'recorder_overflow']
export const WORST_LAST: readonly CoverageKind[] = ['verified', 'degraded', 'missing']

/** Returns what a book with these reasons covers; `isKnown` is false before its first message. */
export function coverageOf(reasons: number, source: VerdictSource, isKnown: boolean): CoverageState {
  const troubles = reasons & ~STATUS
  if ((troubles & BOOKLESS) !== 0) return { kind: 'missing', reason: firstOf(troubles & BOOKLESS) }
  if (!isKnown) return { kind: 'missing', reason: firstOf(troubles) ?? 'awaiting_snapshot' }
  // What is only asked for is known of no longer than the answers come.
  if (source === 'poll' && (troubles & POLL_OVERDUE) !== 0) return { kind: 'missing', reason: 'poll_overdue' }
  if (troubles !== 0) return { kind: 'degraded', reason: firstOf(troubles) }
  return source === 'websocket' ? { kind: 'verified', reason: null } : { kind: 'degraded', reason: 'polled' }
}

/**
 * Returns the stretches of gaps in which recorded rows or frames were lost, or nothing was heard, and of gaps of books
 * the time before they were noticed: from then on the verdicts tell.
 */
export function holesOf(gaps: readonly GapRecord[], nowMs: number): CoverageHole[] {
  return gaps.flatMap(({ kind, startedAtMs: fromMs, detectedAtMs, endedAtMs }) => {
    if (HOLE_KINDS.includes(kind)) return [{ fromMs, toMs: endedAtMs ?? nowMs, reason: kind }]
    return BOOK_GAP_KINDS.includes(kind) ? [{ fromMs, toMs: detectedAtMs, reason: kind }] : []
  })
}

/**
 * Puts together what covers a range from the rows of one market as they were written: gapless over what was recorded.
 * An interval without an end goes on to its session's end or, where that session died, to its last heartbeat; from
 * there to the market's next record the range is `missing`, `not_recorded`. `recorded` tells of the rows beside those of
 * the range: from where recording of the market began to the first row, and from the last row to one that comes later,
 * it is `missing` too; nothing is said of the time before the first and after the last of all. `sessions` are those of
 * the rows; `liveSessionId` is the session that still runs, whose open interval reaches to now.
 */
export function assembleCoverage(
  rows: readonly CoverageRecord[],
  sessions: readonly SessionRecord[],
  range: TimeRange,
  nowMs: number,
  {
    recorded = null,
    liveSessionId = null,
    holes = []
  }: { recorded?: RecordedSpan | null; liveSessionId?: string | null; holes?: readonly CoverageHole[] } = {}
): Coverage {
  const ordered = [...rows].sort((a, b) => a.fromMs - b.fromMs || (a.toMs ?? nowMs) - (b.toMs ?? nowMs))
  const bySession = new Map(sessions.map((session) => [session.sessionId, session]))
  const endMs = Math.min(range.toMs, nowMs)
  const whole: CoverageInterval[] = []
  const laterMs = recorded !== null && recorded.lastFromMs >= range.toMs ? recorded.lastFromMs : null
  const firstMs = ordered[0]?.fromMs ?? laterMs
  if (firstMs !== null && recorded !== null)
    whole.push({ fromMs: recorded.fromMs, toMs: firstMs, kind: 'missing', reason: 'not_recorded' })
  ordered.forEach((row, index) => {
    const nextMs = ordered[index + 1]?.fromMs ?? laterMs
    const isLive = row.sessionId === liveSessionId
    const untilMs = nextMs ?? (row.toMs === null ? nowMs : row.toMs)
    const toMs = Math.max(
      row.fromMs,
      Math.min(untilMs, row.toMs ?? lastSign(bySession.get(row.sessionId), isLive, nowMs))
    )
    whole.push({ fromMs: row.fromMs, toMs, kind: row.kind, reason: row.reason })
    const isFollowed = nextMs !== null || isSucceeded(row, sessions, isLive)
    if (isFollowed) whole.push({ fromMs: toMs, toMs: untilMs, kind: 'missing', reason: 'not_recorded' })
  })
  const intervals = joined(whole.map((one) => clipped(one, { fromMs: range.fromMs, toMs: endMs })))
  const withHoles = holes.length === 0 ? intervals : joined(pierced(intervals, holes))
  return { intervals: withHoles, recordedToMs: withHoles.at(-1)?.toMs ?? null }
}

/** An interval that nobody closed says where its run ended only through its session. */
function lastSign(session: SessionRecord | undefined, isLive: boolean, nowMs: number): number {
  if (isLive) return nowMs
  return session === undefined ? Number.NEGATIVE_INFINITY : (session.endedAtMs ?? session.heartbeatAtMs)
}

/** True where a later run recorded, but nothing of this market yet: it is missing rather than gone. */
function isSucceeded(
  { toMs, sessionId }: CoverageRecord,
  sessions: readonly SessionRecord[],
  isLive: boolean
): boolean {
  if (toMs !== null || isLive) return false
  const own = sessions.find((session) => session.sessionId === sessionId)
  return own === undefined || sessions.some(({ startedAtMs }) => startedAtMs > own.startedAtMs)
}

function clipped(interval: CoverageInterval, { fromMs, toMs }: TimeRange): CoverageInterval {
  return { ...interval, fromMs: Math.max(fromMs, interval.fromMs), toMs: Math.min(toMs, interval.toMs) }
}

/** Cuts holes out of what is verified; the intervals are in order. */
function pierced(intervals: readonly CoverageInterval[], holes: readonly CoverageHole[]): CoverageInterval[] {
  const ordered = apart(holes)
  const parts: CoverageInterval[] = []
  let first = 0
  for (const interval of intervals) {
    while (first < ordered.length && (ordered[first] as CoverageHole).toMs <= interval.fromMs) first++
    let { fromMs } = interval
    for (const hole of interval.kind === 'verified' ? within(ordered, first, interval.toMs) : []) {
      const start = Math.max(fromMs, hole.fromMs)
      const end = Math.min(interval.toMs, hole.toMs)
      parts.push({ ...interval, fromMs, toMs: start })
      parts.push({ fromMs: start, toMs: end, kind: 'degraded', reason: hole.reason })
      fromMs = end
    }
    parts.push({ ...interval, fromMs })
  }
  return parts
}

/** The holes from one on that begin before an instant. */
function* within(holes: readonly CoverageHole[], first: number, toMs: number): Generator<CoverageHole> {
  for (let at = first; at < holes.length && (holes[at] as CoverageHole).fromMs < toMs; at++)
    yield holes[at] as CoverageHole
}

/** Returns holes in order, each beginning where those before have ended, so that an answer takes one look at each. */
function apart(holes: readonly CoverageHole[]): CoverageHole[] {
  const kept: CoverageHole[] = []
  let knownToMs = Number.NEGATIVE_INFINITY
  for (const hole of [...holes].sort((a, b) => a.fromMs - b.fromMs)) {
    const fromMs = Math.max(hole.fromMs, knownToMs)
    if (hole.toMs <= fromMs) continue
    kept.push({ ...hole, fromMs })
    knownToMs = hole.toMs
  }
  return kept
}

/** Leaves out what has no length, and joins neighbours that say the same. */
function joined(intervals: readonly CoverageInterval[]): CoverageInterval[] {
  const kept: CoverageInterval[] = []
  for (const one of intervals) {
    if (one.toMs <= one.fromMs) continue
    const last = kept.at(-1)
    const isSame = last?.kind === one.kind && last.reason === one.reason && last.toMs === one.fromMs
    if (last !== undefined && isSame) last.toMs = one.toMs
    else kept.push({ ...one })
  }
  return kept
}

/** A reason's bit is its place among the reasons, most important first. */
function firstOf(reasons: number): string | null {
  return reasons === 0 ? null : (REASONS[31 - Math.clz32(reasons & -reasons)]?.[0] ?? null)
}
