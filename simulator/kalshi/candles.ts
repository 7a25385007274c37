import type { SimMarket } from '../model/types.ts'
import { topOf } from './book.ts'
import { badRequest } from './errors.ts'
import { findMarket } from './markets.ts'
import { type Json, type JsonObject, openInterestE6 } from './objects.ts'
import type { Query } from './query.ts'
import type { Shelf } from './routes.ts'
import { countText, priceText, seconds } from './text.ts'

/** Returns the candlesticks of several markets over the period that a request names. */
export function candlesOf(
  shelf: Shelf,
  tickers: string[],
  query: Query
): { ticker: string; candlesticks: JsonObject[] }[] {
  const startMs = query.time('start_ts')
  const endMs = query.time('end_ts')
  const minutes = query.oneOf('period_interval', ['1', '60', '1440'])
  if (startMs === null || endMs === null || minutes === null || endMs < startMs)
    throw badRequest('invalid period')
  return tickers.map((ticker) => {
    const market = findMarket(shelf, ticker)
    return { ticker, candlesticks: candlesticks(shelf, market, startMs, endMs, Number(minutes) * 60_000) }
  })
}

/**
 * One candle for each period with a trade. The model keeps no past quotes: all of a candle's are those of
 * now.
 */
function candlesticks(
  { records }: Shelf,
  market: SimMarket,
  startMs: number,
  endMs: number,
  periodMs: number
): JsonObject[] {
  const trades = records
    .trades()
    .filter((one) => one.market === market)
    .map((one) => one.trade)
    .reverse()
  const top = topOf(market.book)
  const candles: JsonObject[] = []
  let index = 0
  let previousE4: number | null = null
  while (index < trades.length) {
    const endOfPeriod = Math.ceil((trades[index]?.atMs ?? 0) / periodMs) * periodMs
    const group = []
    for (let trade = trades[index]; trade && trade.atMs <= endOfPeriod; trade = trades[++index])
      group.push(trade)
    const prices = group.map((trade) => trade.priceE4)
    const closeE4 = prices.at(-1) ?? 0
    if (endOfPeriod >= startMs && endOfPeriod <= endMs) {
      const sum = prices.reduce((total, price) => total + price, 0)
      candles.push({
        end_period_ts: seconds(endOfPeriod),
        open_interest_fp: countText(openInterestE6(market)),
        price: {
          ...ohlc(prices),
          mean_dollars: priceText(Math.round(sum / prices.length)),
          ...(previousE4 === null ? {} : { previous_dollars: priceText(previousE4) })
        },
        volume_fp: countText(group.reduce((total, trade) => total + trade.sizeE6, 0)),
        yes_ask: ohlc([top.askE4]),
        yes_bid: ohlc([top.bidE4])
      })
    }
    previousE4 = closeE4
  }
  return candles
}

function ohlc(prices: number[]): { [key: string]: Json } {
  return {
    close_dollars: priceText(prices.at(-1) ?? 0),
    high_dollars: priceText(Math.max(...prices)),
    low_dollars: priceText(Math.min(...prices)),
    open_dollars: priceText(prices[0] ?? 0)
  }
}
