import { ONE_E4 } from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import { BYTES, digitsEnd, FixedText, hold, skipBlanks, stringEnd } from '../venue/frame-bytes.ts'
import { ChangeList, MAX_CHANGES } from './change-list.ts'
import { foldHashBytes } from './hash-fold.ts'
import {
  GIVE_UP,
  isAt,
  isWord,
  numberEnd,
  readPrice,
  readSize,
  readTimestamp,
  VIEW,
  valueStart,
  word
} from './scan-bytes.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const SPACE = 0x20
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

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

// Texts with their closing quote, and the first four bytes that tell them apart.
const ASSET_ID = Buffer.from('asset_id"')
const TIMESTAMP = Buffer.from('timestamp"')
const EVENT_TYPE = Buffer.from('event_type"')
const PRICE_CHANGES = Buffer.from('price_changes"')
const PRICE_CHANGE = Buffer.from('price_change"')
const PRICE = Buffer.from('price"')
const BOOK = Buffer.from('book"')
const ASSE = word('asse')
const TIME = word('time')
const EVEN = word('even')
const BIDS = word('bids')
const ASKS = word('asks')
const PRIC = word('pric')
const SIZE = word('size')
const SIDE = word('side')
const HASH_WORD = word('hash')
const BUY_QUOTE = word('BUY"')
const SELL = word('SELL')

// The starts of levels and elements as the venue prints them, four bytes at a time.
const LEVEL_1 = word('{"pr')
const LEVEL_2 = word('ice"')
const COLON_QUOTE = 0x223a
const ASSET_1 = word('"ass')
const ASSET_2 = word('et_i')
const ASSET_3 = word('d":"')
const PRICE_1 = word('"pri')
const PRICE_2 = word('ce":')
const SIZE_1 = word('"siz')
const SIDE_1 = word('"sid')
const E_VALUE = word('e":"')
const BEST_1 = word('"bes')
const BID_2 = word('t_bi')
const BID_3 = word('d":"')
const ASK_2 = word('t_as')
const ASK_3 = word('k":"')
const HASH_1 = word('"has')
const HASH_2 = word('h":"')

// What surrounds the elements of a `price_change` as the venue prints it.
const MARKET = new FixedText('"market":"')
const CHANGES = new FixedText('", "price_changes":[')
const TIMESTAMP_KEY = new FixedText(', "timestamp":"')
const TYPE_AND_END = new FixedText('", "event_type":"price_change"}')

/**
 * Reads the two hot messages, `price_change` and a single `book`, from the bytes of a frame without making a string
 * or an object. It accepts what it fully understands (keys in any order, any white space, text values only) and
 * gives up on everything else: an escape, a key twice, a number that does not fit. `parse.ts` then decides, with the
 * same result for what both accept, so this file is an optimisation that can be deleted.
 */
export class FrameScanner {
  isBook = false
  /** The elements of a `price_change`. */
  readonly list: ChangeList
  /** Of a `book`, ascending: bids for the asset, and its asks as bids for the complement. */
  readonly bids: LevelList
  readonly asks: LevelList

  constructor(list = new ChangeList(), bids = new LevelList(), asks = new LevelList()) {
    this.list = list
    this.bids = bids
    this.asks = asks
  }

  /** Reads one frame; false when the generic path must decide. Valid until the next call. */
  read(frame: Uint8Array): boolean {
    if (!hold(frame)) return false
    this.list.count = 0
    let at = skipBlanks(0)
    if (BYTES[at] === OPEN_OBJECT) at = this.message(at + 1)
    else if (BYTES[at] === OPEN_ARRAY) {
      at = skipBlanks(at + 1)
      if (BYTES[at] !== OPEN_OBJECT) return false
      at = this.message(at + 1)
      if (at < 0) return false
      at = skipBlanks(at)
      if (BYTES[at++] !== CLOSE_ARRAY) return false
    } else return false
    return at >= 0 && skipBlanks(at) === frame.length
  }

  // Each of the readers below starts after an opening mark and returns the position after the closing one, or GIVE_UP.

