import type { LevelList } from '../orderbook/levels.ts'
import type { Explanation } from './audit-tally.ts'
import type { BookTable } from './book-table.ts'
import type { Incidents } from './incidents.ts'

/** How an audit ended: `wrong` after two reads in a row that nothing explains. */
export type AuditResult = 'equal' | Explanation | 'wrong'

/** Takes a book that was read; the lists hold ascending prices and may be reused after the call. */
export type TakeRead = (slot: number, yes: LevelList, no: LevelList) => void

export interface AuditorOptions {
  venue: string
  table: BookTable
  /** Slots whose books are streamed now, live or not. */
  slots: () => Iterable<number>
  /** The market of a slot; null where it has none any more. A slot that changes hands is noticed by it. */
  marketId: (slot: number) => string | null
  /**
   * Reads these books from a source that is independent of the stream, and gives each one that it could have. Rejects
   * when the read failed as a whole; the books are then read again later.
   */
  read: (slots: readonly number[], take: TakeRead) => Promise<void>
  /** Books in one read, as things are now. */
  booksPerRead: () => number
  /** At least this long between the starts of two reads: the venue's limit. */
  readEveryMs?: number
  /** Every live book is compared once in this time, where the venue's limit lets us. */
  periodMs: number
  /** How old a read may be when it comes. */
  leadMs?: number
  /** How long a read may be ahead of the stream. */
  aheadMs?: number
  /**
   * This book is proven wrong; it is `suspect` with `audit_mismatch` already. Get a fresh snapshot: `resynced` takes
   * the reason back. `attempt` counts how often in a row it was proven wrong, from 1: do more each time.
   */
  repair: (slot: number, attempt: number) => void
  incidents: Incidents
  now?: () => number
  /** Never jumps: for durations only. */
  steadyNow?: () => number
  random?: () => number
}
