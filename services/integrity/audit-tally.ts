import type { SidePollStatus } from './side-polls.ts'

/** Why a read that differs from the book proves nothing against it, or what proved nothing either way. */
export const EXPLANATIONS = [
  /** The read is of an earlier version: it came from a cache, or lags. */
  'cached',
  /** The book became what was read a moment later. */
  'ahead',
  /** More versions went by than are kept. */
  'too_busy',
  /** The book changed within the time that the read may be old, before anybody kept its versions. */
  'too_young',
  /** The venue gave no book: the market is gone, or it has none. */
  'not_read',
  /** Meanwhile the book was no longer live, or another market's. */
  'not_live'
] as const
export type Explanation = (typeof EXPLANATIONS)[number]

/** Times since the last comparisons, milliseconds. */
export interface AuditAges {
  p50: number
  p99: number
  max: number
}

export interface AuditStatus {
  /** Books that are to be audited now. */
  books: number
  equal: number
  explained: Record<Explanation, number>
  /** Reads that nothing explains, first and second ones. */
  mismatch: number
  /** Books that two reads in a row contradicted. */
  confirmed: number
  /** Reads that failed as a whole. */
  failedReads: number
  /** Reads beside the stream that no audit asked for. */
  polls: SidePollStatus
  /** Time since the last comparison of each audited book; null where there is none yet. */
  ageMs: AuditAges | null
}

/** Counts how audits ended. */
export class AuditTally {
  equal = 0
  mismatch = 0
  confirmed = 0
  failedReads = 0
  readonly explained = Object.fromEntries(EXPLANATIONS.map((one) => [one, 0])) as Record<Explanation, number>

  counts(): Omit<AuditStatus, 'books' | 'ageMs' | 'polls'> {
    const { equal, mismatch, confirmed, failedReads, explained } = this
    return { equal, explained: { ...explained }, mismatch, confirmed, failedReads }
  }
}

/** Returns what is typical of these ages, which it sorts; null where there are none. */
export function agesOf(ages: Float64Array): AuditAges | null {
  const sorted = ages.sort()
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] as number
  return sorted.length === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) }
}
