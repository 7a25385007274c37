import type { VerdictState } from '../../integrity/verdict.ts'
import type { SnapshotRecord } from '../records.ts'

/** With these the book itself is in doubt; a market that is halted or has ended is no reason to doubt its book. */
const IN_DOUBT: readonly VerdictState[] = ['syncing', 'stale', 'suspect']
/** How old a REST answer may be when it comes: what audits allow it. */
const ANSWER_AGE_MAX_MS = 16_000
/**
 * A stream that fails is a row, a REST API that does not answer is none: an answer is recorded once a minute though it be
 * the same, so that where none is for longer, none came.
 */
const ANSWER_PROVES_MS = 120_000

export interface NewestSnapshot {
  snapshot: SnapshotRecord
  /** Its verdict was live, and nothing since makes it doubtful. */
  proven: boolean
}

/**
 * Returns the snapshot to serve as the latest: the newest that is not in doubt, whichever its source, else the newest.
 * A REST answer counts as newer than a streamed book only where it is even if it came from a cache, and is in doubt once
 * others should have followed it. Null when there is none.
 */
export function newestProven(snapshots: readonly SnapshotRecord[], nowMs: number): NewestSnapshot | null {
  const isInDoubt = ({ state, cause, atMs }: SnapshotRecord) =>
    IN_DOUBT.includes(state) || (cause === 'poll' && nowMs - atMs > ANSWER_PROVES_MS)
  const [snapshot] = [...snapshots].sort(
    (a, b) => Number(isInDoubt(a)) - Number(isInDoubt(b)) || knownAtMs(b) - knownAtMs(a)
  )
  return snapshot === undefined
    ? null
    : { snapshot, proven: snapshot.state === 'live' && !isInDoubt(snapshot) }
}

/** The latest time of which a snapshot certainly speaks. */
function knownAtMs({ source, atMs }: SnapshotRecord): number {
  return source === 'poll' ? atMs - ANSWER_AGE_MAX_MS : atMs
}
