import { isUtf8 } from 'node:buffer'
import { formatPrice, type PriceE4, parsePriceE4, parseSizeE6, type SizeE6 } from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { foldHash } from './hash-fold.ts'

export interface ParsedLevel {
  price: PriceE4
  size: SizeE6
}

/** A whole book of one asset, in that asset's own terms; levels in the order of the wire. */
export interface ParsedBook {
  kind: 'book'
  assetId: string
  /** Epoch milliseconds of the last change. */
  timestampMs: number
  /** The hash of the book as `foldHash` folds it; -1 if it has none. */
  hash: number
  bids: ParsedLevel[]
  asks: ParsedLevel[]
  /** What else goes into the hash, as the venue prints it; null where this message does not say it. */
  market: string | null
  tickSize: string | null
  lastTrade: string | null
  minOrderSize: string | null
  negRisk: boolean | null
}

/** The new total at one price of one asset: BUY is a level of its bids, SELL of its asks. */
export interface ParsedChange {
  kind: 'change'
  assetId: string
  outcome: Outcome
  price: PriceE4
  size: SizeE6
  timestampMs: number
  hash: number
  /** The best prices after the change; -1 where the message tells none. */
  bestBid: PriceE4
  bestAsk: PriceE4
}

/** A trade of one asset, in that asset's own terms. */
export interface ParsedTrade {
  kind: 'trade'
  assetId: string
  price: PriceE4
  /** NaN where the message tells none that can be read. */
  size: SizeE6
  /** What the taker did; null where the message does not tell. */
  side: 'BUY' | 'SELL' | null
  /** Epoch milliseconds, or -1. */
  timestampMs: number
  /** Several trades can be of one transaction; null where the message names none. */
  transaction: string | null
}

/** What one element of a frame says; whatever is wrong with it is a value too. */
export type ParsedMessage =
  | ParsedBook
  | ParsedChange
  /** About an asset, but not understood: its book cannot be trusted any more. Time and hash as far as readable. */
  | { kind: 'drift'; of: 'change' | 'book'; assetId: string; timestampMs: number; hash: number }
  /** A change of nobody knows which asset, in a message that names its market by the condition id. */
  | { kind: 'market_drift'; of: 'change' | 'book'; conditionId: string }
  /** The tick size as canonical decimal text, dollars. */
  | { kind: 'tick_size'; assetId: string; tickSize: string; timestampMs: number }
  | ParsedTrade
  | { kind: 'hint'; hint: 'new_market' | 'market_resolved'; conditionId: string }
  /** A reading that the protocol page leaves open, met in this frame. */
  | { kind: 'observed'; reading: string }
  | { kind: 'ignored'; reason: string }

type Json = Record<string, unknown>

const TIMESTAMP = /^[0-9]{1,15}$/
const CONDITION_ID = /^0x[0-9a-fA-F]{1,64}$/
const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b

/**
 * Returns what a frame of the market channel says, element by element, in order. Never throws: text that is not JSON
 * and elements that are not understood come back as `ignored` or `drift`, and leave their neighbours alone.
 */
export function parseFrame(frame: Buffer): ParsedMessage[] {
  if (!looksLikeJson(frame)) return [{ kind: 'ignored', reason: 'text' }]
  if (!isUtf8(frame)) return [{ kind: 'ignored', reason: 'not_utf8' }]
  let value: unknown
  try {
    value = JSON.parse(frame.toString())
  } catch {
    return [{ kind: 'ignored', reason: 'malformed' }]
  }
  const messages: ParsedMessage[] = []
  for (const element of Array.isArray(value) ? value : [value]) parseElement(element, messages)
  return messages
}

/** Returns a book of the CLOB REST API, or null where the value is none. */
export function parseRestBook(value: unknown): ParsedBook | null {
  if (!isObject(value)) return null
  const book = parseBook(value)
  return book.kind === 'book' ? book : null
}

function looksLikeJson(frame: Buffer): boolean {
  for (const byte of frame) {
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue
    return byte === OPEN_OBJECT || byte === OPEN_ARRAY
  }
  return false
}

function parseElement(element: unknown, messages: ParsedMessage[]): void {
  if (!isObject(element) || typeof element.event_type !== 'string') {
    messages.push({ kind: 'ignored', reason: 'malformed' })
    return
  }
  switch (element.event_type) {
    case 'price_change':
      parseChanges(element, messages)
      return
    case 'book':
      messages.push(parseBook(element))
      return
    case 'tick_size_change':
      messages.push(parseTickSize(element))
      return
    case 'new_market':
    case 'market_resolved':
      messages.push(parseHint(element, element.event_type))
      return
    case 'last_trade_price':
      messages.push(parseTrade(element))
      return
    case 'best_bid_ask':
      messages.push({ kind: 'ignored', reason: element.event_type })
      return
    default:
      messages.push({ kind: 'ignored', reason: 'unknown_event_type' })
  }
}

