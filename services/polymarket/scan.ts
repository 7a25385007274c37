import { ONE_E4, PRICE_DECIMALS, parseScaledBytes, SIZE_DECIMALS } from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import { foldHashBytes } from './hash-fold.ts'

/** More elements than this in one message take the generic path; the venue sends two. */
const MAX_CHANGES = 64

const GIVE_UP = -1

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const SPACE = 0x20
const POINT = 0x2e
const ZERO = 0x30
const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]

const KEYS = {
  assetId: Buffer.from('asset_id'),
  timestamp: Buffer.from('timestamp'),
  hash: Buffer.from('hash'),
  eventType: Buffer.from('event_type'),
  priceChanges: Buffer.from('price_changes'),
  bids: Buffer.from('bids'),
  asks: Buffer.from('asks'),
  price: Buffer.from('price'),
  size: Buffer.from('size'),
  side: Buffer.from('side')
}
const BOOK = Buffer.from('book')
const PRICE_CHANGE = Buffer.from('price_change')
const BUY = Buffer.from('BUY')
const SELL = Buffer.from('SELL')

/** 1 for the bytes that stand for themselves inside a JSON string; the quote and the backslash do not. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= SPACE && byte < 0x80 && byte !== QUOTE && byte !== 0x5c ? 1 : 0
)

const SEEN_ASSET = 1
const SEEN_TIMESTAMP = 2
const SEEN_HASH = 4
const SEEN_TYPE = 8
const SEEN_CHANGES = 16
const SEEN_BIDS = 32
const SEEN_ASKS = 64
const SEEN_PRICE = 128
const SEEN_SIZE = 256
const SEEN_SIDE = 512

const LISTS = SEEN_CHANGES | SEEN_BIDS | SEEN_ASKS
const WHOLE_BOOK = SEEN_ASSET | SEEN_TIMESTAMP | SEEN_TYPE | SEEN_BIDS | SEEN_ASKS
const WHOLE_CHANGES = SEEN_TIMESTAMP | SEEN_TYPE | SEEN_CHANGES
const WHOLE_CHANGE = SEEN_ASSET | SEEN_PRICE | SEEN_SIZE | SEEN_SIDE

/**
 * Reads the two hot messages, `price_change` and a single `book`, from the bytes of a frame without making a string
 * or an object. It accepts what it fully understands (keys in any order, any white space, text values only) and
 * gives up on everything else: an escape, a key twice, a number that does not fit. `parse.ts` then decides, with the
 * same result for what both accept, so this file is an optimisation that can be deleted.
 */
export class FrameScanner {
  isBook = false
  /** Epoch milliseconds. */
  timestampMs = 0
  /** Elements of a `price_change`; a `book` has its asset and hash at 0. */
  count = 0
  readonly assetStart = new Int32Array(MAX_CHANGES)
  readonly assetEnd = new Int32Array(MAX_CHANGES)
  readonly price = new Int32Array(MAX_CHANGES)
  readonly size = new Float64Array(MAX_CHANGES)
  readonly outcome = new Uint8Array(MAX_CHANGES)
  readonly hash = new Float64Array(MAX_CHANGES)
  /** Of a `book`, ascending: bids for the asset, and its asks as bids for the complement. */
  readonly bids: LevelList
  readonly asks: LevelList

  constructor(bids = new LevelList(), asks = new LevelList()) {
    this.bids = bids
    this.asks = asks
  }

  /** Reads one frame; false when the generic path must decide. Valid until the next call. */
  read(frame: Uint8Array): boolean {
    this.count = 0
    let at = skipBlanks(frame, 0)
    if (frame[at] === OPEN_OBJECT) at = this.message(frame, at + 1)
    else if (frame[at] === OPEN_ARRAY) {
      at = skipBlanks(frame, at + 1)
      if (frame[at] !== OPEN_OBJECT) return false
      at = this.message(frame, at + 1)
      if (at < 0) return false
      at = skipBlanks(frame, at)
      if (frame[at++] !== CLOSE_ARRAY) return false
    } else return false
    return at >= 0 && skipBlanks(frame, at) === frame.length
  }

  // Each of the readers below starts after an opening mark and returns the position after the closing one, or GIVE_UP.

