import { formatPrice, formatSize, ONE_E4 } from '../numbers/decimal.ts'
import { type BookArena, NO, type Outcome, YES } from './arena.ts'

/** One price and the total size resting there, as canonical decimal text. */
export interface Level {
  price: string
  size: string
}

export interface DepthView {
  bids: Level[]
  asks: Level[]
}

/** Returns the best `depth` levels of each side in an outcome's own terms, best first. */
export function getDepth(arena: BookArena, slot: number, depth: number, outcome: Outcome = YES): DepthView {
  const other = outcome === YES ? NO : YES
  const bids: Level[] = []
  const asks: Level[] = []
  for (let i = 0; i < Math.min(depth, arena.count(slot, outcome)); i++) {
    const size = formatSize(arena.sizeAt(slot, outcome, i))
    bids.push({ price: formatPrice(arena.priceAt(slot, outcome, i)), size })
  }
  for (let i = 0; i < Math.min(depth, arena.count(slot, other)); i++) {
    const size = formatSize(arena.sizeAt(slot, other, i))
    asks.push({ price: formatPrice(ONE_E4 - arena.priceAt(slot, other, i)), size })
  }
  return { bids, asks }
}
