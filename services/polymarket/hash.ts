import { createHash } from 'node:crypto'
import { formatPrice, formatSize, ONE_E4 } from '../numbers/decimal.ts'
import { type BookArena, NO, type Outcome, YES } from '../orderbook/arena.ts'

/** What goes into a book's hash besides its levels; texts exactly as the venue prints them. */
export interface HashInputs {
  /** The market's condition id. */
  market: string
  /** Of the outcome that is hashed. */
  assetId: string
  /** Of the message that carries the hash. */
  timestamp: string
  minOrderSize: string
  tickSize: string
  negRisk: boolean
  /** The market's last trade with three decimals, the same for both outcomes; empty if it never traded. */
  lastTradePrice: string
}

/**
 * Returns the hash that the venue gives an outcome's book: SHA-1, in hex, of its compact JSON with an empty `hash`.
 * The complement's is that of the mirrored book, so one book proves both.
 * @see the protocol page, 7.2; recordings of 2026 confirm it, those of 2024 use an older set of fields
 */
export function bookHash(arena: BookArena, slot: number, outcome: Outcome, inputs: HashInputs): string {
  const { market, assetId, timestamp, minOrderSize, tickSize, negRisk, lastTradePrice } = inputs
  const summary = {
    market,
    asset_id: assetId,
    timestamp,
    hash: '',
    bids: levelsOf(arena, slot, outcome, (price) => price),
    asks: levelsOf(arena, slot, outcome === YES ? NO : YES, (price) => ONE_E4 - price),
    min_order_size: minOrderSize,
    tick_size: tickSize,
    neg_risk: negRisk,
    last_trade_price: lastTradePrice
  }
  return createHash('sha1').update(JSON.stringify(summary)).digest('hex')
}

/** A side's levels, worst first as the venue lists them. */
function levelsOf(arena: BookArena, slot: number, outcome: Outcome, priceOf: (price: number) => number) {
  const levels: { price: string; size: string }[] = []
  for (let depth = arena.count(slot, outcome) - 1; depth >= 0; depth--) {
    const price = formatPrice(priceOf(arena.priceAt(slot, outcome, depth)))
    levels.push({ price, size: formatSize(arena.sizeAt(slot, outcome, depth)) })
  }
  return levels
}
