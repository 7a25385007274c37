import type { EventHeader } from '../../schemas/event.ts'
import type { Market, MarketStatus } from '../../schemas/market.ts'
import { formatScaled, parseScaled, SIZE_DECIMALS } from '../numbers/decimal.ts'
import type { Discovered } from '../venue/catalogue.ts'

/** A page of a Gamma keyset list; `cursor` is null on the last one. */
export interface ParsedPage {
  items: unknown[]
  cursor: string | null
}

/** One Gamma event: its markets that have a book. */
export interface ParsedEvent {
  id: string
  /** Dollars over 24 hours, only to order by; null where the venue does not say. */
  volume24h: number | null
  markets: Discovered[]
}

export interface MarketStanding {
  status: MarketStatus
  result: string | null
}

type Json = Record<string, unknown>

const RESOLVED = new Set(['resolved', 'settled'])
/** `2026-07-24T00:00:00Z` with or without a fraction, `2026-07-24 00:00:16+00`, `2026-07-24`. */
const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d(?::?\d\d)?))?$/
const DECIMAL = /^-?\d+(?:\.\d+)?$/

/** Returns the items and the next cursor of a keyset answer, or null where it is none. */
export function parsePage(body: unknown, list: 'events' | 'markets'): ParsedPage | null {
  if (!isObject(body) || !Array.isArray(body[list])) return null
  return { items: body[list], cursor: textOrNull(body.next_cursor) }
}

/** Returns an event with those of its markets that have a book, or null where the value is no event. */
export function parseEvent(value: unknown): ParsedEvent | null {
  if (!isObject(value)) return null
  const event = parseHeader(value)
  if (event === null) return null
  const markets: Discovered[] = []
  for (const one of Array.isArray(value.markets) ? value.markets : []) {
    const market = parseMarket(one, event)
    if (market !== null) markets.push(market)
  }
  const volume24h = typeof value.volume24hr === 'number' ? value.volume24hr : null
  return { id: event.venueEventId, volume24h, markets }
}

/**
 * Returns a Gamma market as it is served, or null for one without an order book: not two outcomes, not two tokens
 * yet, or of the time before order books. `event` is the one it came in; without it, the market names its own.
 *
 * Volumes are statistics, not money: the venue adds them up in floats, and what stands beyond six decimals is noise
 * that is cut off.
 */
export function parseMarket(value: unknown, event?: EventHeader): Discovered | null {
  if (!isObject(value) || value.enableOrderBook !== true) return null
  const conditionId = textOrNull(value.conditionId)
  const slug = textOrNull(value.slug)
  const title = textOrNull(value.question)
  const outcomes = parseTexts(value.outcomes)
  const tokens = parseTexts(value.version === 'v2' ? value.positionIds : value.clobTokenIds)
  if (conditionId === null || slug === null || title === null) return null
  if (outcomes?.length !== 2 || tokens?.length !== 2) return null
  const [yesLabel, noLabel] = outcomes as [string, string]
  const [yesToken, noToken] = tokens as [string, string]
  if (yesToken === '' || noToken === '' || yesToken === noToken) return null
  const header = event ?? parseOwnEvent(value)
  const tick = parseDecimal(value.orderPriceMinTickSize)
  const market: Market = {
    id: `polymarket:${conditionId}`,
    venue: 'polymarket',
    venueMarketId: conditionId,
    symbol: slug,
    eventId: header?.id ?? null,
    title,
    outcomes: { yes: yesLabel, no: noLabel },
    tokens: { yes: yesToken, no: noToken },
    ...parseStanding(value),
    openTime: parseTime(value.acceptingOrdersTimestamp),
    closeTime: parseTime(value.endDate),
    // The first on markets that measure a window of time, the second on sports.
    eventStartTime: parseTime(value.eventStartTime) ?? parseTime(value.gameStartTime),
    priceBands: tick === null ? [] : priceBandsOf(tick),
    minOrderSize: parseDecimal(value.orderMinSize),
    volume: parseDecimal(value.volume),
    volume24h: parseDecimal(value.volume24hr),
    volumeUnit: 'dollars',
    openInterest: null
  }
  return { market, rules: textOrNull(value.description) ?? '', event: header }
}

