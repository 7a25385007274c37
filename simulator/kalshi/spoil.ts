import type { Faults } from '../faults.ts'
import type { LevelChange, SimMarket } from '../model/types.ts'
import { topOf } from './book.ts'

const SIZE = /"delta(_fp)?":("?)(-?\d+)(?:\.\d+)?"?/g

/** Returns the body of a book change as the faults that are on at this place leave it. */
export function spoilDelta(
  body: string,
  faults: Faults,
  place: { market: string; connection: number }
): string {
  let spoilt = body
  if (faults.consume('kalshi', 'renamed_field', place)) {
    spoilt = spoilt.replaceAll('"delta_fp":', '"change_fp":').replaceAll('"delta":', '"change":')
  }
  if (faults.consume('kalshi', 'too_many_decimals', place)) {
    spoilt = spoilt.replaceAll(SIZE, '"delta$1":$2$3.120000001$2')
  }
  if (faults.consume('kalshi', 'extra_field', place)) {
    spoilt = spoilt.replace('{', '{"liquidity_hint":{"tiers":[1,null,"x"]},')
  }
  if (faults.consume('kalshi', 'unknown_ids', place)) {
    spoilt = spoilt
      .replace(/"market_ticker":"[^"]*"/, '"market_ticker":"KXNOSUCH-00JAN01-T0"')
      .replace(/"market_id":"[^"]*"/, '"market_id":"00000000-0000-4000-8000-000000000000"')
  }
  return spoilt
}

/**
 * Returns a change that the true book does not hold and that crosses it, or null where there is no ask to
 * cross. The bid meets the best ask or passes it by one tick.
 */
export function crossingChange(market: SimMarket): LevelChange | null {
  const { askE4 } = topOf(market.book)
  if (market.book.asks.size === 0) return null
  const priceE4 = Math.min(askE4 + market.tickE4, 10_000 - market.tickE4)
  return addition(market, priceE4, 7_000_000)
}

/** Returns a change that takes one contract more from the best bid than rests there. */
export function overdrawingChange(market: SimMarket): LevelChange {
  const { bidE4, bidSizeE6 } = topOf(market.book)
  return addition(market, bidE4 === 0 ? 5_000 : bidE4, -bidSizeE6 - 1_000_000)
}

function addition(market: SimMarket, priceE4: number, changeE6: number): LevelChange {
  return { side: 'bid', priceE4, sizeE6: (market.book.bids.get(priceE4) ?? 0) + changeE6, changeE6 }
}
