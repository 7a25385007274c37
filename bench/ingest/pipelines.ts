import { AuditHistory } from '../../services/integrity/audit-history.ts'
import { KalshiBooks } from '../../services/kalshi/books.ts'
import { ONE_E4 } from '../../services/numbers/decimal.ts'
import { NO, type Outcome, YES } from '../../services/orderbook/arena.ts'
import { PolymarketBooks } from '../../services/polymarket/books.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import type { Counters } from '../../services/venue/counters.ts'
import {
  type NaiveBooks,
  NaiveKalshiBooks,
  NaivePolymarketBooks,
  type NaiveSide
} from '../peers/naive-books.ts'
import { kalshiSnapshot, kalshiTicker } from '../synthetic/kalshi.ts'
import { kalshiMarket, polymarketMarket } from '../synthetic/market.ts'
import { polymarketBook, polymarketIds } from '../synthetic/polymarket.ts'

export type BenchVenue = 'kalshi' | 'polymarket'

/** The product's store with its books, fed through the product's own decoder, with one consumer on its bus. */
export interface ProductPipeline {
  store: SnapshotStore
  counters: Counters
  apply: (frame: Buffer, receivedAtMs: number) => void
  /** Slot of each synthetic market. */
  slots: Int32Array
}

/** How often the consumer takes the changed markets, as a ticker that is sent in cohorts does. */
const DRAIN_EVERY_MS = 50
/** Runs of 64, 128 and 256 levels for each side: the longest has 230 and may have grown to that. */
const LEVELS_A_MARKET = 1_024

/** Of 1,000 markets audited once a minute, those watched for the 16 seconds before they are read. */
export const WATCHED_PERCENT = 27

export interface ProductOptions {
  useScanner?: boolean
  /** Watches as many books as audits do at any time, busy and quiet ones alike. */
  isAudited?: boolean
}

/** Returns the product with the synthetic markets in it, each with its first snapshot. */
export function productPipeline(
  venue: BenchVenue,
  markets: number,
  { useScanner = true, isAudited = false }: ProductOptions = {}
): ProductPipeline {
  const store = new SnapshotStore({ capacityMarkets: markets, capacityLevels: markets * LEVELS_A_MARKET })
  const slots = new Int32Array(markets)
  const put = (market: Parameters<SnapshotStore['put']>[0], index: number) => {
    const record = store.put(market, '')
    if (record === null) throw new Error('the table is full')
    slots[index] = record.slot
    return record.slot
  }
  const consumer = store.consume()
  setInterval(() => consumer.drain(() => {}), DRAIN_EVERY_MS)
  if (venue === 'kalshi') {
    const books = new KalshiBooks({ table: store.books, useScanner })
    const connection = books.connection({ startAnywhere: true })
    const steadyNow = performance.now.bind(performance)
    const history = new AuditHistory({ table: store.books, capacity: markets, steadyNow })
    for (let i = 0; i < markets; i++) {
      books.follow(kalshiTicker(i), put(kalshiMarket(i), i))
      books.apply(Buffer.from(kalshiSnapshot(i)), Date.now(), connection)
      if (isAudited && (i * 61) % 100 < WATCHED_PERCENT) history.watch(slots[i] as number, steadyNow())
    }
    return {
      store,
      slots,
      counters: books.counters,
      apply: (frame, at) => books.apply(frame, at, connection)
    }
  }
  const books = new PolymarketBooks({ table: store.books })
  for (let i = 0; i < markets; i++) {
    const { yes, no } = polymarketIds(i)
    books.follow(yes, put(polymarketMarket(i), i), no)
    books.apply(Buffer.from(polymarketBook(i)), Date.now())
  }
  return { store, slots, counters: books.counters, apply: (frame, at) => books.apply(frame, at) }
}

/** Returns the naive program with the same books. */
export function naivePipeline(venue: BenchVenue, markets: number): NaiveBooks {
  const naive = venue === 'kalshi' ? new NaiveKalshiBooks() : new NaivePolymarketBooks()
  const snapshot = venue === 'kalshi' ? kalshiSnapshot : (index: number) => polymarketBook(index)
  for (let i = 0; i < markets; i++) naive.apply(snapshot(i))
  return naive
}

/** Returns how many of the product's books differ from the naive ones by a level or a size. */
export function differingBooks(venue: BenchVenue, product: ProductPipeline, naive: NaiveBooks): number {
  let differing = 0
  product.slots.forEach((slot, index) => {
    const book = naive.books.get(venue === 'kalshi' ? kalshiTicker(index) : polymarketIds(index).yes)
    const equal =
      book !== undefined &&
      isSameSide(product.store, slot, YES, book.bids, false) &&
      isSameSide(product.store, slot, NO, book.asks, venue === 'polymarket')
    if (!equal || product.store.books.verdicts.state(slot) !== 'live') differing++
  })
  return differing
}

function isSameSide(
  { books: { arena } }: SnapshotStore,
  slot: number,
  outcome: Outcome,
  naive: NaiveSide,
  isAsk: boolean
): boolean {
  if (arena.count(slot, outcome) !== naive.size) return false
  for (const [price, size] of naive) {
    const own = Math.round(Number(price) * ONE_E4)
    const found = arena.sizeOf(slot, outcome, isAsk ? ONE_E4 - own : own)
    if (found !== Math.round(size * 1_000_000)) return false
  }
  return true
}
