import type { Market } from '../../schemas/market.ts'
import { REASONS, SOURCES } from '../integrity/verdict.ts'
import { ONE_E4, writeScaled } from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import type { MarketRecord } from './market-record.ts'
import { priceText, writeSize, writeWhole } from './number-bytes.ts'
import type { SnapshotStore } from './store.ts'
import { writeIsoTime } from './time-bytes.ts'

/**
 * Writes the JSON of a `MarketAggregate` as bytes straight from the arena: byte for byte what the schema's
 * serializer writes for `getAggregate`, without an object or a string in between.
 */

/** Most bytes that a row takes after its head, for `depth` levels a side. */
export function tailBytesMax(depth: number): number {
  return depth * 2 * LEVEL_BYTES_MAX + 2_048
}

/** A price's opening (26), a size's digits and point (17), a closing and a comma (4). */
const LEVEL_BYTES_MAX = 48

/** Returns what a row starts with: everything that does not change with the book. */
export function rowHead({ id, market }: MarketRecord): string {
  return `{"id":${JSON.stringify(id)},"market":${JSON.stringify(inSchemaOrder(market))},"orderBook":{"bids":[`
}

/** A market with its keys in the order of the schema, which `JSON.stringify` keeps. */
function inSchemaOrder(market: Market): Market {
  const { outcomes, tokens, priceBands } = market
  return {
    id: market.id,
    venue: market.venue,
    venueMarketId: market.venueMarketId,
    symbol: market.symbol,
    eventId: market.eventId,
    title: market.title,
    outcomes: { yes: outcomes.yes, no: outcomes.no },
    tokens: tokens === null ? null : { yes: tokens.yes, no: tokens.no },
    status: market.status,
    result: market.result,
    openTime: market.openTime,
    closeTime: market.closeTime,
    eventStartTime: market.eventStartTime,
    priceBands: priceBands.map(({ start, end, step }) => ({ start, end, step })),
    minOrderSize: market.minOrderSize,
    volume: market.volume,
    volume24h: market.volume24h,
    volumeUnit: market.volumeUnit,
    openInterest: market.openInterest
  }
}

/** Writes everything after a row's head and returns the position after it. */
export function writeRowTail(
  store: SnapshotStore,
  record: MarketRecord,
  depth: number,
  bytes: Uint8Array,
  at: number
): number {
  const { arena } = store.books
  const { slot } = record
  const yesBid = arena.priceAt(slot, YES, 0)
  const noBid = arena.priceAt(slot, NO, 0)
  let end = at
  const bids = Math.min(depth, arena.count(slot, YES))
  for (let i = 0; i < bids; i++) {
    end = writeLevel(bytes, end, i, arena.priceAt(slot, YES, i), arena.sizeAt(slot, YES, i))
  }
  end = write(bytes, end, ASKS)
  const asks = Math.min(depth, arena.count(slot, NO))
  for (let i = 0; i < asks; i++) {
    end = writeLevel(bytes, end, i, ONE_E4 - arena.priceAt(slot, NO, i), arena.sizeAt(slot, NO, i))
  }
  end = write(bytes, end, store.books.verdicts.reasons[slot] === 0 ? USABLE : NOT_USABLE)
  end = writeQuote(store, slot, YES, bytes, end)
  end = write(bytes, end, NO_QUOTE)
  end = writeQuote(store, slot, NO, bytes, end)
  end = write(bytes, end, SUMMARY)
  end = writeSummary(bytes, end, yesBid, noBid, record.market.volume)
  end = write(bytes, end, NO_SUMMARY)
  end = writeSummary(bytes, end, noBid, yesBid, record.market.volume)
  bytes[end++] = CLOSE
  end = writeVerdict(store, slot, bytes, end)
  end = write(bytes, end, LAST_UPDATED)
  end = writeInteger(bytes, end, store.books.verdicts.receivedAtMs(slot))
  bytes[end++] = CLOSE
  return end
}

/** Writes a level, after a comma unless it is the first, and returns the position after it. */
export function writeLevel(
  bytes: Uint8Array,
  at: number,
  index: number,
  price: number,
  size: number
): number {
  let end = at
  if (index > 0) bytes[end++] = COMMA
  end = write(bytes, end, levelOpening(price))
  end = writeSize(bytes, end, size)
  bytes[end++] = QUOTE
  bytes[end++] = CLOSE
  return end
}

