import { ONE_E4, PRICE_DECIMALS, parseScaledBytes, SIZE_DECIMALS } from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import { foldHashBytes } from './hash-fold.ts'

/** More elements than this in one message take the generic path; the venue sends two. */
const MAX_CHANGES = 64

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const SPACE = 0x20

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

const WHOLE_BOOK = SEEN_ASSET | SEEN_TIMESTAMP | SEEN_TYPE | SEEN_BIDS | SEEN_ASKS
const WHOLE_CHANGES = SEEN_TIMESTAMP | SEEN_TYPE | SEEN_CHANGES
const WHOLE_ELEMENT = SEEN_ASSET | SEEN_PRICE | SEEN_SIZE | SEEN_SIDE

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
  private bytes: Uint8Array = Buffer.alloc(0)
  private at = 0
  private stringStart = 0
  private stringEnd = 0

  constructor(bids = new LevelList(), asks = new LevelList()) {
    this.bids = bids
    this.asks = asks
  }

  /** Reads one frame; false when the generic path must decide. Valid until the next call. */
  read(frame: Uint8Array): boolean {
    this.bytes = frame
    this.at = 0
    this.count = 0
    const first = this.next()
    if (first === OPEN_OBJECT) return this.message() && this.next() === -1
    if (first !== OPEN_ARRAY || this.next() !== OPEN_OBJECT) return false
    return this.message() && this.next() === CLOSE_ARRAY && this.next() === -1
  }

  /** One message, from after its opening brace to its closing one. */
  private message(): boolean {
    const { bytes } = this
    let seen = 0
    let kind = 0
    for (let mark = this.next(); ; mark = this.next()) {
      if (mark !== QUOTE || !this.string()) return false
      const key = this.messageKey()
      if (key !== 0 && (seen & key) !== 0) return false
      seen |= key
      if (this.next() !== COLON) return false
      const value = this.next()
      if (key === SEEN_BIDS || key === SEEN_ASKS) {
        if (value !== OPEN_ARRAY || !this.levels(key === SEEN_BIDS ? YES : NO)) return false
      } else if (key === SEEN_CHANGES) {
        if (value !== OPEN_ARRAY || !this.changes()) return false
      } else {
        if (value !== QUOTE || !this.string()) return false
        const { stringStart: start, stringEnd: end } = this
        if (key === SEEN_ASSET) {
          // A `price_change` with an asset of its own is of a historic shape.
          this.assetStart[0] = start
          this.assetEnd[0] = end
        } else if (key === SEEN_HASH) this.hash[0] = foldHashBytes(bytes, start, end)
        else if (key === SEEN_TIMESTAMP) {
          this.timestampMs = readTimestamp(bytes, start, end)
          if (this.timestampMs < 0) return false
        } else if (key === SEEN_TYPE) {
          if (equals(bytes, start, end, PRICE_CHANGE)) kind = SEEN_CHANGES
          else if (equals(bytes, start, end, BOOK)) kind = SEEN_BIDS
          else return false
        }
      }
      const after = this.next()
      if (after === CLOSE_OBJECT) break
      if (after !== COMMA) return false
    }
    this.isBook = kind === SEEN_BIDS
    if (!this.isBook) return (seen & (WHOLE_CHANGES | SEEN_ASSET | SEEN_HASH)) === WHOLE_CHANGES
    if ((seen & SEEN_HASH) === 0) this.hash[0] = -1
    return (seen & (WHOLE_BOOK | SEEN_CHANGES)) === WHOLE_BOOK && this.bids.sort() && this.asks.sort()
  }

  private changes(): boolean {
    let mark = this.next()
    if (mark === CLOSE_ARRAY) return true
    for (; ; mark = this.next()) {
      if (mark !== OPEN_OBJECT || this.count === MAX_CHANGES || !this.change()) return false
      this.count++
      const after = this.next()
      if (after === CLOSE_ARRAY) return true
      if (after !== COMMA) return false
    }
  }

  private change(): boolean {
    const { bytes, count } = this
    let seen = 0
    for (let mark = this.next(); ; mark = this.next()) {
      if (mark !== QUOTE || !this.string()) return false
      const key = this.elementKey()
      if (key !== 0 && (seen & key) !== 0) return false
      seen |= key
      if (this.next() !== COLON || this.next() !== QUOTE || !this.string()) return false
      const { stringStart: start, stringEnd: end } = this
      if (key === SEEN_ASSET) {
        this.assetStart[count] = start
        this.assetEnd[count] = end
      } else if (key === SEEN_PRICE) {
        const price = parseScaledBytes(bytes, start, end, PRICE_DECIMALS)
        if (!(price >= 0 && price <= ONE_E4)) return false
        this.price[count] = price
      } else if (key === SEEN_SIZE) {
        const size = parseScaledBytes(bytes, start, end, SIZE_DECIMALS)
        if (!(size >= 0)) return false
        this.size[count] = size
      } else if (key === SEEN_SIDE) {
        if (equals(bytes, start, end, BUY)) this.outcome[count] = YES
        else if (equals(bytes, start, end, SELL)) this.outcome[count] = NO
        else return false
      } else if (key === SEEN_HASH) this.hash[count] = foldHashBytes(bytes, start, end)
      const after = this.next()
      if (after === CLOSE_OBJECT) break
      if (after !== COMMA) return false
    }
    if ((seen & SEEN_HASH) === 0) this.hash[count] = -1
    return (seen & WHOLE_ELEMENT) === WHOLE_ELEMENT
  }

  private levels(outcome: Outcome): boolean {
    const list = outcome === YES ? this.bids : this.asks
    list.clear()
    let mark = this.next()
    if (mark === CLOSE_ARRAY) return true
    for (; ; mark = this.next()) {
      if (mark !== OPEN_OBJECT || !this.level(list, outcome)) return false
      const after = this.next()
      if (after === CLOSE_ARRAY) return true
      if (after !== COMMA) return false
    }
  }

  private level(list: LevelList, outcome: Outcome): boolean {
    const { bytes } = this
    let price = -1
    let size = -1
    for (let mark = this.next(); ; mark = this.next()) {
      if (mark !== QUOTE || !this.string()) return false
      const isPrice = equals(bytes, this.stringStart, this.stringEnd, KEYS.price)
      if (!isPrice && !equals(bytes, this.stringStart, this.stringEnd, KEYS.size)) return false
      if (this.next() !== COLON || this.next() !== QUOTE || !this.string()) return false
      const { stringStart: start, stringEnd: end } = this
      if (isPrice) {
        if (price !== -1) return false
        price = parseScaledBytes(bytes, start, end, PRICE_DECIMALS)
        if (!(price >= 0 && price <= ONE_E4)) return false
      } else {
        if (size !== -1) return false
        size = parseScaledBytes(bytes, start, end, SIZE_DECIMALS)
        if (!(size >= 0)) return false
      }
      const after = this.next()
      if (after === CLOSE_OBJECT) break
      if (after !== COMMA) return false
    }
    return price >= 0 && size >= 0 && list.push(outcome === YES ? price : ONE_E4 - price, size)
  }

  private messageKey(): number {
    const { bytes, stringStart: start, stringEnd: end } = this
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

  private elementKey(): number {
    const { bytes, stringStart: start, stringEnd: end } = this
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

  /** Steps over white space and returns the byte after it, which is consumed; -1 at the end of the frame. */
  private next(): number {
    const { bytes } = this
    const end = bytes.length
    let at = this.at
    while (at < end) {
      const byte = bytes[at++] as number
      if (byte > SPACE || !isBlank(byte)) {
        this.at = at
        return byte
      }
    }
    this.at = at
    return -1
  }

  /** Reads a string from after its opening quote; false where it is not plain ASCII or has no end. */
  private string(): boolean {
    const { bytes, at: start } = this
    const end = bytes.length
    let at = start
    while (at < end && PLAIN[bytes[at] as number] === 1) at++
    if (at === end || bytes[at] !== QUOTE) return false
    this.stringStart = start
    this.stringEnd = at
    this.at = at + 1
    return true
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function equals(bytes: Uint8Array, start: number, end: number, key: Buffer): boolean {
  if (end - start !== key.length) return false
  for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false
  return true
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
