import type { VerdictState } from '../../integrity/verdict.ts'
import type { SnapshotRecord } from '../records.ts'

/** With these the book itself is in doubt; a market that is halted or has ended is no reason to doubt its book. */
const IN_DOUBT: readonly VerdictState[] = ['syncing', 'stale', 'suspect']

/**
 * Returns the snapshot to serve as the latest: the newest that is not in doubt, whichever its source, else the newest.
 * Undefined when there is none.
 */
export function newestProven(snapshots: readonly SnapshotRecord[]): SnapshotRecord | undefined {
  return [...snapshots].sort((a, b) => doubt(a) - doubt(b) || b.atMs - a.atMs || stream(b) - stream(a))[0]
}

function doubt({ state }: SnapshotRecord): number {
  return IN_DOUBT.includes(state) ? 1 : 0
}

function stream({ source }: SnapshotRecord): number {
  return source === 'websocket' ? 1 : 0
}
