import type { VerdictState } from '../../integrity/verdict.ts'
import type { SnapshotRecord } from '../records.ts'

/** With these the book itself is in doubt; a market that is halted or has ended is no reason to doubt its book. */
const IN_DOUBT: readonly VerdictState[] = ['syncing', 'stale', 'suspect']
/** How old a REST answer may be when it comes: what audits allow it. */
const ANSWER_AGE_MAX_MS = 16_000

/**
 * Returns the snapshot to serve as the latest: the newest that is not in doubt, whichever its source, else the newest.
 * A REST answer counts as newer than a streamed book only where it is even if it came from a cache. Undefined when
 * there is none.
 */
export function newestProven(snapshots: readonly SnapshotRecord[]): SnapshotRecord | undefined {
  return [...snapshots].sort((a, b) => doubt(a) - doubt(b) || knownAtMs(b) - knownAtMs(a))[0]
}

function doubt({ state }: SnapshotRecord): number {
  return IN_DOUBT.includes(state) ? 1 : 0
}

/** The latest time of which a snapshot certainly speaks. */
function knownAtMs({ source, atMs }: SnapshotRecord): number {
  return source === 'poll' ? atMs - ANSWER_AGE_MAX_MS : atMs
}
