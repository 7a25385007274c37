import { formatPrice, formatSize, ONE_E4 } from '../../services/numbers/decimal.ts'
import { BookArena, NO, YES } from '../../services/orderbook/arena.ts'
import { bookHash } from '../../services/polymarket/hash.ts'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { cyclicChanges } from '../synthetic/changes.ts'
import { DEEP_LEVELS, polymarketIds } from '../synthetic/polymarket.ts'

const START_MS = 1_795_000_002_204
const FACTS = { minOrderSize: '5', tickSize: '0.001', negRisk: false, lastTradePrice: '0.500' }

/** Price changes with the hashes and best prices that the venue would give them, and each market's book before. */
export interface ProvableStream {
  /** REST books, one a market: what a book can be proved by is learnt from them. */
  books: object[]
  frames: Buffer[]
}

/** Returns `count` price changes of `markets` deep books, each told for both tokens. */
export function provableStream(count: number, markets: number): ProvableStream {
  const arena = new BookArena(markets, markets * 1_024)
  const ids = Array.from({ length: markets }, (_, index) => polymarketIds(index))
  const inputs = (market: number, outcome: 0 | 1, atMs: number) => {
    const { conditionId, yes, no } = ids[market] as (typeof ids)[number]
    return { market: conditionId, assetId: outcome === YES ? yes : no, timestamp: String(atMs), ...FACTS }
  }
  const books = ids.map(({ conditionId, yes }, market) => {
    fillArena(arena, market, syntheticBook(market, DEEP_LEVELS))
    const side = (outcome: 0 | 1, priceOf: (price: number) => number) =>
      Array.from({ length: arena.count(market, outcome) }, (_, i) => {
        const depth = arena.count(market, outcome) - 1 - i
        const price = formatPrice(priceOf(arena.priceAt(market, outcome, depth)))
        return { price, size: formatSize(arena.sizeAt(market, outcome, depth)) }
      })
    return {
      market: conditionId,
      asset_id: yes,
      timestamp: String(START_MS),
      hash: bookHash(arena, market, YES, inputs(market, YES, START_MS)),
      bids: side(YES, (price) => price),
      asks: side(NO, (price) => ONE_E4 - price),
      min_order_size: FACTS.minOrderSize,
      tick_size: FACTS.tickSize,
      neg_risk: FACTS.negRisk,
      last_trade_price: FACTS.lastTradePrice
    }
  })
  const frames = cyclicChanges(count, markets, DEEP_LEVELS).map(({ market, outcome, price, after }, i) => {
    const atMs = START_MS + 1 + i
    const { conditionId, yes, no } = ids[market] as (typeof ids)[number]
    arena.setLevel(market, outcome, price, after)
    const element = (asset: string, of: 0 | 1) => {
      const own = of === outcome ? price : ONE_E4 - price
      const bestBid = formatPrice(Math.max(0, arena.priceAt(market, of, 0)))
      const otherBid = arena.priceAt(market, of === YES ? NO : YES, 0)
      const bestAsk = formatPrice(otherBid < 0 ? ONE_E4 : ONE_E4 - otherBid)
      return (
        `{"asset_id":"${asset}", "price":"${formatPrice(own)}", "size":"${formatSize(after)}", ` +
        `"side":"${of === outcome ? 'BUY' : 'SELL'}", "hash":"${bookHash(arena, market, of, inputs(market, of, atMs))}", ` +
        `"best_bid":"${bestBid}", "best_ask":"${bestAsk}"}`
      )
    }
    return Buffer.from(
      `{"market":"${conditionId}", "price_changes":[${element(yes, YES)}, ${element(no, NO)}], ` +
        `"timestamp":"${atMs}", "event_type":"price_change"}`
    )
  })
  return { books, frames }
}
