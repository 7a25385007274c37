import type { SimEvent, SimMarket, TrueBook, World } from '../model/types.ts'
import { candlesOf } from './candles.ts'
import type { Combos } from './combos.ts'
import { badRequest, notFound, unauthorized } from './errors.ts'
import { listEvents, listMultivariateEvents, oneEvent } from './events.ts'
import { exchangeSchedule, exchangeStatus, historicalCutoff } from './exchange.ts'
import { findMarket, listMarkets } from './markets.ts'
import { type Json, marketObject, orderbookObject, seriesObject, tradeObject } from './objects.ts'
import { pageOf, type Query } from './query.ts'
import type { Records } from './records.ts'

/** What the routes read. */
export interface Shelf {
  world: World
  combos: Combos
  records: Records
  /** The venue's clock, ms since the epoch. */
  clock: () => number
  /** A market of the model or a combo. */
  market(ticker: string): SimMarket | undefined
  /** The book that REST shows, which a fault may hold back. */
  bookOf(market: SimMarket): TrueBook
  /** Drawn anew for each list: true makes its page end early. */
  isPageShort(): boolean
}

export interface Call {
  /** What the pattern of the path captured, decoded. */
  parts: string[]
  query: Query
  /** True with a signature that holds. */
  isSigned: boolean
}

export type Route = (shelf: Shelf, call: Call) => Json

/** The routes as patterns over the path below `/trade-api/v2`; the first that matches answers. */
export const ROUTES: readonly [RegExp, Route][] = [
  [/^\/exchange\/status$/, () => exchangeStatus(true)],
  [/^\/exchange\/schedule$/, () => exchangeSchedule()],
  [/^\/series\/fee_changes$/, () => ({ series_fee_change_arr: [] })],
  [/^\/series$/, listSeries],
  [/^\/series\/([^/]+)$/, oneSeries],
  [
    /^\/series\/[^/]+\/markets\/([^/]+)\/candlesticks$/,
    (shelf, { parts, query }) => candlesOf(shelf, parts, query)[0] ?? null
  ],
  [/^\/events$/, listEvents],
  [/^\/events\/multivariate$/, listMultivariateEvents],
  [/^\/events\/fee_changes$/, () => ({ cursor: '', event_fee_changes: [] })],
  [/^\/events\/([^/]+)$/, oneEvent],
  [/^\/markets$/, listMarkets],
  [/^\/markets\/trades$/, listTrades],
  [/^\/markets\/orderbooks$/, orderbooks],
  [/^\/markets\/candlesticks$/, batchCandles],
  [/^\/markets\/([^/]+)\/orderbook$/, orderbook],
  [
    /^\/markets\/([^/]+)$/,
    (shelf, { parts: [ticker = ''] }) => ({ market: marketObject(findMarket(shelf, ticker), shelf.records) })
  ],
  [/^\/historical\/cutoff$/, (shelf) => historicalCutoff(shelf.clock())]
]

function orderbook(shelf: Shelf, { parts: [ticker = ''], query }: Call): Json {
  const depth = query.integer('depth', 0, 100) ?? 0
  return { orderbook_fp: orderbookObject(shelf.bookOf(findMarket(shelf, ticker)), depth) }
}

function orderbooks(shelf: Shelf, { query, isSigned }: Call): Json {
  if (!isSigned) throw unauthorized('missing credentials')
  const tickers = query.repeated('tickers')
  if (tickers.length < 1 || tickers.length > 100) throw badRequest('invalid tickers')
  const markets = tickers.flatMap((ticker) => shelf.market(ticker) ?? [])
  return {
    orderbooks: markets.map((market) => ({
      orderbook_fp: orderbookObject(shelf.bookOf(market), 0),
      ticker: market.id
    }))
  }
}

function listTrades(shelf: Shelf, { query }: Call): Json {
  const ticker = query.text('ticker')
  const minMs = query.time('min_ts') ?? 0
  const maxMs = query.time('max_ts') ?? Number.POSITIVE_INFINITY
  // The model makes no block trades.
  const isBlock = query.flag('is_block_trade')
  const page = pageOf(
    shelf.records.trades(),
    ({ market, trade }) =>
      !isBlock && (ticker === null || market.id === ticker) && trade.atMs >= minMs && trade.atMs <= maxMs,
    ({ trade }) => trade.id,
    { cursor: query.text('cursor'), limit: query.integer('limit', 1, 1000) ?? 100, isShort: false }
  )
  return { cursor: page.cursor, trades: page.items.map(({ market, trade }) => tradeObject(market.id, trade)) }
}

function batchCandles(shelf: Shelf, { query }: Call): Json {
  const tickers = query.list('market_tickers') ?? []
  if (tickers.length < 1 || tickers.length > 100) throw badRequest('invalid market_tickers')
  return {
    markets: candlesOf(shelf, tickers, query).map(({ ticker, candlesticks }) => ({
      candlesticks,
      market_ticker: ticker
    }))
  }
}

function listSeries(shelf: Shelf, { query }: Call): Json {
  const category = query.text('category')
  const tags = query.list('tags')
  const groups = new Map<string, SimEvent[]>()
  for (const event of shelf.world.events('kalshi')) {
    if (category !== null && event.category !== category) continue
    if (tags !== null && !event.tags.some((tag) => tags.includes(tag.label))) continue
    groups.set(event.series, [...(groups.get(event.series) ?? []), event])
  }
  const withVolume = query.flag('include_volume')
  return {
    series: [...groups].map(([ticker, events]) => seriesObject(ticker, events, shelf.records, withVolume))
  }
}

function oneSeries(shelf: Shelf, { parts: [ticker = ''], query }: Call): Json {
  const events = shelf.world.events('kalshi').filter((event) => event.series === ticker)
  if (events.length === 0) throw notFound()
  return { series: seriesObject(ticker, events, shelf.records, query.flag('include_volume')) }
}
