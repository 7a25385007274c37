import { formatPrice, formatSize, ONE_E4 } from '../../services/numbers/decimal.ts'
import { BookArena, NO, type Outcome, YES } from '../../services/orderbook/arena.ts'
import { createRandom } from '../../simulator/model/random.ts'
import { fillArena, type LevelRange, type SyntheticBook, syntheticBook } from './book.ts'
import { cyclicChanges } from './changes.ts'
import { encodeCycle, type FrameCycle } from './frame-cycle.ts'

/** When the books were; each change is a millisecond later than the one before. */
export const START_MS = 1_795_000_002_204
/** Active markets are deep: a frame of such a book takes about 9 kB. */
export const DEEP_LEVELS: LevelRange = { min: 40, max: 230 }

export interface PolymarketIds {
  conditionId: string
  yes: string
  no: string
}

export function polymarketIds(index: number): PolymarketIds {
  const random = createRandom(index)
  return { conditionId: `0x${random.hex(64)}`, yes: random.digits(77), no: random.digits(77) }
}

/** Returns the `book` message of a market's first token, in the form that follows a match. */
export function polymarketBook(
  index: number,
  book: SyntheticBook = syntheticBook(index, DEEP_LEVELS)
): string {
  const { conditionId, yes } = polymarketIds(index)
  const [bids, asks] = book.sides.map(({ prices, sizes }, outcome) =>
    prices
      .map((price, i) => {
        const own = outcome === 0 ? price : ONE_E4 - price
        return `{"price":"${formatPrice(own)}", "size":"${formatSize(sizes[i] as number)}"}`
      })
      .reverse()
      .join(', ')
  )
  return (
    `{"market":"${conditionId}", "asset_id":"${yes}", "bids":[${bids}], "asks":[${asks}], ` +
    `"hash":"${createRandom(index + 1).hex(40)}", "timestamp":"${START_MS}", "event_type":"book"}`
  )
}

/** Returns a cycle of books: each market's book of another market and its own in turn, its own at last. */
export function polymarketBooks(count: number, markets: number): FrameCycle {
  const texts: string[] = []
  for (let i = 0; i < count; i++) {
    const market = i % markets
    const isLast = i >= count - markets
    texts.push(polymarketBook(market, syntheticBook(isLast ? market : i + markets, DEEP_LEVELS)))
  }
  return encodeCycle(texts)
}

/** Returns a cycle of `count` price changes, each told for both tokens as the venue does, with hashes of no book. */
export function polymarketChanges(count: number, markets: number): FrameCycle {
  const random = createRandom(count)
  return encodeCycle(priceChanges(count, markets, deepBooks(markets), () => random.hex(40)))
}

/** Returns an arena with the deep book of each market in the slot of its number. */
export function deepBooks(markets: number): BookArena {
  const arena = new BookArena(markets, markets * 1_024)
  for (let market = 0; market < markets; market++)
    fillArena(arena, market, syntheticBook(market, DEEP_LEVELS))
  return arena
}

/** Returns `count` price changes with the best prices that follow each; `hashOf` sees the arena after the change. */
export function priceChanges(
  count: number,
  markets: number,
  arena: BookArena,
  hashOf: (market: number, token: Outcome, atMs: number) => string
): string[] {
  const ids = Array.from({ length: markets }, (_, index) => polymarketIds(index))
  return cyclicChanges(count, markets, DEEP_LEVELS).map(({ market, outcome, price, after }, i) => {
    const atMs = START_MS + 1 + i
    const { conditionId, yes, no } = ids[market] as PolymarketIds
    arena.setLevel(market, outcome, price, after)
    const element = (asset: string, token: Outcome) => {
      // A bid for NO at p is an ask for YES at 1 - p.
      const own = token === outcome ? price : ONE_E4 - price
      const bestBid = Math.max(0, arena.priceAt(market, token, 0))
      const otherBid = arena.priceAt(market, token === YES ? NO : YES, 0)
      return (
        `{"asset_id":"${asset}", "price":"${formatPrice(own)}", "size":"${formatSize(after)}", ` +
        `"side":"${token === outcome ? 'BUY' : 'SELL'}", "hash":"${hashOf(market, token, atMs)}", ` +
        `"best_bid":"${formatPrice(bestBid)}", "best_ask":"${formatPrice(otherBid < 0 ? ONE_E4 : ONE_E4 - otherBid)}"}`
      )
    }
    return (
      `{"market":"${conditionId}", "price_changes":[${element(yes, YES)}, ${element(no, NO)}], ` +
      `"timestamp":"${atMs}", "event_type":"price_change"}`
    )
  })
}
