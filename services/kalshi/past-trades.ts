import type { TradeNote } from '../venue/wire-tap.ts'
import { BLOCK_TRADE, parseRestTrade } from './parse-trade.ts'
import type { KalshiRest } from './rest.ts'

/**
 * Returns the trades of a market on its book from `fromMs` up to, not including, `toMs` by the venue's clock, oldest
 * first. One that is not understood is left out.
 *
 * @throws {VenueRestError} when they could not be asked for
 */
export async function fetchPastTrades(
  rest: Pick<KalshiRest, 'trades'>,
  ticker: string,
  fromMs: number,
  toMs: number,
  now: () => number
): Promise<TradeNote[]> {
  const found = new Map<string | null, TradeNote>()
  for await (const page of rest.trades(ticker, fromMs, toMs))
    for (const one of page) {
      const trade = parseRestTrade(one, now())
      if (trade === null || trade === BLOCK_TRADE) continue
      const atMs = trade.venueTimeMs ?? Number.NaN
      if (atMs >= fromMs && atMs < toMs) found.set(trade.tradeId, trade)
    }
  // The venue lists the newest first, and those of one moment keep that order.
  return [...found.values()].reverse().sort((a, b) => (a.venueTimeMs ?? 0) - (b.venueTimeMs ?? 0))
}
