import type { VenueCandle } from '../venue/port.ts'
import { isObject } from './parse.ts'
import { CANDLE_MS, parseCandle } from './parse-candle.ts'
import { marketId } from './parse-market.ts'
import type { KalshiRest } from './rest.ts'
import { chunksOf, TICKERS_PER_REQUEST } from './urls.ts'

/** Candles in one answer, of all its markets. */
const CANDLES_PER_ANSWER = 10_000
const CANDLES_PER_MARKET = CANDLES_PER_ANSWER / TICKERS_PER_REQUEST

/**
 * Returns the venue's candles of the minutes that a range touches. Minutes without a change may be left out by the
 * venue; one that is not understood is left out here.
 *
 * @throws {VenueRestError} when they could not be asked for
 */
export async function fetchPastCandles(
  rest: Pick<KalshiRest, 'candles'>,
  tickers: readonly string[],
  fromMs: number,
  toMs: number
): Promise<VenueCandle[]> {
  const found: VenueCandle[] = []
  const firstMs = Math.floor(fromMs / CANDLE_MS) * CANDLE_MS
  for (const chunk of chunksOf(tickers, TICKERS_PER_REQUEST)) {
    for (let atMs = firstMs; atMs < toMs; atMs += CANDLES_PER_MARKET * CANDLE_MS) {
      const endMs = Math.min(atMs + CANDLES_PER_MARKET * CANDLE_MS, Math.ceil(toMs / CANDLE_MS) * CANDLE_MS)
      // The venue goes by the ends of candles, both limits included.
      for (const one of await rest.candles(chunk, atMs + CANDLE_MS, endMs))
        found.push(...candlesOf(one, chunk))
    }
  }
  return found
}

function candlesOf(value: unknown, asked: readonly string[]): VenueCandle[] {
  if (!isObject(value) || typeof value.market_ticker !== 'string') return []
  const { market_ticker: ticker, candlesticks } = value
  if (!asked.includes(ticker) || !Array.isArray(candlesticks)) return []
  return candlesticks.map((one) => parseCandle(one, marketId(ticker))).filter((one) => one !== null)
}
