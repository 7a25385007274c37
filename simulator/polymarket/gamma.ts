import type { SimEvent, SimMarket, World } from '../model/types.ts'
import { contracts, GammaObjects, isEventClosed, liquidityOf } from './gamma-objects.ts'
import { keysetPage, offsetPage, type Page, type Sortable } from './gamma-paging.ts'
import { type Answer, answer, type Route } from './rest.ts'

interface MarketItem {
  market: SimMarket
  sort: Sortable
}
interface EventItem {
  event: SimEvent
  sort: Sortable
}

const NOT_FOUND = answer(404, { type: 'not found error', error: 'id not found' })

/** Returns the routes of the discovery server. */
export function gammaRoutes(world: World): Route {
  const objects = new GammaObjects(() => world.now())
  const market = (item: MarketItem) => objects.market(item.market, true)
  const event = (item: EventItem) => objects.event(item.event)

  return ({ method, url }) => {
    if (method !== 'GET') return answer(405, { type: 'method not allowed', error: 'method not allowed' })
    const { pathname, searchParams: query } = url
    switch (pathname) {
      case '/markets/keyset':
        return keysetAnswer('markets', keysetPage(marketItems(world, query), query), market)
      case '/events/keyset':
        return keysetAnswer('events', keysetPage(eventItems(world, query), query), event)
      case '/markets':
        return arrayAnswer(offsetPage(marketItems(world, query), query), market)
      case '/events':
        return arrayAnswer(offsetPage(eventItems(world, query), query), event)
      case '/tags':
        return answer(200, tags(world))
      default:
        return single(world, objects, pathname)
    }
  }
}

function keysetAnswer<Item>(name: string, page: Page<Item>, write: (item: Item) => unknown): Answer {
  if ('problem' in page) return problem(page.problem)
  // At the end the field is absent: neither null nor an end mark.
  const next = page.nextCursor === null ? {} : { next_cursor: page.nextCursor }
  return answer(200, { [name]: page.items.map(write), ...next })
}

function arrayAnswer<Item>(page: Page<Item>, write: (item: Item) => unknown): Answer {
  return 'problem' in page ? problem(page.problem) : answer(200, page.items.map(write))
}

function problem(text: string): Answer {
  return answer(422, { type: 'validation error', error: text })
}

function single(world: World, objects: GammaObjects, pathname: string): Answer {
  const [, folder, first, second] = pathname.split('/')
  const isSlug = first === 'slug'
  const matches = (id: string, slug: string) =>
    isSlug ? slug === second : second === undefined && id === first
  if (folder === 'markets') {
    const found = world.markets('polymarket').find((market) => matches(market.uid, market.slug))
    if (found !== undefined) return answer(200, objects.market(found, true))
  }
  if (folder === 'events') {
    const found = world.events('polymarket').find((event) => matches(event.id, event.slug))
    if (found !== undefined) return answer(200, objects.event(found))
  }
  return NOT_FOUND
}

function tags(world: World) {
  const byId = new Map(world.events('polymarket').flatMap((event) => event.tags.map((tag) => [tag.id, tag])))
  return [...byId.values()]
}

function marketItems(world: World, query: URLSearchParams): MarketItem[] {
  const wanted = commonFilter(query)
  const conditionIds = setOf(query, 'condition_ids')
  const tokenIds = setOf(query, 'clob_token_ids')
  const items: MarketItem[] = []
  for (const market of world.markets('polymarket')) {
    const isClosed = market.status === 'closed' || market.status === 'settled'
    if (!wanted({ id: market.uid, slug: market.slug, isClosed, endMs: market.closeMs, event: market.event }))
      continue
    if (conditionIds !== null && !conditionIds.has(market.id)) continue
    if (tokenIds !== null && !market.tokens.some((token) => tokenIds.has(token))) continue
    const sort = sortOf(market.uid, [market])
    if (!within(sort.volumeNum, query, 'volume_num')) continue
    if (!within(sort.liquidityNum, query, 'liquidity_num')) continue
    items.push({ market, sort })
  }
  return items
}

function eventItems(world: World, query: URLSearchParams): EventItem[] {
  const wanted = commonFilter(query)
  const tagSlugs = setOf(query, 'tag_slug')
  const items: EventItem[] = []
  for (const event of world.events('polymarket')) {
    const endMs = Math.max(0, ...event.markets.map((market) => market.closeMs))
    if (!wanted({ id: event.id, slug: event.slug, isClosed: isEventClosed(event), endMs, event })) continue
    if (tagSlugs !== null && !event.tags.some((tag) => tagSlugs.has(tag.slug))) continue
    items.push({ event, sort: sortOf(event.id, event.markets) })
  }
  return items
}

interface Filterable {
  id: string
  slug: string
  isClosed: boolean
  endMs: number
  event: SimEvent
}

/** Returns the filters that markets and events share; `closed` is false unless asked for. */
function commonFilter(query: URLSearchParams): (item: Filterable) => boolean {
  const ids = setOf(query, 'id')
  const slugs = setOf(query, 'slug')
  const tagIds = setOf(query, 'tag_id')
  const closed = query.get('closed') === 'true'
  const endMin = Date.parse(query.get('end_date_min') ?? '')
  const endMax = Date.parse(query.get('end_date_max') ?? '')
  return (item) =>
    item.isClosed === closed &&
    (ids === null || ids.has(item.id)) &&
    (slugs === null || slugs.has(item.slug)) &&
    (tagIds === null || item.event.tags.some((tag) => tagIds.has(tag.id))) &&
    (Number.isNaN(endMin) || item.endMs >= endMin) &&
    (Number.isNaN(endMax) || item.endMs <= endMax)
}

function setOf(query: URLSearchParams, key: string): Set<string> | null {
  const values = query.getAll(key)
  return values.length === 0 ? null : new Set(values)
}

function within(value: number, query: URLSearchParams, key: string): boolean {
  const min = Number(query.get(`${key}_min`) ?? Number.NEGATIVE_INFINITY)
  const max = Number(query.get(`${key}_max`) ?? Number.POSITIVE_INFINITY)
  return value >= min && value <= max
}

function sortOf(id: string, markets: SimMarket[]): Sortable {
  const sum = (key: 'volumeE6' | 'volume24hE6') =>
    contracts(markets.reduce((total, market) => total + market[key], 0))
  return {
    id,
    volumeNum: sum('volumeE6'),
    volume24hr: sum('volume24hE6'),
    liquidityNum: liquidityOf(markets),
    startDate: markets[0]?.openMs ?? 0,
    endDate: Math.max(0, ...markets.map((market) => market.closeMs))
  }
}