  private message(start: number): number {
    const usual = this.usualChanges(start)
    if (usual >= 0) return usual
    this.list.count = 0
    let at = start
    let seen = 0
    let isBook = false
    for (;;) {
      at = skipBlanks(at)
      if (BYTES[at++] !== QUOTE) return GIVE_UP
      const key = messageKey(at)
      if ((seen & key) !== 0) return GIVE_UP
      seen |= key
      at = stringEnd(at)
      if (at < 0) return GIVE_UP
      at = valueStart(at)
      if (at < 0) return GIVE_UP
      if ((key & LISTS) !== 0) {
        if (BYTES[at++] !== OPEN_ARRAY) return GIVE_UP
        if (key === SEEN_CHANGES) at = this.changes(at)
        else at = key === SEEN_BIDS ? levels(at, this.bids, YES) : levels(at, this.asks, NO)
        if (at < 0) return GIVE_UP
      } else {
        if (BYTES[at++] !== QUOTE) return GIVE_UP
        const end = stringEnd(at)
        if (end < 0) return GIVE_UP
        if (key === SEEN_ASSET) {
          this.list.assetStart[0] = at
          this.list.assetEnd[0] = end
        } else if (key === SEEN_HASH) this.list.hash[0] = foldHashBytes(BYTES, at, end)
        else if (key === SEEN_TIMESTAMP) {
          const timestampMs = readTimestamp(at, end)
          if (timestampMs < 0) return GIVE_UP
          this.list.timestampMs[0] = timestampMs
        } else if (key === SEEN_TYPE) {
          isBook = isAt(BOOK, at)
          if (!isBook && !isAt(PRICE_CHANGE, at)) return GIVE_UP
        }
        at = end + 1
      }
      at = skipBlanks(at)
      const mark = BYTES[at++]
      if (mark === CLOSE_OBJECT) break
      if (mark !== COMMA) return GIVE_UP
    }
    this.isBook = isBook
    // A `price_change` with an asset or a hash of its own is of a historic shape.
    if (!isBook) return (seen & (WHOLE_CHANGES | SEEN_ASSET | SEEN_HASH)) === WHOLE_CHANGES ? at : GIVE_UP
    if ((seen & SEEN_HASH) === 0) this.list.hash[0] = -1
    if ((seen & (WHOLE_BOOK | SEEN_CHANGES)) !== WHOLE_BOOK) return GIVE_UP
    return this.bids.sort() && this.asks.sort() ? at : GIVE_UP
  }

  /** Reads a `price_change` as the venue prints it; GIVE_UP leaves it to `message`. */
  private usualChanges(start: number): number {
    if (!MARKET.isAt(start)) return GIVE_UP
    const marketEnd = stringEnd(start + MARKET.length)
    if (marketEnd < 0 || !CHANGES.isAt(marketEnd)) return GIVE_UP
    const at = this.changes(marketEnd + CHANGES.length)
    if (at < 0 || !TIMESTAMP_KEY.isAt(at)) return GIVE_UP
    const timestampStart = at + TIMESTAMP_KEY.length
    const timestampEnd = digitsEnd(timestampStart)
    if (!TYPE_AND_END.isAt(timestampEnd)) return GIVE_UP
    const timestampMs = readTimestamp(timestampStart, timestampEnd)
    if (timestampMs < 0) return GIVE_UP
    this.list.timestampMs[0] = timestampMs
    this.isBook = false
    return timestampEnd + TYPE_AND_END.length
  }

  private changes(start: number): number {
    let at = skipBlanks(start)
    if (BYTES[at] === CLOSE_ARRAY) return at + 1
    for (;;) {
      if (BYTES[at] !== OPEN_OBJECT || this.list.count === MAX_CHANGES) return GIVE_UP
      at = this.change(at + 1, this.list.count++)
      if (at < 0) return GIVE_UP
      at = skipBlanks(at)
      const mark = BYTES[at++]
      if (mark === CLOSE_ARRAY) return at
      if (mark !== COMMA) return GIVE_UP
      at = skipBlanks(at)
    }
  }

