import type { Market, MarketAggregate } from '../../schemas/market.ts'
import type { VerdictBody } from '../../schemas/verdict.ts'
import { getAggregate } from '../snapshots/aggregate.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'

/** What the cache holds, as MessagePack: the same names and the same exact decimal text as in the REST answers. */

/** Under `market:{venue}:{id}`. */
export interface CachedMarket {
  market: Market
  rules: string
}

/** Under `orderbook:{venue}:{id}`: every level. */
export interface CachedBook {
  id: string
  orderBook: MarketAggregate['orderBook']
  verdict: VerdictBody
  lastUpdatedMs: number | null
}

/** Under `price:{venue}:{id}`. */
export interface CachedPrice {
  id: string
  quotes: MarketAggregate['quotes']
  verdict: VerdictBody
  lastUpdatedMs: number | null
}

/** Deeper than any book of tick-sized levels. */
const EVERY_LEVEL = 10_001

export function cachedMarket({ market, rules }: MarketRecord): CachedMarket {
  return { market, rules }
}

/** Returns a market's book and its prices, from one look at it. */
export function cachedBookAndPrice(
  store: SnapshotStore,
  record: MarketRecord
): { book: CachedBook; price: CachedPrice } {
  const { id, orderBook, quotes, verdict, lastUpdatedMs } = getAggregate(store, record, EVERY_LEVEL)
  return {
    book: { id, orderBook, verdict, lastUpdatedMs },
    price: { id, quotes, verdict, lastUpdatedMs }
  }
}
