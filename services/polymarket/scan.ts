import { NO, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import { BYTES, digitsEnd, FixedText, hold, skipBlanks, stringEnd } from '../venue/frame-bytes.ts'
import { ChangeList, NOT_TOLD } from './change-list.ts'
import { foldHashBytes } from './hash-fold.ts'
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  GIVE_UP,
  isAt,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  readTimestamp,
  VIEW,
  valueStart,
  word
} from './scan-bytes.ts'
import { readChanges } from './scan-changes.ts'
import { readLevels } from './scan-levels.ts'

const SEEN_ASSET = 1
const SEEN_TIMESTAMP = 2
const SEEN_HASH = 4
const SEEN_TYPE = 8
const SEEN_CHANGES = 16
const SEEN_BIDS = 32
const SEEN_ASKS = 64
const SEEN_LAST_TRADE = 128
const SEEN_TICK = 256

const LISTS = SEEN_CHANGES | SEEN_BIDS | SEEN_ASKS
const WHOLE_BOOK = SEEN_ASSET | SEEN_TIMESTAMP | SEEN_TYPE | SEEN_BIDS | SEEN_ASKS
const WHOLE_CHANGES = SEEN_TIMESTAMP | SEEN_TYPE | SEEN_CHANGES

// Texts with their closing quote, and the first four bytes that tell them apart.
const ASSET_ID = Buffer.from('asset_id"')
const TIMESTAMP = Buffer.from('timestamp"')
const EVENT_TYPE = Buffer.from('event_type"')
const PRICE_CHANGES = Buffer.from('price_changes"')
const PRICE_CHANGE = Buffer.from('price_change"')
const LAST_TRADE = Buffer.from('last_trade_price"')
const TICK_SIZE = Buffer.from('tick_size"')
const BOOK = Buffer.from('book"')
const ASSE = word('asse')
const TIME = word('time')
const EVEN = word('even')
const BIDS = word('bids')
const ASKS = word('asks')
const PRIC = word('pric')
const LAST = word('last')
const TICK = word('tick')
const HASH_WORD = word('hash')

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
    const { list } = this
    list.count = 0
    list.lastTradeStart = NOT_TOLD
    list.tickStart = NOT_TOLD
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
        if (key === SEEN_CHANGES) at = readChanges(this.list, at)
        else at = key === SEEN_BIDS ? readLevels(at, this.bids, YES) : readLevels(at, this.asks, NO)
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
        } else if (key === SEEN_LAST_TRADE) {
          this.list.lastTradeStart = at
          this.list.lastTradeEnd = end
        } else if (key === SEEN_TICK) {
          this.list.tickStart = at
          this.list.tickEnd = end
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
    const at = readChanges(this.list, marketEnd + CHANGES.length)
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
}

/** Which key of a message starts at a position; 0 for one that does not matter. */
function messageKey(at: number): number {
  const first = VIEW.getInt32(at, true)
  if (first === ASSE) return isAt(ASSET_ID, at) ? SEEN_ASSET : 0
  if (first === TIME) return isAt(TIMESTAMP, at) ? SEEN_TIMESTAMP : 0
  if (first === EVEN) return isAt(EVENT_TYPE, at) ? SEEN_TYPE : 0
  if (first === PRIC) return isAt(PRICE_CHANGES, at) ? SEEN_CHANGES : 0
  if (first === LAST) return isAt(LAST_TRADE, at) ? SEEN_LAST_TRADE : 0
  if (first === TICK) return isAt(TICK_SIZE, at) ? SEEN_TICK : 0
  if (BYTES[at + 4] !== QUOTE) return 0
  if (first === BIDS) return SEEN_BIDS
  if (first === ASKS) return SEEN_ASKS
  return first === HASH_WORD ? SEEN_HASH : 0
}