/** Writes the `Quote` of an outcome and returns the position after it. */
export function writeQuote(
  store: SnapshotStore,
  slot: number,
  outcome: Outcome,
  bytes: Uint8Array,
  at: number
): number {
  const { arena } = store.books
  const other = outcome === YES ? NO : YES
  const bid = arena.priceAt(slot, outcome, 0)
  const otherBid = arena.priceAt(slot, other, 0)
  const ask = otherBid < 0 ? ABSENT : ONE_E4 - otherBid
  const both = bid >= 0 && ask >= 0
  let end = write(bytes, at, BEST_BID)
  end = writePrice(bytes, end, bid)
  end = write(bytes, end, BEST_BID_SIZE)
  end = writeSizeOrNull(bytes, end, bid < 0 ? ABSENT : arena.sizeAt(slot, outcome, 0))
  end = write(bytes, end, BEST_ASK)
  end = writePrice(bytes, end, ask)
  end = write(bytes, end, BEST_ASK_SIZE)
  end = writeSizeOrNull(bytes, end, ask < 0 ? ABSENT : arena.sizeAt(slot, other, 0))
  end = write(bytes, end, MID)
  end = both ? writeMid(bytes, end, bid + ask) : write(bytes, end, NULL)
  end = write(bytes, end, SPREAD)
  end = both ? writeSpread(bytes, end, ask - bid) : write(bytes, end, NULL)
  bytes[end++] = CLOSE
  return end
}

function writeSummary(
  bytes: Uint8Array,
  at: number,
  bid: number,
  otherBid: number,
  volume: string | null
): number {
  let end = write(bytes, at, BID)
  end = writePrice(bytes, end, bid)
  end = write(bytes, end, ASK)
  end = writePrice(bytes, end, otherBid < 0 ? ABSENT : ONE_E4 - otherBid)
  end = write(bytes, end, VOLUME)
  if (volume === null) end = write(bytes, end, NULL)
  else {
    bytes[end++] = QUOTE
    for (let i = 0; i < volume.length; i++) bytes[end++] = volume.charCodeAt(i)
    bytes[end++] = QUOTE
  }
  bytes[end++] = CLOSE
  return end
}

/** Writes `,"verdict":` and the `Verdict` of a slot; returns the position after it. */
export function writeVerdict(store: SnapshotStore, slot: number, bytes: Uint8Array, at: number): number {
  return writeVerdictRest(store, slot, bytes, writeVerdictOpening(store, slot, bytes, at))
}

/** Writes a verdict up to its source: what does not change with every message. */
export function writeVerdictOpening(
  store: SnapshotStore,
  slot: number,
  bytes: Uint8Array,
  at: number
): number {
  const { verdicts } = store.books
  const end = write(bytes, at, VERDICT_OPENINGS.get(verdicts.reason(slot)) as Buffer)
  return write(bytes, end, SOURCE_TEXTS[verdicts.source[slot] as number] as Buffer)
}

/** Writes the rest of a verdict: counter, times, mismatches. */
export function writeVerdictRest(store: SnapshotStore, slot: number, bytes: Uint8Array, at: number): number {
  const { verdicts } = store.books
  let end = writeInteger(bytes, at, verdicts.sequence(slot))
  end = write(bytes, end, VENUE_TIME)
  end = writeIsoTime(bytes, end, verdicts.venueTimeMs(slot))
  end = write(bytes, end, RECEIVED_AT)
  end = writeIsoTime(bytes, end, verdicts.receivedAtMs(slot))
  end = write(bytes, end, VERIFIED_AT)
  end = writeIsoTime(bytes, end, verdicts.verifiedAtMs(slot))
  end = write(bytes, end, MISMATCHES)
  end = writeWhole(bytes, end, verdicts.mismatches[slot] as number)
  bytes[end++] = CLOSE
  return end
}