  private change(start: number, index: number): number {
    let at = this.usualChange(start, index)
    let seen = 0
    if (at < 0) {
      at = start
      this.list.hash[index] = -1
    } else {
      seen = WHOLE_CHANGE | SEEN_HASH
      at = skipBlanks(at)
      const mark = BYTES[at++]
      if (mark === CLOSE_OBJECT) return at
      if (mark !== COMMA) return GIVE_UP
    }
    for (;;) {
      at = skipBlanks(at)
      if (BYTES[at++] !== QUOTE) return GIVE_UP
      const key = changeKey(at)
      if ((seen & key) !== 0) return GIVE_UP
      seen |= key
      at = stringEnd(at)
      if (at < 0) return GIVE_UP
      at = valueStart(at)
      if (at < 0 || BYTES[at++] !== QUOTE) return GIVE_UP
      let end: number
      if (key === SEEN_PRICE) {
        const price = readPrice(at)
        if (price < 0) return GIVE_UP
        this.list.price[index] = price
        end = numberEnd
      } else if (key === SEEN_SIZE) {
        const size = readSize(at)
        if (size < 0) return GIVE_UP
        this.list.size[index] = size
        end = numberEnd
      } else if (key === SEEN_SIDE) {
        const isBuy = isWord(at, BUY_QUOTE)
        if (!isBuy && (!isWord(at, SELL) || BYTES[at + 4] !== QUOTE)) return GIVE_UP
        this.list.outcome[index] = isBuy ? YES : NO
        end = isBuy ? at + 3 : at + 4
      } else {
        end = stringEnd(at)
        if (end < 0) return GIVE_UP
        if (key === SEEN_ASSET) {
          this.list.assetStart[index] = at
          this.list.assetEnd[index] = end
        } else if (key === SEEN_HASH) this.list.hash[index] = foldHashBytes(BYTES, at, end)
      }
      at = skipBlanks(end + 1)
      const mark = BYTES[at++]
      if (mark === CLOSE_OBJECT) break
      if (mark !== COMMA) return GIVE_UP
    }
    return (seen & WHOLE_CHANGE) === WHOLE_CHANGE ? at : GIVE_UP
  }

  /** Reads the five keys that matter in the order in which the venue prints them; GIVE_UP leaves it to `change`. */
  private usualChange(start: number, index: number): number {
    if (!isWord(start, ASSET_1) || !isWord(start + 4, ASSET_2) || !isWord(start + 8, ASSET_3)) return GIVE_UP
    const assetEnd = stringEnd(start + 12)
    if (assetEnd < 0) return GIVE_UP
    let at = afterComma(assetEnd + 1)
    if (at < 0 || !isWord(at, PRICE_1) || !isWord(at + 4, PRICE_2) || BYTES[at + 8] !== QUOTE) return GIVE_UP
    const price = readPrice(at + 9)
    if (price < 0) return GIVE_UP
    at = afterComma(numberEnd + 1)
    if (at < 0 || !isWord(at, SIZE_1) || !isWord(at + 4, E_VALUE)) return GIVE_UP
    const size = readSize(at + 8)
    if (size < 0) return GIVE_UP
    at = afterComma(numberEnd + 1)
    if (at < 0 || !isWord(at, SIDE_1) || !isWord(at + 4, E_VALUE)) return GIVE_UP
    const isBuy = isWord(at + 8, BUY_QUOTE)
    if (!isBuy && (!isWord(at + 8, SELL) || BYTES[at + 12] !== QUOTE)) return GIVE_UP
    at = afterComma(isBuy ? at + 12 : at + 13)
    if (at < 0 || !isWord(at, HASH_1) || !isWord(at + 4, HASH_2)) return GIVE_UP
    const hashEnd = stringEnd(at + 8)
    if (hashEnd < 0) return GIVE_UP
    this.list.assetStart[index] = start + 12
    this.list.assetEnd[index] = assetEnd
    this.list.price[index] = price
    this.list.size[index] = size
    this.list.outcome[index] = isBuy ? YES : NO
    this.list.hash[index] = foldHashBytes(BYTES, at + 8, hashEnd)
    return usualBest(usualBest(hashEnd + 1, BID_2, BID_3), ASK_2, ASK_3)
  }
}

/** Steps over a best price if it stands there as the venue prints it: it tells nothing that the book does not. */
function usualBest(start: number, second: number, third: number): number {
  const at = afterComma(start)
  if (at < 0 || !isWord(at, BEST_1) || !isWord(at + 4, second) || !isWord(at + 8, third)) return start
  const end = stringEnd(at + 12)
  return end < 0 ? start : end + 1
}

/** Steps over a comma and the blank after it, if there is one. */
function afterComma(at: number): number {
  if (BYTES[at] !== COMMA) return GIVE_UP
  return BYTES[at + 1] === SPACE ? at + 2 : at + 1
}

