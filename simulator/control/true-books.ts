import { type Level, sortedLevels } from '../model/book.ts'
import { priceText, sizeText } from '../model/decimal.ts'
import type { SimMarket } from '../model/types.ts'

/** The truth about one market, in canonical decimal text. */
export interface TrueBookView {
  marketId: string
  status: SimMarket['status']
  /** Polymarket: the tokens of the first and of the second outcome. */
  tokens?: [string, string]
  /** In YES terms, best first: price in dollars, size in contracts. */
  bids: [string, string][]
  asks: [string, string][]
}

export function viewTrueBook(market: SimMarket): TrueBookView {
  const texts = (levels: Level[]) =>
    levels.map(([price, size]): [string, string] => [priceText(price), sizeText(size)])
  return {
    marketId: market.id,
    status: market.status,
    ...(market.venue === 'polymarket' ? { tokens: market.tokens } : {}),
    bids: texts(sortedLevels(market.book, 'bid')),
    asks: texts(sortedLevels(market.book, 'ask'))
  }
}
