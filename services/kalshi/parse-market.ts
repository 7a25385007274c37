import type { EventHeader } from '../../schemas/event.ts'
import type { Market, MarketStatus } from '../../schemas/market.ts'
import { formatPrice, parsePriceE4 } from '../numbers/decimal.ts'
import type { Discovered } from '../venue/catalogue.ts'
import type { RawEvent, RawMarket } from './messages.ts'
import { isObject } from './parse.ts'

/** A market that is not taken over: which of its fields is not what the protocol says. */
export interface RefusedMarket {
  readonly refused: string
}

/** `Market.status` in our words. `closed` can return to `active` when the venue moves the close. */
const STATUSES: ReadonlyMap<unknown, MarketStatus> = new Map([
  ['initialized', 'pending'],
  ['active', 'open'],
  ['inactive', 'halted'],
  ['closed', 'closed'],
  ['determined', 'closed'],
  ['disputed', 'closed'],
  ['amended', 'closed'],
  ['finalized', 'settled']
])

/** Printable ASCII: the books are found by the bytes of the ticker. */
const TICKER = /^[\x21-\x7e]+$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
const COUNT = /^\d+(\.\d+)?$/

/** Thrown and caught within this file only: the name of the field that does not fit. */
class FieldError extends Error {}

const ID_PREFIX = 'kalshi:'

export function marketId(ticker: string): string {
  return ID_PREFIX + ticker
}

/** Returns the ticker that a market's id is made of; null where it is not one of this venue. */
export function tickerOf(id: string): string | null {
  return id.startsWith(ID_PREFIX) ? id.slice(ID_PREFIX.length) : null
}

/**
 * Returns a market of the REST API with its rules and its event, or the field for which it is refused: a type or
 * word that the protocol does not know is not guessed at. Never throws.
 */
export function parseMarket(value: unknown, event: EventHeader | null): Discovered | RefusedMarket {
  if (!isObject(value)) return { refused: 'market' }
  try {
    return { market: readMarket(value, event), rules: rulesOf(value), event }
  } catch (error) {
    if (error instanceof FieldError) return { refused: error.message }
    throw error
  }
}

/** Returns an event of the REST API, or null when it is not what the protocol says. Never throws. */
export function parseEvent(value: unknown): EventHeader | null {
  if (!isObject(value)) return null
  const { event_ticker: ticker, series_ticker: series, title, category, mutually_exclusive }: RawEvent = value
  if (typeof ticker !== 'string' || !TICKER.test(ticker) || typeof title !== 'string') return null
  if (typeof mutually_exclusive !== 'boolean') return null
  return {
    id: marketId(ticker),
    venue: 'kalshi',
    venueEventId: ticker,
    symbol: ticker,
    seriesId: typeof series === 'string' && series !== '' ? series : null,
    title,
    category: typeof category === 'string' && category !== '' ? category : null,
    mutuallyExclusive: mutually_exclusive
  }
}

/** Returns the price grid of `price_ranges`, or null when it is not one. */
export function parsePriceBands(value: unknown): Market['priceBands'] | null {
  if (!Array.isArray(value)) return null
  const bands: Market['priceBands'] = []
  for (const band of value as unknown[]) {
    if (!isObject(band)) return null
    const [start, end, step] = [priceText(band.start), priceText(band.end), priceText(band.step)]
    if (start === null || end === null || step === null || step === '0') return null
    bands.push({ start, end, step })
  }
  return bands
}

/** Returns a time of ours for one of the venue's, or null when it is none. */
export function parseTime(value: unknown): string | null {
  if (typeof value !== 'string' || !TIME.test(value)) return null
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? null : new Date(ms).toISOString()
}

function readMarket(raw: RawMarket, event: EventHeader | null): Market {
  const ticker = raw.ticker
  if (typeof ticker !== 'string' || !TICKER.test(ticker)) throw new FieldError('ticker')
  const status = STATUSES.get(raw.status)
  if (status === undefined) throw new FieldError('status')
  const priceBands = isAbsent(raw.price_ranges) ? [] : parsePriceBands(raw.price_ranges)
  if (priceBands === null) throw new FieldError('price_ranges')
  const eventTicker = textOf(raw, 'event_ticker')
  const yes = textOf(raw, 'yes_sub_title')
  return {
    id: marketId(ticker),
    venue: 'kalshi',
    venueMarketId: ticker,
    symbol: ticker,
    eventId: eventTicker === '' ? null : marketId(eventTicker),
    title: titleOf(textOf(raw, 'title'), event?.title ?? '', yes),
    // Without labels of its own a market has the venue's two words.
    outcomes: { yes: yes === '' ? 'Yes' : yes, no: textOf(raw, 'no_sub_title') || 'No' },
    tokens: null,
    status,
    result: textOf(raw, 'result') || null,
    openTime: timeOf(raw, 'open_time'),
    closeTime: timeOf(raw, 'close_time'),
    // `occurrence_datetime` was seen hours after a game's start: Kalshi does not say when its events begin.
    eventStartTime: null,
    priceBands,
    minOrderSize: null,
    volume: countOf(raw, 'volume_fp'),
    volume24h: countOf(raw, 'volume_24h_fp'),
    volumeUnit: 'contracts',
    openInterest: countOf(raw, 'open_interest_fp')
  }
}

/** `title` is deprecated; the event's title and the outcome say the same. */
function titleOf(title: string, eventTitle: string, yes: string): string {
  const text = title !== '' ? title : [eventTitle, yes].filter((part) => part !== '').join(': ')
  if (text === '') throw new FieldError('title')
  return text
}

function rulesOf(raw: RawMarket): string {
  return [textOf(raw, 'rules_primary'), textOf(raw, 'rules_secondary')]
    .filter((part) => part !== '')
    .join('\n\n')
}

function textOf(raw: RawMarket, field: keyof RawMarket): string {
  const value = raw[field]
  if (isAbsent(value)) return ''
  if (typeof value !== 'string') throw new FieldError(field)
  return value.trim()
}

function timeOf(raw: RawMarket, field: keyof RawMarket): string | null {
  if (isAbsent(raw[field])) return null
  const time = parseTime(raw[field])
  if (time === null) throw new FieldError(field)
  return time
}

/** Canonical decimal text of a count of contracts, however large. */
function countOf(raw: RawMarket, field: keyof RawMarket): string | null {
  const value = raw[field]
  if (isAbsent(value)) return null
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || !COUNT.test(text)) throw new FieldError(field)
  const [whole = '', fraction = ''] = text.split('.')
  const kept = fraction.replace(/0+$/, '')
  return `${whole.replace(/^0+(?=\d)/, '')}${kept === '' ? '' : `.${kept}`}`
}

function priceText(value: unknown): string | null {
  const price =
    typeof value === 'string' || typeof value === 'number' ? parsePriceE4(String(value)) : Number.NaN
  return Number.isNaN(price) ? null : formatPrice(price)
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}
