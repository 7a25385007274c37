import type { SimMarket } from '../model/types.ts'
import { badRequest, notFound } from './errors.ts'
import { type Json, marketObject, statusWord } from './objects.ts'
import { pageOf, type Query } from './query.ts'
import type { Call, Shelf } from './routes.ts'

/** The words of the filter against the words of `Market.status`. */
const STATUSES: Record<string, readonly string[]> = {
  unopened: ['initialized'],
  open: ['active'],
  paused: ['inactive'],
  closed: ['closed', 'determined', 'disputed', 'amended'],
  settled: ['finalized']
}

/** A pair of time parameters, the market time it is about, and the status filters that it goes with. */
const TIME_FILTERS: [
  name: string,
  of: (market: SimMarket) => number,
  statuses: readonly (string | null)[]
][] = [
  ['created', (market) => market.createdMs, [null, 'unopened', 'open']],
  ['close', (market) => market.closeMs, [null, 'closed']]
]

/** @throws the venue's 404 */
export function findMarket(shelf: Shelf, ticker: string): SimMarket {
  const market = shelf.market(ticker)
  if (market === undefined) throw notFound()
  return market
}

/** Answers `GET /markets`. */
export function listMarkets(shelf: Shelf, { query }: Call): Json {
  const limit = query.integer('limit', 1, 1000) ?? 100
  const keep = marketFilter(shelf, query)
  const mve = query.oneOf('mve_filter', ['only', 'exclude'])
  const tickers = query.list('tickers')
  if (tickers !== null) {
    const known = tickers.flatMap((ticker) => shelf.market(ticker) ?? []).filter(keep)
    return { cursor: '', markets: known.map((market) => marketObject(market, shelf.records)) }
  }
  // Combos come first: without a filter they are most of what a client sees.
  const list = [
    ...(mve === 'exclude' ? [] : shelf.combos.list()),
    ...(mve === 'only' ? [] : shelf.world.markets('kalshi'))
  ]
  const page = pageOf(list, keep, (market) => market.id, {
    cursor: query.text('cursor'),
    limit,
    isShort: shelf.isPageShort()
  })
  return { cursor: page.cursor, markets: page.items.map((market) => marketObject(market, shelf.records)) }
}

function marketFilter(shelf: Shelf, query: Query): (market: SimMarket) => boolean {
  const status = query.oneOf('status', Object.keys(STATUSES), 'invalid status filter')
  const eventTicker = query.text('event_ticker')
  const series = query.text('series_ticker')
  const tests: ((market: SimMarket) => boolean)[] = []
  if (status !== null) tests.push((market) => (STATUSES[status] ?? []).includes(statusWord(market)))
  if (eventTicker !== null) tests.push((market) => market.event.id === eventTicker)
  if (series !== null) tests.push((market) => market.event.series === series)
  for (const [name, of, statuses] of TIME_FILTERS) {
    const least = query.time(`min_${name}_ts`)
    const most = query.time(`max_${name}_ts`)
    if (least === null && most === null) continue
    if (!statuses.includes(status)) throw badRequest(`${name} timestamps do not go with this status filter`)
    tests.push((market) => of(market) >= (least ?? 0) && of(market) <= (most ?? Number.POSITIVE_INFINITY))
  }
  const updated = query.time('min_updated_ts')
  if (updated !== null) {
    if (query.text('mve_filter') !== 'exclude') throw badRequest('min_updated_ts requires mve_filter=exclude')
    tests.push((market) => shelf.records.updatedMs(market) >= updated)
  }
  return (market) => tests.every((test) => test(market))
}
