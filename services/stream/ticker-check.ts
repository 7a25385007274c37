import { ONE_E4, type PriceE4 } from '../numbers/decimal.ts'
import { type BookArena, NO, YES } from '../orderbook/arena.ts'

/** Best prices of both outcomes in ten-thousandths of a dollar; -1 on an empty side. */
export interface BestPrices {
  yesBid: PriceE4
  yesAsk: PriceE4
  noBid: PriceE4
  noAsk: PriceE4
}

export type TickerFault = 'out_of_bounds' | 'bid_not_below_ask' | 'not_complementary'

/** Returns why prices must not go out as a ticker; null when they may. */
export function tickerFault(best: BestPrices): TickerFault | null {
  const { yesBid, yesAsk, noBid, noAsk } = best
  for (const price of [yesBid, yesAsk, noBid, noAsk])
    if (!Number.isInteger(price) || price < -1 || price > ONE_E4) return 'out_of_bounds'
  if (!complementary(yesBid, noAsk) || !complementary(noBid, yesAsk)) return 'not_complementary'
  return inOrder(yesBid, yesAsk) && inOrder(noBid, noAsk) ? null : 'bid_not_below_ask'
}

/** Returns the best prices of a book, as a ticker tells them. */
export function bestPrices(arena: BookArena, slot: number): BestPrices {
  const yesBid = arena.priceAt(slot, YES, 0)
  const noBid = arena.priceAt(slot, NO, 0)
  return {
    yesBid,
    noBid,
    yesAsk: noBid < 0 ? -1 : ONE_E4 - noBid,
    noAsk: yesBid < 0 ? -1 : ONE_E4 - yesBid
  }
}

/** Who bids for one outcome asks the rest of a dollar for the other. */
function complementary(bid: PriceE4, otherAsk: PriceE4): boolean {
  return bid < 0 ? otherAsk < 0 : bid + otherAsk === ONE_E4
}

function inOrder(bid: PriceE4, ask: PriceE4): boolean {
  return bid < 0 || ask < 0 || bid < ask
}
