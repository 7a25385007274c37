import { formatPrice, formatSize, ONE_E4 } from '../../services/numbers/decimal.ts'
import { NO, type Outcome, YES } from '../../services/orderbook/arena.ts'
import { bookHash } from '../../services/polymarket/hash.ts'
import {
  deepBooks,
  type PolymarketIds,
  polymarketIds,
  priceChanges,
  START_MS
} from '../synthetic/polymarket.ts'

const FACTS = { minOrderSize: '5', tickSize: '0.001', negRisk: false, lastTradePrice: '0.500' }

/** Price changes with the hashes and best prices that the venue would give them, and each market's book before. */
export interface ProvableStream {
  /** REST books, one a market: what a book can be proved by is learnt from them. */
  books: object[]
  frames: Buffer[]
}

/** Returns `count` price changes of `markets` deep books, each told for both tokens. */
export function provableStream(count: number, markets: number): ProvableStream {
  const arena = deepBooks(markets)
  const ids = Array.from({ length: markets }, (_, index) => polymarketIds(index))
  const hashOf = (market: number, token: Outcome, atMs: number) => {
    const { conditionId, yes, no } = ids[market] as PolymarketIds
    const asked = { market: conditionId, assetId: token === YES ? yes : no, timestamp: String(atMs) }
    return bookHash(arena, market, token, { ...asked, ...FACTS })
  }
  const books = ids.map(({ conditionId, yes }, market) => {
    const side = (outcome: Outcome, priceOf: (price: number) => number) =>
      Array.from({ length: arena.count(market, outcome) }, (_, i) => {
        const depth = arena.count(market, outcome) - 1 - i
        const price = formatPrice(priceOf(arena.priceAt(market, outcome, depth)))
        return { price, size: formatSize(arena.sizeAt(market, outcome, depth)) }
      })
    return {
      market: conditionId,
      asset_id: yes,
      timestamp: String(START_MS),
      hash: hashOf(market, YES, START_MS),
      bids: side(YES, (price) => price),
      asks: side(NO, (price) => ONE_E4 - price),
      min_order_size: FACTS.minOrderSize,
      tick_size: FACTS.tickSize,
      neg_risk: FACTS.negRisk,
      last_trade_price: FACTS.lastTradePrice
    }
  })
  return { books, frames: priceChanges(count, markets, arena, hashOf).map((text) => Buffer.from(text)) }
}
