import type { BookTable } from '../../services/integrity/book-table.ts'
import type { Counters } from '../../services/venue/counters.ts'
import type { SimMarket } from '../../simulator/model/types.ts'

/** The books of one venue, read in one of the two ways. */
export interface Twin {
  readonly table: BookTable
  readonly counters: Counters
  apply(frame: Buffer): void
  /** Starts a connection anew: every book waits for its snapshot. */
  reconnect(): void
}

/** A frame of the simulator's; `heals` marks a snapshot that a book asked for. */
export interface RealFrame {
  text: string
  heals: boolean
}

/** Books that asked for a snapshot wait for so many frames, or there would be little else than snapshots. */
export const PATIENCE_FRAMES = 24

/** One venue's frames, and its books twice: with the scanner, and with the generic parser alone. Slots are in the order of the markets. */
export interface Source {
  readonly twins: [Twin, Twin]
  /** Returns the next real frame: some changes, then the snapshots that the books have asked for since. */
  next(): RealFrame
  /** Reconnects both and returns the frames that start every book anew. */
  heal(): string[]
  trueBooks(): SimMarket[]
}