/** Returns the slugs of a market's tags, which it only carries when asked for. */
export function parseTagSlugs(value: unknown): string[] {
  if (!isObject(value) || !Array.isArray(value.tags)) return []
  return value.tags.flatMap((tag) => (isObject(tag) && typeof tag.slug === 'string' ? [tag.slug] : []))
}

/** Returns the price grid of a tick size given as canonical decimal text. */
export function priceBandsOf(tick: string): Market['priceBands'] {
  return [{ start: '0', end: '1', step: tick }]
}

/**
 * Returns where a market stands. `active` is true of nearly everything and `acceptingOrders` stays true on some
 * closed markets, so the order of the questions matters; see the protocol page, 8.
 */
export function parseStanding(value: Json): MarketStanding {
  if (value.closed === true) return parseResult(value)
  if (value.active !== true || value.deploying === true || value.pendingDeployment === true)
    return { status: 'pending', result: null }
  const open = value.acceptingOrders === true && value.archived !== true
  return { status: open ? 'open' : 'halted', result: null }
}

/** Returns a Gamma time as ISO 8601 in UTC with milliseconds, or null. */
export function parseTime(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const [, date, time, zone] = TIME.exec(value) ?? []
  if (date === undefined) return null
  const offset = zone?.replace(/^([+-]\d\d):?(\d\d)?$/, (_, hours, minutes = '00') => `${hours}:${minutes}`)
  const parsed = new Date(time === undefined ? `${date}T00:00:00Z` : `${date}T${time}${offset}`)
  return Number.isNaN(parsed.getTime()) ? null : parsed.toISOString()
}

/** A closed market is settled once its resolution is final and its prices are those of a result. */
function parseResult(value: Json): MarketStanding {
  const prices = parseTexts(value.outcomePrices)?.map((text) => parseScaled(text, SIZE_DECIMALS))
  const resolved = RESOLVED.has(String(value.umaResolutionStatus)) || value.automaticallyResolved === true
  const result = prices?.length === 2 && resolved ? resultOf(prices[0], prices[1]) : null
  return { status: result === null ? 'closed' : 'settled', result }
}

function resultOf(yes: number | undefined, no: number | undefined): string | null {
  if (yes === 1_000_000 && no === 0) return 'yes'
  if (yes === 0 && no === 1_000_000) return 'no'
  // A tie or a cancelled game: each outcome pays half.
  return yes === 500_000 && no === 500_000 ? '50-50' : null
}

function parseOwnEvent({ events }: Json): EventHeader | null {
  const [first] = Array.isArray(events) ? events : []
  return isObject(first) ? parseHeader(first) : null
}

function parseHeader(value: Json): EventHeader | null {
  const { id } = value
  const slug = textOrNull(value.slug)
  const title = textOrNull(value.title)
  if (typeof id !== 'string' || id === '' || slug === null || title === null) return null
  return {
    id: `polymarket:${id}`,
    venue: 'polymarket',
    venueEventId: id,
    symbol: slug,
    seriesId: textOrNull(value.seriesSlug),
    title,
    category: null,
    mutuallyExclusive: value.negRisk === true
  }
}

/** An array of texts, or a text that holds one as JSON. */
function parseTexts(value: unknown): string[] | null {
  let list = value
  if (typeof value === 'string') {
    try {
      list = JSON.parse(value)
    } catch {
      return null
    }
  }
  return Array.isArray(list) && list.every((one) => typeof one === 'string') ? list : null
}

/** A number or its text as canonical decimal text with at most six decimals; null where it is none. */
function parseDecimal(value: unknown): string | null {
  const text = typeof value === 'number' ? plainText(value) : value
  if (typeof text !== 'string' || !DECIMAL.test(text)) return null
  const point = text.indexOf('.')
  const cut = point < 0 ? text : text.slice(0, point + 1 + SIZE_DECIMALS)
  const scaled = parseScaled(cut, SIZE_DECIMALS)
  return Number.isNaN(scaled) ? null : formatScaled(scaled, SIZE_DECIMALS)
}

/** Without the exponent that very small and very large numbers are printed with. */
function plainText(value: number): string {
  const text = String(value)
  return text.includes('e') ? value.toFixed(SIZE_DECIMALS) : text
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
