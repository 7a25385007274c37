import { formatPrice, formatSize, ONE_E4 } from '../../services/numbers/decimal.ts'
import { createRandom } from '../../simulator/model/random.ts'
import { type LevelRange, type SyntheticBook, syntheticBook } from './book.ts'
import { cyclicChanges } from './changes.ts'
import { encodeCycle, type FrameCycle } from './frame-cycle.ts'

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
    `"hash":"${createRandom(index + 1).hex(40)}", "timestamp":"1795000002204", "event_type":"book"}`
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

/** Returns a cycle of `count` price changes, each told for both tokens as the venue does. */
export function polymarketChanges(count: number, markets: number): FrameCycle {
  const ids = Array.from({ length: markets }, (_, index) => polymarketIds(index))
  const random = createRandom(count)
  const texts = cyclicChanges(count, markets, DEEP_LEVELS).map(({ market, outcome, price, after }, i) => {
    const { conditionId, yes, no } = ids[market] as PolymarketIds
    const size = formatSize(after)
    // A bid for NO at p is an ask for YES at 1 - p.
    const own = { price: outcome === 0 ? price : ONE_E4 - price, side: outcome === 0 ? 'BUY' : 'SELL' }
    const other = { price: ONE_E4 - own.price, side: outcome === 0 ? 'SELL' : 'BUY' }
    const element = (asset: string, { price, side }: typeof own) =>
      `{"asset_id":"${asset}", "price":"${formatPrice(price)}", "size":"${size}", "side":"${side}", ` +
      `"hash":"${random.hex(40)}", "best_bid":"0.42", "best_ask":"0.43"}`
    return (
      `{"market":"${conditionId}", "price_changes":[${element(yes, own)}, ${element(no, other)}], ` +
      `"timestamp":"${1_795_000_002_204 + i}", "event_type":"price_change"}`
    )
  })
  return encodeCycle(texts)
}
