import { parseSizeE6 } from '../numbers/decimal.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import type { RawTrade } from './messages.ts'
import { integerOrNull, isObject, isPresent, numeral, priceOf, priceOfCents, secondsToMs } from './parse.ts'
import { marketId, parseTime } from './parse-market.ts'

/** A trade off the book: no change of a book belongs to it, so it is none of the market's trades. */
export const BLOCK_TRADE = 'block_trade'

/** Returns a `trade` message's trade, or null when it is not what the protocol says. Never throws. */
export function parseTrade(msg: unknown, receivedAtMs: number): TradeNote | typeof BLOCK_TRADE | null {
  if (!isObject(msg)) return null
  const { market_ticker: ticker, ts_ms: tsMs, ts }: RawTrade = msg
  const venueTimeMs = isPresent(tsMs) ? integerOrNull(tsMs) : secondsToMs(ts)
  return readTrade(msg, ticker, venueTimeMs, receivedAtMs)
}

/** Does the same for a trade of the REST API. */
export function parseRestTrade(value: unknown, receivedAtMs: number): TradeNote | typeof BLOCK_TRADE | null {
  if (!isObject(value)) return null
  const { ticker, created_time: time }: RawTrade = value
  const venueTime = parseTime(time)
  return readTrade(value, ticker, venueTime === null ? null : Date.parse(venueTime), receivedAtMs)
}

function readTrade(
  raw: RawTrade,
  ticker: unknown,
  venueTimeMs: number | null,
  receivedAtMs: number
): TradeNote | typeof BLOCK_TRADE | null {
  if (raw.is_block_trade === true) return BLOCK_TRADE
  const { trade_id: tradeId, yes_price_dollars: dollars, count_fp: contracts } = raw
  const price = isPresent(dollars) ? priceOf(dollars) : priceOfCents(raw.yes_price)
  const size = parseSizeE6(numeral(isPresent(contracts) ? contracts : raw.count))
  if (typeof ticker !== 'string' || ticker === '' || venueTimeMs === null) return null
  if (typeof tradeId !== 'string' || Number.isNaN(price) || Number.isNaN(size)) return null
  const taker = isPresent(raw.taker_outcome_side) ? raw.taker_outcome_side : raw.taker_side
  const takerSide = taker === 'yes' || taker === 'no' ? taker : null
  return { marketId: marketId(ticker), tradeId, venueTimeMs, receivedAtMs, price, size, takerSide }
}
