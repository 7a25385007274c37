import type { PriceE4, SizeE6, TrueBook } from '../model/types.ts'

/** One level of a Kalshi bid list: price in that list's own terms. */
export type BidLevel = [PriceE4, SizeE6]

/** Which of Kalshi's two bid lists. */
export type BidSide = 'yes' | 'no'

/**
 * Returns a bid list in ascending price, best last, as both wires sort it. NO bids are the asks seen from the
 * other side: price 1 - ask.
 */
export function bidLevels(book: TrueBook, side: BidSide): BidLevel[] {
  if (side === 'yes') return [...book.bids].sort((a, b) => a[0] - b[0])
  return [...book.asks].map(([price, size]): BidLevel => [10_000 - price, size]).sort((a, b) => a[0] - b[0])
}

export interface Top {
  /** 0 where nobody bids YES. */
  bidE4: PriceE4
  bidSizeE6: SizeE6
  /** 10_000 where nobody bids NO. */
  askE4: PriceE4
  askSizeE6: SizeE6
}

/** Returns the best bid and ask in YES terms, with the prices that Kalshi prints for an empty side. */
export function topOf(book: TrueBook): Top {
  let bidE4 = 0
  for (const price of book.bids.keys()) if (price > bidE4) bidE4 = price
  let askE4 = 10_000
  for (const price of book.asks.keys()) if (price < askE4) askE4 = price
  return { bidE4, askE4, bidSizeE6: book.bids.get(bidE4) ?? 0, askSizeE6: book.asks.get(askE4) ?? 0 }
}
