import { parseSizeE6 } from '../numbers/decimal.ts'
import type { VenueCandle } from '../venue/port.ts'
import { isObject, isPresent, numeral, priceOf, secondsToMs } from './parse.ts'

export const CANDLE_MS = 60_000

const BAR = ['open_dollars', 'high_dollars', 'low_dollars', 'close_dollars'] as const

/**
 * Returns a candle of one minute as `/markets/candlesticks` gives it, or null when it is not what the protocol says. Its
 * time is that of the end; without a trade its price holds no more than that of the one before.
 */
export function parseCandle(value: unknown, marketId: string): VenueCandle | null {
  if (!isObject(value)) return null
  const endMs = secondsToMs(value.end_period_ts)
  const bid = barOf(value.yes_bid)
  const ask = barOf(value.yes_ask)
  const hasTrades = isObject(value.price) && isPresent(value.price.close_dollars)
  const price = hasTrades ? barOf(value.price) : null
  const volume = parseSizeE6(numeral(value.volume_fp))
  if (endMs === null || endMs % CANDLE_MS !== 0 || bid === null || ask === null) return null
  if ((hasTrades && price === null) || Number.isNaN(volume)) return null
  return { marketId, fromMs: endMs - CANDLE_MS, bid, ask, price, volume }
}

function barOf(value: unknown): VenueCandle['bid'] | null {
  if (!isObject(value)) return null
  const [open, high, low, close] = BAR.map((name) => priceOf(value[name])) as [number, number, number, number]
  return [open, high, low, close].some(Number.isNaN) ? null : { open, high, low, close }
}