  private message(bytes: Uint8Array, start: number): number {
    let at = start
    let seen = 0
    let isBook = false
    for (;;) {
      const keyStart = skipBlanks(bytes, at) + 1
      const keyEnd = stringEnd(bytes, keyStart)
      if (keyEnd < 0) return GIVE_UP
      const key = messageKey(bytes, keyStart, keyEnd)
      if ((seen & key) !== 0) return GIVE_UP
      seen |= key
      at = valueStart(bytes, keyEnd)
      if (at < 0) return GIVE_UP
      if ((key & LISTS) !== 0) {
        if (bytes[at] !== OPEN_ARRAY) return GIVE_UP
        if (key === SEEN_CHANGES) at = this.changes(bytes, at + 1)
        else
          at =
            key === SEEN_BIDS ? levels(bytes, at + 1, this.bids, YES) : levels(bytes, at + 1, this.asks, NO)
        if (at < 0) return GIVE_UP
      } else {
        const from = at + 1
        const to = stringEnd(bytes, from)
        if (to < 0) return GIVE_UP
        if (key === SEEN_ASSET) {
          this.assetStart[0] = from
          this.assetEnd[0] = to
        } else if (key === SEEN_HASH) this.hash[0] = foldHashBytes(bytes, from, to)
        else if (key === SEEN_TIMESTAMP) {
          this.timestampMs = readTimestamp(bytes, from, to)
          if (this.timestampMs < 0) return GIVE_UP
        } else if (key === SEEN_TYPE) {
          isBook = equals(bytes, from, to, BOOK)
          if (!isBook && !equals(bytes, from, to, PRICE_CHANGE)) return GIVE_UP
        }
        at = to + 1
      }
      at = skipBlanks(bytes, at)
      const mark = bytes[at++]
      if (mark === CLOSE_OBJECT) break
      if (mark !== COMMA) return GIVE_UP
    }
    this.isBook = isBook
    // A `price_change` with an asset or a hash of its own is of a historic shape.
    if (!isBook) return (seen & (WHOLE_CHANGES | SEEN_ASSET | SEEN_HASH)) === WHOLE_CHANGES ? at : GIVE_UP
    if ((seen & SEEN_HASH) === 0) this.hash[0] = -1
    if ((seen & (WHOLE_BOOK | SEEN_CHANGES)) !== WHOLE_BOOK) return GIVE_UP
    return this.bids.sort() && this.asks.sort() ? at : GIVE_UP
  }

  private changes(bytes: Uint8Array, start: number): number {
    let at = skipBlanks(bytes, start)
    if (bytes[at] === CLOSE_ARRAY) return at + 1
    for (;;) {
      if (bytes[at] !== OPEN_OBJECT || this.count === MAX_CHANGES) return GIVE_UP
      at = this.change(bytes, at + 1, this.count++)
      if (at < 0) return GIVE_UP
      at = skipBlanks(bytes, at)
      const mark = bytes[at++]
      if (mark === CLOSE_ARRAY) return at
      if (mark !== COMMA) return GIVE_UP
      at = skipBlanks(bytes, at)
    }
  }

  private change(bytes: Uint8Array, start: number, index: number): number {
    let at = start
    let seen = 0
    this.hash[index] = -1
    for (;;) {
      const keyStart = skipBlanks(bytes, at) + 1
      const keyEnd = stringEnd(bytes, keyStart)
      if (keyEnd < 0) return GIVE_UP
      const key = changeKey(bytes, keyStart, keyEnd)
      if ((seen & key) !== 0) return GIVE_UP
      seen |= key
      const from = valueStart(bytes, keyEnd) + 1
      const to = stringEnd(bytes, from)
      if (to < 0) return GIVE_UP
      if (key === SEEN_ASSET) {
        this.assetStart[index] = from
        this.assetEnd[index] = to
      } else if (key === SEEN_PRICE) {
        const price = readPrice(bytes, from, to)
        if (price < 0) return GIVE_UP
        this.price[index] = price
      } else if (key === SEEN_SIZE) {
        const size = readSize(bytes, from, to)
        if (size < 0) return GIVE_UP
        this.size[index] = size
      } else if (key === SEEN_SIDE) {
        if (equals(bytes, from, to, BUY)) this.outcome[index] = YES
        else if (equals(bytes, from, to, SELL)) this.outcome[index] = NO
        else return GIVE_UP
      } else if (key === SEEN_HASH) this.hash[index] = foldHashBytes(bytes, from, to)
      at = skipBlanks(bytes, to + 1)
      const mark = bytes[at++]
      if (mark === CLOSE_OBJECT) break
      if (mark !== COMMA) return GIVE_UP
    }
    return (seen & WHOLE_CHANGE) === WHOLE_CHANGE ? at : GIVE_UP
  }
}

function levels(bytes: Uint8Array, start: number, list: LevelList, outcome: Outcome): number {
  list.clear()
  let at = skipBlanks(bytes, start)
  if (bytes[at] === CLOSE_ARRAY) return at + 1
  for (;;) {
    if (bytes[at++] !== OPEN_OBJECT) return GIVE_UP
    let price = -1
    let size = -1
    for (;;) {
      const keyStart = skipBlanks(bytes, at) + 1
      const keyEnd = stringEnd(bytes, keyStart)
      if (keyEnd < 0) return GIVE_UP
      const from = valueStart(bytes, keyEnd) + 1
      const to = stringEnd(bytes, from)
      if (to < 0) return GIVE_UP
      if (price < 0 && equals(bytes, keyStart, keyEnd, KEYS.price)) {
        price = readPrice(bytes, from, to)
        if (price < 0) return GIVE_UP
      } else if (size < 0 && equals(bytes, keyStart, keyEnd, KEYS.size)) {
        size = readSize(bytes, from, to)
        if (size < 0) return GIVE_UP
      } else return GIVE_UP
      at = skipBlanks(bytes, to + 1)
      const mark = bytes[at++]
      if (mark === CLOSE_OBJECT) break
      if (mark !== COMMA) return GIVE_UP
    }
    if (price < 0 || size < 0 || !list.push(outcome === YES ? price : ONE_E4 - price, size)) return GIVE_UP
    at = skipBlanks(bytes, at)
    const mark = bytes[at++]
    if (mark === CLOSE_ARRAY) return at
    if (mark !== COMMA) return GIVE_UP
    at = skipBlanks(bytes, at)
  }
}

