import { formatPrice, formatScaled, formatSize, ONE_E4 } from '../numbers/decimal.ts'
import { type BookArena, NO, type Outcome, YES } from './arena.ts'

/** The top of one outcome's book as decimal text; null on an empty side, never 0. */
export interface Quote {
  bestBid: string | null
  bestBidSize: string | null
  bestAsk: string | null
  bestAskSize: string | null
  mid: string | null
  spread: string | null
}

/** Returns the quote of an outcome: its own bids, and the other outcome's bids seen as its asks. */
export function getQuote(arena: BookArena, slot: number, outcome: Outcome): Quote {
  const other = outcome === YES ? NO : YES
  const bid = arena.priceAt(slot, outcome, 0)
  const otherBid = arena.priceAt(slot, other, 0)
  const ask = otherBid < 0 ? -1 : ONE_E4 - otherBid
  const both = bid >= 0 && ask >= 0
  return {
    bestBid: bid < 0 ? null : formatPrice(bid),
    bestBidSize: bid < 0 ? null : formatSize(arena.sizeAt(slot, outcome, 0)),
    bestAsk: ask < 0 ? null : formatPrice(ask),
    bestAskSize: ask < 0 ? null : formatSize(arena.sizeAt(slot, other, 0)),
    // Half a tick is exact with one more decimal.
    mid: both ? formatScaled((bid + ask) * 5, 5) : null,
    spread: both ? formatScaled(ask - bid, 4) : null
  }
}
