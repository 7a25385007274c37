import { ONE_E4 } from '../numbers/decimal.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import type { ParsedTrade } from './parse.ts'

/**
 * Returns a trade in YES terms, and a name that is the same whenever the venue tells of this trade, be it on the other
 * token. The venue gives trades no id, so two of one transaction with the same price and size pass for one.
 */
export function noteOfTrade(
  marketId: string,
  { price: own, size, side, timestampMs, transaction }: ParsedTrade,
  isMirrored: boolean,
  receivedAtMs: number
): { note: TradeNote; name: string } {
  const price = isMirrored ? ONE_E4 - own : own
  // Whoever sells one outcome has bought the other.
  const takerSide = side === null ? null : (side === 'BUY') !== isMirrored ? 'yes' : 'no'
  const note: TradeNote = {
    marketId,
    tradeId: null,
    venueTimeMs: timestampMs < 0 ? null : timestampMs,
    receivedAtMs,
    price,
    size,
    takerSide
  }
  return { note, name: `${marketId} ${transaction ?? timestampMs} ${price} ${size}` }
}
