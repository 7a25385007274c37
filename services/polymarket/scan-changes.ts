import { NO, YES } from '../orderbook/arena.ts'
import { BYTES, skipBlanks, stringEnd } from '../venue/frame-bytes.ts'
import { type ChangeList, MAX_CHANGES, NOT_TOLD } from './change-list.ts'
import { foldHashBytes } from './hash-fold.ts'
import {
  afterComma,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  GIVE_UP,
  isAt,
  isWord,
  numberEnd,
  OPEN_OBJECT,
  QUOTE,
  readPrice,
  readSize,
  VIEW,
  valueStart,
  word
} from './scan-bytes.ts'

const SEEN_ASSET = 1
const SEEN_PRICE = 2
const SEEN_SIZE = 4
const SEEN_SIDE = 8
const SEEN_HASH = 16
const SEEN_BEST_BID = 32
const SEEN_BEST_ASK = 64
const WHOLE_CHANGE = SEEN_ASSET | SEEN_PRICE | SEEN_SIZE | SEEN_SIDE

// Texts with their closing quote, and the first four bytes that tell them apart.
const ASSET_ID = Buffer.from('asset_id"')
const PRICE = Buffer.from('price"')
const BEST_BID = Buffer.from('best_bid"')
const BEST_ASK = Buffer.from('best_ask"')
const ASSE = word('asse')
const PRIC = word('pric')
const SIZE = word('size')
const SIDE = word('side')
const BEST = word('best')
const HASH_WORD = word('hash')
const BUY_QUOTE = word('BUY"')
const SELL = word('SELL')

// The starts of an element's members as the venue prints them, four bytes at a time.
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

// Each of the readers below starts after an opening mark and returns the position after the closing one, or GIVE_UP.

/** Reads the elements of a `price_change` from after the opening mark. */
export function readChanges(list: ChangeList, start: number): number {
  let at = skipBlanks(start)
  if (BYTES[at] === CLOSE_ARRAY) return at + 1
  for (;;) {
    if (BYTES[at] !== OPEN_OBJECT || list.count === MAX_CHANGES) return GIVE_UP
    at = readChange(list, at + 1, list.count++)
    if (at < 0) return GIVE_UP
    at = skipBlanks(at)
    const mark = BYTES[at++]
    if (mark === CLOSE_ARRAY) return at
    if (mark !== COMMA) return GIVE_UP
    at = skipBlanks(at)
  }
}

function readChange(list: ChangeList, start: number, index: number): number {
  list.bestBid[index] = NOT_TOLD
  list.bestAsk[index] = NOT_TOLD
  let at = usualChange(list, start, index)
  let seen = 0
  if (at < 0) {
    at = start
    list.hash[index] = -1
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
      list.price[index] = price
      end = numberEnd
    } else if (key === SEEN_SIZE) {
      const size = readSize(at)
      if (size < 0) return GIVE_UP
      list.size[index] = size
      end = numberEnd
    } else if (key === SEEN_SIDE) {
      const isBuy = isWord(at, BUY_QUOTE)
      if (!isBuy && (!isWord(at, SELL) || BYTES[at + 4] !== QUOTE)) return GIVE_UP
      list.outcome[index] = isBuy ? YES : NO
      end = isBuy ? at + 3 : at + 4
    } else {
      end = stringEnd(at)
      if (end < 0) return GIVE_UP
      if (key === SEEN_ASSET) {
        list.assetStart[index] = at
        list.assetEnd[index] = end
      } else if (key === SEEN_HASH) list.hash[index] = foldHashBytes(BYTES, at, end)
      else if (key === SEEN_BEST_BID) list.bestBid[index] = bestPrice(at)
      else if (key === SEEN_BEST_ASK) list.bestAsk[index] = bestPrice(at)
    }
    at = skipBlanks(end + 1)
    const mark = BYTES[at++]
    if (mark === CLOSE_OBJECT) break
    if (mark !== COMMA) return GIVE_UP
  }
  return (seen & WHOLE_CHANGE) === WHOLE_CHANGE ? at : GIVE_UP
}

/** Reads the five keys that matter in the order in which the venue prints them; GIVE_UP leaves it to `change`. */
function usualChange(list: ChangeList, start: number, index: number): number {
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
  list.assetStart[index] = start + 12
  list.assetEnd[index] = assetEnd
  list.price[index] = price
  list.size[index] = size
  list.outcome[index] = isBuy ? YES : NO
  list.hash[index] = foldHashBytes(BYTES, at + 8, hashEnd)
  at = usualBest(list.bestBid, index, hashEnd + 1, BID_2, BID_3)
  return usualBest(list.bestAsk, index, at, ASK_2, ASK_3)
}

/** Takes in a best price if it stands there as the venue prints it. */
function usualBest(into: Int32Array, index: number, start: number, second: number, third: number): number {
  const at = afterComma(start)
  if (at < 0 || !isWord(at, BEST_1) || !isWord(at + 4, second) || !isWord(at + 8, third)) return start
  const end = stringEnd(at + 12)
  if (end < 0) return start
  into[index] = bestPrice(at + 12)
  return end + 1
}

/** Only a proof hangs on it, so one that cannot be read is as good as none. */
function bestPrice(start: number): number {
  const price = readPrice(start)
  return price < 0 ? NOT_TOLD : price
}

/** Which key of an element starts at a position; 0 for one that does not matter. */
function changeKey(at: number): number {
  const first = VIEW.getInt32(at, true)
  if (first === ASSE) return isAt(ASSET_ID, at) ? SEEN_ASSET : 0
  if (first === PRIC) return isAt(PRICE, at) ? SEEN_PRICE : 0
  if (first === BEST) return isAt(BEST_BID, at) ? SEEN_BEST_BID : isAt(BEST_ASK, at) ? SEEN_BEST_ASK : 0
  if (BYTES[at + 4] !== QUOTE) return 0
  if (first === SIZE) return SEEN_SIZE
  if (first === SIDE) return SEEN_SIDE
  return first === HASH_WORD ? SEEN_HASH : 0
}
