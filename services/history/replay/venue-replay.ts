import type { MarketRecord } from '../../snapshots/market-record.ts'
import type { JournalRecord } from '../journal/record.ts'

/** Drives the books of one venue with what its journal holds. */
export interface VenueReplay {
  /** The store knows this market, newly or otherwise than before. */
  put(market: MarketRecord): void
  /** The store is about to forget this market. */
  remove(market: MarketRecord): void
  /** Takes a record that is not about a market. */
  take(record: JournalRecord): void
  /** Does what was due until then. */
  settle(atMs: number): void
}
