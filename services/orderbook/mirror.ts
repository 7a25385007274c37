import { formatScaled, ONE_E4, PRICE_DECIMALS, parsePriceE4 } from '../numbers/decimal.ts'
import type { DepthView, Level } from './depth.ts'

/** Returns the other outcome's view of a book: a bid at `p` is its ask at `1 - p` with the same size. */
export function mirror(view: DepthView): DepthView {
  return { bids: view.asks.map(mirrorLevel), asks: view.bids.map(mirrorLevel) }
}

function mirrorLevel({ price, size }: Level): Level {
  return { price: formatScaled(ONE_E4 - parsePriceE4(price), PRICE_DECIMALS), size }
}
