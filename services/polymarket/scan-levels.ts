import { ONE_E4 } from '../numbers/decimal.ts'
import { type Outcome, YES } from '../orderbook/arena.ts'
import type { LevelList } from '../orderbook/levels.ts'
import { BYTES, skipBlanks, stringEnd } from '../venue/frame-bytes.ts'
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

const PRICE = Buffer.from('price"')
const PRIC = word('pric')
const SIZE = word('size')

// The starts of levels as the venue prints them, four bytes at a time.
const LEVEL_1 = word('{"pr')
const LEVEL_2 = word('ice"')
const COLON_QUOTE = 0x223a
const SIZE_1 = word('"siz')
const E_VALUE = word('e":"')

/** Reads a list of levels from after its opening mark; an ask goes in as a bid for the complement. */
export function readLevels(start: number, list: LevelList, outcome: Outcome): number {
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
    const isPrice = VIEW.getInt32(at, true) === PRIC && isAt(PRICE, at)
    const isSize = VIEW.getInt32(at, true) === SIZE && BYTES[at + 4] === QUOTE
    at = stringEnd(at)
    if (at < 0) return GIVE_UP
    at = valueStart(at)
    if (at < 0 || BYTES[at++] !== QUOTE) return GIVE_UP
    if (isPrice && price < 0) {
      price = readPrice(at)
      if (price < 0) return GIVE_UP
    } else if (isSize && size < 0) {
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
