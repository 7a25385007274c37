import type { LevelChange, PriceE4, Side, SizeE6, TrueBook } from './types.ts'

export type Level = [priceE4: PriceE4, sizeE6: SizeE6]

export function createBook(): TrueBook {
  return { bids: new Map(), asks: new Map() }
}

/** Returns the best price of a side, undefined when nothing rests there. */
export function bestPrice(book: TrueBook, side: Side): PriceE4 | undefined {
  let best: PriceE4 | undefined
  if (side === 'bid') {
    for (const price of book.bids.keys()) if (best === undefined || price > best) best = price
  } else {
    for (const price of book.asks.keys()) if (best === undefined || price < best) best = price
  }
  return best
}

/** Returns the levels of a side, best first. */
export function sortedLevels(book: TrueBook, side: Side): Level[] {
  if (side === 'bid') return [...book.bids].sort((a, b) => b[0] - a[0])
  return [...book.asks].sort((a, b) => a[0] - b[0])
}

/** Sets the total resting at a price (0 removes the level) and returns what changed. */
export function setLevel(book: TrueBook, side: Side, priceE4: PriceE4, sizeE6: SizeE6): LevelChange {
  const levels = side === 'bid' ? book.bids : book.asks
  const before = levels.get(priceE4) ?? 0
  if (sizeE6 < 0) throw new RangeError(`size ${sizeE6} at ${priceE4} is negative`)
  if (sizeE6 === 0) levels.delete(priceE4)
  else levels.set(priceE4, sizeE6)
  return { side, priceE4, sizeE6, changeE6: sizeE6 - before }
}

/** Returns true when a bid meets or passes an ask. */
export function isCrossed(book: TrueBook): boolean {
  const bid = bestPrice(book, 'bid')
  const ask = bestPrice(book, 'ask')
  return bid !== undefined && ask !== undefined && bid >= ask
}