function writePrice(bytes: Uint8Array, at: number, price: number): number {
  if (price === ABSENT) return write(bytes, at, NULL)
  bytes[at] = QUOTE
  const end = write(bytes, at + 1, priceText(price))
  bytes[end] = QUOTE
  return end + 1
}

function writeSizeOrNull(bytes: Uint8Array, at: number, size: number): number {
  if (size === ABSENT) return write(bytes, at, NULL)
  bytes[at] = QUOTE
  const end = writeSize(bytes, at + 1, size)
  bytes[end] = QUOTE
  return end + 1
}

/** Half of a sum of prices: half a tick is exact with one more decimal. */
function writeMid(bytes: Uint8Array, at: number, sum: number): number {
  bytes[at] = QUOTE
  const end = writeScaled(bytes, at + 1, (sum * 5) | 0, 5)
  bytes[end] = QUOTE
  return end + 1
}

/** A crossed book, as between the parts of a match, has a spread below zero. */
function writeSpread(bytes: Uint8Array, at: number, spread: number): number {
  let end = at
  bytes[end++] = QUOTE
  if (spread < 0) bytes[end++] = MINUS
  end = write(bytes, end, priceText(Math.abs(spread)))
  bytes[end++] = QUOTE
  return end
}

/** Writes a non-negative number without its fraction, or null for NaN. */
function writeInteger(bytes: Uint8Array, at: number, value: number): number {
  return Number.isNaN(value) ? write(bytes, at, NULL) : writeWhole(bytes, at, Math.trunc(value))
}

/** Copies a text and returns the position after it. A loop: these are shorter than what a call into the engine costs. */
export function write(bytes: Uint8Array, at: number, text: Uint8Array): number {
  const length = text.length
  for (let i = 0; i < length; i++) bytes[at + i] = text[i] as number
  return at + length
}

/** Returns a level's text up to its size. */
function levelOpening(price: number): Uint8Array {
  const known = LEVEL_OPENINGS[price]
  if (known !== undefined) return known
  const fresh = Buffer.concat([Buffer.from('{"price":"'), priceText(price), Buffer.from('","size":"')])
  LEVEL_OPENINGS[price] = fresh
  return fresh
}

/** Stands for a price or size that there is none of. */
const ABSENT = -1
const QUOTE = 34
const COMMA = 44
const MINUS = 45
const CLOSE = 125

const LEVEL_OPENINGS = new Array<Uint8Array | undefined>(ONE_E4 + 1).fill(undefined)
const NULL = Buffer.from('null')
const ASKS = Buffer.from('],"asks":[')
const USABLE = Buffer.from(']},"quotes":{"usable":true,"yes":')
const NOT_USABLE = Buffer.from(']},"quotes":{"usable":false,"yes":')
const BEST_BID = Buffer.from('{"bestBid":')
const BEST_BID_SIZE = Buffer.from(',"bestBidSize":')
const BEST_ASK = Buffer.from(',"bestAsk":')
const BEST_ASK_SIZE = Buffer.from(',"bestAskSize":')
const MID = Buffer.from(',"mid":')
const SPREAD = Buffer.from(',"spread":')
const NO_QUOTE = Buffer.from(',"no":')
const SUMMARY = Buffer.from('},"summary":{"yes":')
const NO_SUMMARY = Buffer.from(',"no":')
const BID = Buffer.from('{"bid":')
const ASK = Buffer.from(',"ask":')
const VOLUME = Buffer.from(',"volume":')
const VERDICT_OPENINGS = new Map<string | null, Buffer>([
  [null, Buffer.from(',"verdict":{"state":"live","reason":null,"source":')],
  ...REASONS.map(([reason, state]): [string, Buffer] => [
    reason,
    Buffer.from(`,"verdict":{"state":"${state}","reason":"${reason}","source":`)
  ])
])
const SOURCE_TEXTS = SOURCES.map((source) => Buffer.from(`"${source}","sequence":`))
const VENUE_TIME = Buffer.from(',"venueTime":')
const RECEIVED_AT = Buffer.from(',"receivedAt":')
const VERIFIED_AT = Buffer.from(',"verifiedAt":')
const MISMATCHES = Buffer.from(',"mismatches":')
const LAST_UPDATED = Buffer.from(',"lastUpdatedMs":')
