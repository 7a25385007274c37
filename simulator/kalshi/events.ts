import type { SimEvent } from '../model/types.ts'
import { notFound } from './errors.ts'
import { eventObject, type Json, marketObject } from './objects.ts'
import { pageOf } from './query.ts'
import type { Call, Shelf } from './routes.ts'

const STATUSES = ['unopened', 'open', 'closed', 'settled'] as const

/** Answers `GET /events`. Nested are all markets of an event, whatever their own status. */
export function listEvents(shelf: Shelf, { query }: Call): Json {
  const limit = query.integer('limit', 1, 200) ?? 200
  const status = query.oneOf('status', STATUSES, 'invalid status filter')
  const series = query.text('series_ticker')
  const tickers = query.list('tickers')
  const minClose = query.time('min_close_ts')
  const minUpdated = query.time('min_updated_ts')
  const page = pageOf(
    shelf.world.events('kalshi'),
    (event) =>
      (status === null || eventStatus(event) === status) &&
      (series === null || event.series === series) &&
      (tickers === null || tickers.includes(event.id)) &&
      (minClose === null || event.markets.some((market) => market.closeMs >= minClose)) &&
      (minUpdated === null || event.markets.some((market) => shelf.records.updatedMs(market) >= minUpdated)),
    (event) => event.id,
    { cursor: query.text('cursor'), limit, isShort: tickers === null && shelf.isPageShort() }
  )
  const isNested = query.flag('with_nested_markets')
  const events = page.items.map((event) => eventObject(event, shelf.records, isNested))
  return { cursor: page.cursor, events, ...(query.flag('with_milestones') ? { milestones: [] } : {}) }
}

/** Answers `GET /events/multivariate`: the events of combos, which the other list never has. */
export function listMultivariateEvents(shelf: Shelf, { query }: Call): Json {
  const series = query.text('series_ticker')
  const page = pageOf(
    shelf.combos.list().map((combo) => combo.event),
    (event) => series === null || event.series === series,
    (event) => event.id,
    {
      cursor: query.text('cursor'),
      limit: query.integer('limit', 1, 200) ?? 100,
      isShort: shelf.isPageShort()
    }
  )
  const isNested = query.flag('with_nested_markets')
  return {
    cursor: page.cursor,
    events: page.items.map((event) => eventObject(event, shelf.records, isNested))
  }
}

/** Answers `GET /events/{event_ticker}`: markets inside the event where asked for, else beside it. */
export function oneEvent(shelf: Shelf, { parts: [ticker], query }: Call): Json {
  const event =
    shelf.world.events('kalshi').find((one) => one.id === ticker) ??
    shelf.combos.list().find((combo) => combo.event.id === ticker)?.event
  if (event === undefined) throw notFound()
  if (query.flag('with_nested_markets')) return { event: eventObject(event, shelf.records, true) }
  return {
    event: eventObject(event, shelf.records, false),
    markets: event.markets.map((market) => marketObject(market, shelf.records))
  }
}

function eventStatus(event: SimEvent): (typeof STATUSES)[number] {
  const has = (...statuses: string[]): boolean =>
    event.markets.some((market) => statuses.includes(market.status))
  if (has('active', 'paused')) return 'open'
  if (has('initialized')) return 'unopened'
  return has('closed') ? 'closed' : 'settled'
}