/** Reads the three shapes that `price_change` has had; the two historic ones occur in old recordings only. */
function parseChanges(message: Json, messages: ParsedMessage[]): void {
  const { price_changes, changes } = message
  if (Array.isArray(price_changes)) {
    for (const one of price_changes) {
      messages.push(
        isObject(one)
          ? parseChange(one, one.asset_id, message.timestamp, one.hash, message.market)
          : unreadable('change', message.market)
      )
    }
  } else if (Array.isArray(changes)) {
    messages.push({ kind: 'observed', reading: 'price_change_of_2024_09' })
    for (const one of changes) {
      messages.push(
        isObject(one)
          ? parseChange(one, message.asset_id, message.timestamp, message.hash, message.market)
          : unreadable('change', message.market)
      )
    }
  } else {
    if (typeof message.side === 'string')
      messages.push({ kind: 'observed', reading: 'price_change_of_2024_08' })
    messages.push(parseChange(message, message.asset_id, message.timestamp, message.hash, message.market))
  }
}

const MALFORMED_ELEMENT: ParsedMessage = { kind: 'ignored', reason: 'malformed' }

/** A message of a known type that does not say in a known way which asset it is about. */
function unreadable(of: 'change' | 'book', market: unknown): ParsedMessage {
  return typeof market === 'string' ? { kind: 'market_drift', of, conditionId: market } : MALFORMED_ELEMENT
}

function parseChange(
  change: Json,
  assetId: unknown,
  timestamp: unknown,
  hash: unknown,
  market: unknown
): ParsedMessage {
  if (typeof assetId !== 'string') return unreadable('change', market)
  const timestampMs = parseTimestamp(timestamp)
  const folded = typeof hash === 'string' ? foldHash(hash) : -1
  const price = parsePrice(change.price)
  const size = parseSize(change.size)
  const outcome = change.side === 'BUY' ? YES : change.side === 'SELL' ? NO : -1
  if (timestampMs < 0 || outcome < 0 || Number.isNaN(price) || Number.isNaN(size))
    return { kind: 'drift', of: 'change', assetId, timestampMs, hash: folded }
  return {
    kind: 'change',
    assetId,
    outcome: outcome as Outcome,
    price,
    size,
    timestampMs,
    hash: folded,
    bestBid: bestPrice(change.best_bid),
    bestAsk: bestPrice(change.best_ask)
  }
}

function parseBook(message: Json): ParsedMessage {
  const { asset_id: assetId } = message
  if (typeof assetId !== 'string') return unreadable('book', message.market)
  const timestampMs = parseTimestamp(message.timestamp)
  const hash = typeof message.hash === 'string' ? foldHash(message.hash) : -1
  const bids = parseLevels(message.bids)
  const asks = parseLevels(message.asks)
  if (timestampMs < 0 || bids === null || asks === null)
    return { kind: 'drift', of: 'book', assetId, timestampMs, hash }
  return {
    kind: 'book',
    assetId,
    timestampMs,
    hash,
    bids,
    asks,
    market: textOrNull(message.market),
    tickSize: textOrNull(message.tick_size),
    lastTrade: textOrNull(message.last_trade_price),
    minOrderSize: textOrNull(message.min_order_size),
    negRisk: typeof message.neg_risk === 'boolean' ? message.neg_risk : null
  }
}

function parseLevels(value: unknown): ParsedLevel[] | null {
  if (!Array.isArray(value)) return null
  const levels: ParsedLevel[] = []
  const prices = new Set<PriceE4>()
  for (const one of value) {
    if (!isObject(one)) return null
    const price = parsePrice(one.price)
    const size = parseSize(one.size)
    if (Number.isNaN(price) || Number.isNaN(size) || prices.has(price)) return null
    prices.add(price)
    levels.push({ price, size })
  }
  return levels
}

function parseTickSize({ asset_id, new_tick_size, timestamp }: Json): ParsedMessage {
  if (typeof asset_id !== 'string' || typeof new_tick_size !== 'string') return MALFORMED_ELEMENT
  const tick = parsePrice(new_tick_size)
  if (!(tick > 0)) return MALFORMED_ELEMENT
  const timestampMs = parseTimestamp(timestamp)
  return { kind: 'tick_size', assetId: asset_id, tickSize: formatPrice(tick), timestampMs }
}

function parseTrade({ asset_id, price, size, side, timestamp, transaction_hash }: Json): ParsedMessage {
  const traded = parsePrice(price)
  if (typeof asset_id !== 'string' || Number.isNaN(traded))
    return { kind: 'ignored', reason: 'last_trade_price' }
  return {
    kind: 'trade',
    assetId: asset_id,
    price: traded,
    size: parseSize(size),
    side: side === 'BUY' || side === 'SELL' ? side : null,
    timestampMs: parseTimestamp(timestamp),
    transaction: textOrNull(transaction_hash)
  }
}

function parseHint({ market }: Json, hint: 'new_market' | 'market_resolved'): ParsedMessage {
  return typeof market === 'string' && CONDITION_ID.test(market)
    ? { kind: 'hint', hint, conditionId: market }
    : MALFORMED_ELEMENT
}

/** Epoch milliseconds, or -1. */
function parseTimestamp(value: unknown): number {
  return typeof value === 'string' && TIMESTAMP.test(value) ? Number(value) : -1
}

/** Only a proof hangs on it, so one that cannot be read is as good as none. */
function bestPrice(value: unknown): PriceE4 {
  const price = parsePrice(value)
  return Number.isNaN(price) ? -1 : price
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function parsePrice(value: unknown): PriceE4 {
  return typeof value === 'string' ? parsePriceE4(value) : Number.NaN
}

function parseSize(value: unknown): SizeE6 {
  return typeof value === 'string' ? parseSizeE6(value) : Number.NaN
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