function messageKey(bytes: Uint8Array, start: number, end: number): number {
  switch (end - start) {
    case 4:
      if (equals(bytes, start, end, KEYS.hash)) return SEEN_HASH
      if (equals(bytes, start, end, KEYS.bids)) return SEEN_BIDS
      return equals(bytes, start, end, KEYS.asks) ? SEEN_ASKS : 0
    case 8:
      return equals(bytes, start, end, KEYS.assetId) ? SEEN_ASSET : 0
    case 9:
      return equals(bytes, start, end, KEYS.timestamp) ? SEEN_TIMESTAMP : 0
    case 10:
      return equals(bytes, start, end, KEYS.eventType) ? SEEN_TYPE : 0
    case 13:
      return equals(bytes, start, end, KEYS.priceChanges) ? SEEN_CHANGES : 0
    default:
      return 0
  }
}

function changeKey(bytes: Uint8Array, start: number, end: number): number {
  switch (end - start) {
    case 4:
      if (equals(bytes, start, end, KEYS.size)) return SEEN_SIZE
      if (equals(bytes, start, end, KEYS.side)) return SEEN_SIDE
      return equals(bytes, start, end, KEYS.hash) ? SEEN_HASH : 0
    case 5:
      return equals(bytes, start, end, KEYS.price) ? SEEN_PRICE : 0
    case 8:
      return equals(bytes, start, end, KEYS.assetId) ? SEEN_ASSET : 0
    default:
      return 0
  }
}

/** Returns the position of the first byte from `at` on that is no white space; the frame's length if there is none. */
function skipBlanks(bytes: Uint8Array, start: number): number {
  let at = start
  while (at < bytes.length) {
    const byte = bytes[at] as number
    if (byte > SPACE || (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return at
    at++
  }
  return at
}

/** Returns the position of the closing quote of a string whose opening one is just before `start`, or GIVE_UP. */
function stringEnd(bytes: Uint8Array, start: number): number {
  const { length } = bytes
  if (start <= 0 || start > length || bytes[start - 1] !== QUOTE) return GIVE_UP
  let at = start
  while (at < length && PLAIN[bytes[at] as number] === 1) at++
  return at < length && bytes[at] === QUOTE ? at : GIVE_UP
}

/** Returns the position of the value of a key whose closing quote is at `keyEnd`; -2 if there is none. */
function valueStart(bytes: Uint8Array, keyEnd: number): number {
  const colon = skipBlanks(bytes, keyEnd + 1)
  if (colon >= bytes.length || bytes[colon] !== COLON) return -2
  return skipBlanks(bytes, colon + 1)
}

function equals(bytes: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  if (end - start !== key.length) return false
  for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false
  return true
}

/** A price that fits, or -1. Nearly all are `0.` and up to four digits; the rest is for the general reader. */
function readPrice(bytes: Uint8Array, start: number, end: number): number {
  const decimals = end - start - 2
  if (decimals >= 1 && decimals <= PRICE_DECIMALS && bytes[start] === ZERO && bytes[start + 1] === POINT) {
    const price = readDigits(bytes, start + 2, end)
    if (price >= 0) return price * (POWERS[PRICE_DECIMALS - decimals] as number)
  }
  const price = parseScaledBytes(bytes, start, end, PRICE_DECIMALS)
  return price >= 0 && price <= ONE_E4 ? price : -1
}

/** A size that fits, or -1. Nearly all have up to nine digits and two decimals; the rest is for the general reader. */
function readSize(bytes: Uint8Array, start: number, end: number): number {
  let point = end
  for (let at = end - 1; at >= start && at >= end - 3; at--) if (bytes[at] === POINT) point = at
  const decimals = end - point - 1
  if (point > start && point - start <= 9 && decimals !== 0) {
    const whole = readDigits(bytes, start, point)
    const rest = decimals < 0 ? 0 : readDigits(bytes, point + 1, end)
    if (whole >= 0 && rest >= 0)
      return whole * 1_000_000 + rest * (POWERS[SIZE_DECIMALS - Math.max(decimals, 0)] as number)
  }
  const size = parseScaledBytes(bytes, start, end, SIZE_DECIMALS)
  return size >= 0 ? size : -1
}

/** The integer that at most nine digits make, or -1. */
function readDigits(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** Epoch milliseconds from 1 to 15 digits, or -1. */
function readTimestamp(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length < 1 || length > 15) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}
