import { bestPrice } from '../model/book.ts'
import type { Random } from '../model/random.ts'
import type { SimMarket, World } from '../model/types.ts'
import { MIN_ORDER_SIZE, type Outcome } from './book-view.ts'
import { hasBook } from './feed.ts'
import { feeSchedule } from './fees.ts'
import { restBook } from './messages.ts'
import type { PastBooks } from './past-books.ts'
import { type Answer, answer, type Route } from './rest.ts'

const MAX_BOOKS = 500
const NO_BOOK = answer(404, { error: 'No orderbook exists for the requested token id' })
const INVALID_TOKEN = answer(400, { error: 'Invalid token id' })
const INVALID_PAYLOAD = answer(400, { error: 'Invalid payload' })

export interface ClobOptions {
  world: World
  books: PastBooks
  random: Random
  /** Venue time, epoch milliseconds. */
  venueNow: () => number
}

/** Returns the public routes of the CLOB server. */
export function clobRoutes(options: ClobOptions): Route {
  const { world, venueNow } = options
  return ({ method, url, body }) => {
    const path = url.pathname
    if (method === 'POST' && path === '/books') return books(options, body)
    if (method !== 'GET') return answer(405, { error: 'Method not allowed' })
    if (path === '/ok') return answer(200, 'OK')
    if (path === '/time') return answer(200, Math.floor(venueNow() / 1_000))
    const tokenId = url.searchParams.get('token_id')
    if (path === '/book')
      return withToken(world, tokenId, (market, outcome) => book(options, market, outcome))
    if (path === '/tick-size') {
      return withToken(world, tokenId, (market) => answer(200, { minimum_tick_size: market.tickE4 / 10_000 }))
    }
    if (path === '/neg-risk') {
      return withToken(world, tokenId, (market) => answer(200, { neg_risk: market.negRisk }))
    }
    const [, folder, conditionId] = path.split('/')
    const market = conditionId === undefined ? undefined : world.market('polymarket', conditionId)
    if (market !== undefined && folder === 'markets') return answer(200, clobMarket(market))
    if (market !== undefined && folder === 'clob-markets') return answer(200, clobMarketInfo(market))
    return answer(404, { error: folder?.endsWith('markets') === true ? 'market not found' : 'Not found' })
  }
}

function withToken(
  world: World,
  tokenId: string | null,
  found: (market: SimMarket, outcome: Outcome) => Answer
): Answer {
  if (tokenId === null || !/^\d+$/.test(tokenId)) return INVALID_TOKEN
  const entry = world.token(tokenId)
  return entry === undefined || !hasBook(entry.market) ? NO_BOOK : found(entry.market, entry.outcome)
}

function book(options: ClobOptions, market: SimMarket, outcome: Outcome): Answer {
  return { status: 200, body: restBook(options.books.view(market), outcome) }
}

/** Unknown tokens are left out in silence, and the order is not that of the request. */
function books(options: ClobOptions, body: string): Answer {
  const wanted = parseTokens(body)
  if (wanted === undefined || wanted.length > MAX_BOOKS) return INVALID_PAYLOAD
  const texts: string[] = []
  for (const tokenId of wanted) {
    const entry = options.world.token(tokenId)
    if (entry === undefined || !hasBook(entry.market)) continue
    const text = restBook(options.books.view(entry.market), entry.outcome)
    if (options.random.chance(0.5)) texts.push(text)
    else texts.unshift(text)
  }
  return { status: 200, body: `[${texts.join(',')}]` }
}

function parseTokens(body: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(body)
    if (!Array.isArray(value)) return undefined
    const tokens = value.map((item) => (item as { token_id?: unknown } | null)?.token_id)
    return tokens.every((token) => typeof token === 'string') ? (tokens as string[]) : undefined
  } catch {
    return undefined
  }
}

function clobMarket(market: SimMarket) {
  const isClosed = market.status === 'closed' || market.status === 'settled'
  const mid = ((bestPrice(market.book, 'bid') ?? 0) + (bestPrice(market.book, 'ask') ?? 10_000)) / 2
  const won = (outcome: Outcome) => market.result === (outcome === 0 ? 'yes' : 'no')
  const price = (outcome: Outcome) => {
    if (market.result !== null) return won(outcome) ? 1 : 0
    return (outcome === 0 ? mid : 10_000 - mid) / 10_000
  }
  return {
    enable_order_book: true,
    active: true,
    closed: isClosed,
    archived: false,
    accepting_orders: market.status === 'active',
    accepting_order_timestamp: new Date(market.openMs).toISOString(),
    minimum_order_size: Number(MIN_ORDER_SIZE),
    minimum_tick_size: market.tickE4 / 10_000,
    condition_id: market.id,
    question_id: `0x${market.id.slice(2).split('').reverse().join('').padEnd(64, '0')}`,
    question: market.title,
    description: market.rules,
    market_slug: market.slug,
    end_date_iso: new Date(market.closeMs).toISOString().replace('.000Z', 'Z'),
    game_start_time: null,
    seconds_delay: 0,
    fpmm: '',
    maker_base_fee: 1000,
    taker_base_fee: 1000,
    notifications_enabled: true,
    neg_risk: market.negRisk,
    neg_risk_market_id: '',
    neg_risk_request_id: '',
    icon: '',
    image: '',
    rewards: { rates: null, min_size: 0, max_spread: 0 },
    is_50_50_outcome: false,
    tokens: ([0, 1] as const).map((outcome) => ({
      token_id: market.tokens[outcome],
      outcome: outcome === 0 ? market.yesLabel : market.noLabel,
      price: price(outcome),
      winner: won(outcome)
    })),
    tags: market.event.tags.map((tag) => tag.label)
  }
}

function clobMarketInfo(market: SimMarket) {
  const { rate, exponent, takerOnly } = feeSchedule(market)
  return {
    c: market.id,
    t: [
      { t: market.tokens[0], o: market.yesLabel },
      { t: market.tokens[1], o: market.noLabel }
    ],
    mts: market.tickE4 / 10_000,
    mos: Number(MIN_ORDER_SIZE),
    ...(market.negRisk ? { nr: true } : {}),
    fd: { r: rate, e: exponent, to: takerOnly },
    mbf: 1000,
    tbf: 1000,
    ao: market.status === 'active',
    cbos: false
  }
}
