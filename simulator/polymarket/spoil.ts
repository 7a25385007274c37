import type { FaultPlace, Faults } from '../faults.ts'
import { bestPrice } from '../model/book.ts'
import type { LevelChange, SimMarket } from '../model/types.ts'

const SIZE = /"size":"([^".]*)[^"]*"/g

/** Returns a `price_change` frame as the faults that are on at this place leave it. */
export function spoilPriceChange(text: string, faults: Faults, place: FaultPlace): string {
  let spoilt = text
  if (faults.consume('polymarket', 'renamed_field', place)) spoilt = spoilt.replaceAll('"size":', '"amount":')
  if (faults.consume('polymarket', 'too_many_decimals', place)) {
    spoilt = spoilt.replace(SIZE, '"size":"$1.123456789"')
  }
  if (faults.consume('polymarket', 'negative_level', place)) spoilt = spoilt.replace(SIZE, '"size":"-5"')
  if (faults.consume('polymarket', 'extra_field', place)) {
    spoilt = spoilt
      .replace('{', '{"liquidity_hint":{"tiers":[1,null,"x"]}, ')
      .replaceAll('{"asset_id":', '{"maker_tier":[2], "asset_id":')
  }
  if (faults.consume('polymarket', 'unknown_ids', place)) {
    spoilt = spoilt
      .replace(/"market":"0x[0-9a-f]*"/, `"market":"0x${'0'.repeat(64)}"`)
      .replaceAll(/"asset_id":"(\d)\d*"/g, `"asset_id":"$1${'0'.repeat(75)}"`)
  }
  return spoilt
}

/** Returns a bid at the best ask that the true book does not hold; null where there is no ask to cross. */
export function crossingChange(market: SimMarket): LevelChange | null {
  const ask = bestPrice(market.book, 'ask')
  return ask === undefined ? null : { side: 'bid', priceE4: ask, sizeE6: 7_000_000, changeE6: 7_000_000 }
}