function levels(start: number, list: LevelList, outcome: Outcome): number {
  list.clear()
  let at = skipBlanks(start)
  if (BYTES[at] === CLOSE_ARRAY) return at + 1
  for (;;) {
    const end = usualLevel(at, list, outcome)
    at = end < 0 ? level(at, list, outcome) : end
    if (at < 0) return GIVE_UP
    let mark = BYTES[at++]
    if (mark !== COMMA && mark !== CLOSE_ARRAY) {
      at = skipBlanks(at - 1)
      mark = BYTES[at++]
    }
    if (mark === CLOSE_ARRAY) return at
    if (mark !== COMMA) return GIVE_UP
    at = skipBlanks(at)
  }
}

/** Reads a level as the venue prints it, a blank after the comma or none: levels are all but all of a book. */
function usualLevel(start: number, list: LevelList, outcome: Outcome): number {
  if (!isWord(start, LEVEL_1) || !isWord(start + 4, LEVEL_2)) return GIVE_UP
  if (VIEW.getUint16(start + 8, true) !== COLON_QUOTE) return GIVE_UP
  const price = readPrice(start + 10)
  if (price < 0) return GIVE_UP
  const at = afterComma(numberEnd + 1)
  if (at < 0 || !isWord(at, SIZE_1) || !isWord(at + 4, E_VALUE)) return GIVE_UP
  const size = readSize(at + 8)
  if (size < 0 || BYTES[numberEnd + 1] !== CLOSE_OBJECT) return GIVE_UP
  return list.push(outcome === YES ? price : ONE_E4 - price, size) ? numberEnd + 2 : GIVE_UP
}

/** Reads a level with its two keys in any order and any white space. */
function level(start: number, list: LevelList, outcome: Outcome): number {
  let at = start
  if (BYTES[at++] !== OPEN_OBJECT) return GIVE_UP
  let price = -1
  let size = -1
  for (;;) {
    at = skipBlanks(at)
    if (BYTES[at++] !== QUOTE) return GIVE_UP
    const key = changeKey(at)
    at = stringEnd(at)
    if (at < 0) return GIVE_UP
    at = valueStart(at)
    if (at < 0 || BYTES[at++] !== QUOTE) return GIVE_UP
    if (key === SEEN_PRICE && price < 0) {
      price = readPrice(at)
      if (price < 0) return GIVE_UP
    } else if (key === SEEN_SIZE && size < 0) {
      size = readSize(at)
      if (size < 0) return GIVE_UP
    } else return GIVE_UP
    at = skipBlanks(numberEnd + 1)
    const mark = BYTES[at++]
    if (mark === CLOSE_OBJECT) break
    if (mark !== COMMA) return GIVE_UP
  }
  if (price < 0 || size < 0) return GIVE_UP
  return list.push(outcome === YES ? price : ONE_E4 - price, size) ? at : GIVE_UP
}

/** Which key of a message starts at a position; 0 for one that does not matter. */
function messageKey(at: number): number {
  const first = VIEW.getInt32(at, true)
  if (first === ASSE) return isAt(ASSET_ID, at) ? SEEN_ASSET : 0
  if (first === TIME) return isAt(TIMESTAMP, at) ? SEEN_TIMESTAMP : 0
  if (first === EVEN) return isAt(EVENT_TYPE, at) ? SEEN_TYPE : 0
  if (first === PRIC) return isAt(PRICE_CHANGES, at) ? SEEN_CHANGES : 0
  if (BYTES[at + 4] !== QUOTE) return 0
  if (first === BIDS) return SEEN_BIDS
  if (first === ASKS) return SEEN_ASKS
  return first === HASH_WORD ? SEEN_HASH : 0
}

/** Which key of an element or a level starts at a position; 0 for one that does not matter. */
function changeKey(at: number): number {
  const first = VIEW.getInt32(at, true)
  if (first === ASSE) return isAt(ASSET_ID, at) ? SEEN_ASSET : 0
  if (first === PRIC) return isAt(PRICE, at) ? SEEN_PRICE : 0
  if (BYTES[at + 4] !== QUOTE) return 0
  if (first === SIZE) return SEEN_SIZE
  if (first === SIDE) return SEEN_SIDE
  return first === HASH_WORD ? SEEN_HASH : 0
}
