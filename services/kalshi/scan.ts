import { ONE_E4, PRICE_DECIMALS, parseScaledBytes, SIZE_DECIMALS } from '../numbers/decimal.ts'
import { NO, YES } from '../orderbook/arena.ts'
import { Delta } from './parse.ts'

const QUOTE = 34
const COMMA = 44
const ZERO = 48
const NINE = 57
const COLON = 58
const BACKSLASH = 92
const OPEN = 123
const CLOSE = 125
const SPACE = 32
const LAST_PLAIN = 126
/** Longer integers may not fit a double exactly. */
const MAX_DIGITS = 15

/** The fields that are read, a bit each, so that one that comes twice or not at all is seen. */
const UNREAD = 0
const TYPE = 1
const SID = 2
const SEQ = 4
const MSG = 8
const TICKER = 16
const PRICE = 32
const CHANGE = 64
const SIDE = 128
const TIME = 256
const REQUIRED = TYPE | SID | SEQ | MSG | TICKER | PRICE | CHANGE | SIDE

const TYPE_NAME = Buffer.from('type')
const SID_NAME = Buffer.from('sid')
const SEQ_NAME = Buffer.from('seq')
const MSG_NAME = Buffer.from('msg')
const TICKER_NAME = Buffer.from('market_ticker')
const PRICE_NAME = Buffer.from('price_dollars')
const CHANGE_NAME = Buffer.from('delta_fp')
const SIDE_NAME = Buffer.from('side')
const TIME_NAME = Buffer.from('ts_ms')

/** The order in which the venue writes them: a guess that saves looking each name up, never relied on. */
const USUAL_FIELDS = [TYPE, SID, SEQ, MSG, TICKER, UNREAD, PRICE, CHANGE, SIDE, UNREAD, TIME]
const USUAL_NAMES = [
  TYPE_NAME,
  SID_NAME,
  SEQ_NAME,
  MSG_NAME,
  TICKER_NAME,
  Buffer.from('market_id'),
  PRICE_NAME,
  CHANGE_NAME,
  SIDE_NAME,
  Buffer.from('ts'),
  TIME_NAME
].map((name) => Buffer.from(`"${name}":`))

const ORDERBOOK_DELTA = Buffer.from('orderbook_delta')
const YES_WORD = Buffer.from('yes')
const NO_WORD = Buffer.from('no')

/**
 * Reads an `orderbook_delta` of the current form straight from its bytes, with keys in any order and any spaces.
 * It never decides that a frame is wrong: at the first thing that it does not know (an escape, a nested value, a
 * number that does not fit) it gives up and the generic path judges. It can be deleted, and only time is lost.
 */
export class DeltaScanner {
  readonly delta = new Delta()
  sid = 0
  seq = 0
  /** Where the market's ticker stands in the frame. */
  tickerStart = 0
  tickerEnd = 0
  private readonly useYesPrice: boolean

  constructor({ useYesPrice }: { useYesPrice: boolean }) {
    this.useYesPrice = useYesPrice
  }

  /** Returns true when the frame is a delta and all fields are set; false to give up. */
  scan(frame: Uint8Array): boolean {
    const { delta } = this
    delta.venueTimeMs = Number.NaN
    let found = 0
    let guess = 0
    let isInMsg = false
    let at = afterSpace(frame, 0)
    if (frame[at] !== OPEN) return false
    for (;;) {
      at++
      if ((frame[at] as number) <= SPACE) at = afterSpace(frame, at)
      let field = UNREAD
      const usual = USUAL_NAMES[guess]
      if (usual !== undefined && is(frame, at, usual)) {
        field = USUAL_FIELDS[guess] as number
        at += usual.length
        guess++
      } else {
        const nameStart = at + 1
        const nameEnd = stringEnd(frame, at)
        at = nameEnd + 1
        if ((frame[at] as number) <= SPACE) at = afterSpace(frame, at)
        if (nameEnd < 0 || frame[at] !== COLON) return false
        at++
        field = isInMsg ? deltaField(frame, nameStart, nameEnd) : envelopeField(frame, nameStart, nameEnd)
        guess = USUAL_FIELDS.indexOf(field) + 1
      }
      if ((frame[at] as number) <= SPACE) at = afterSpace(frame, at)
      if ((found & field) !== 0) return false
      found |= field
      const first = frame[at] as number
      if (first === QUOTE) {
        const end = stringEnd(frame, at)
        if (end < 0 || !this.text(field, frame, at + 1, end)) return false
        at = end + 1
      } else if (first >= ZERO && first <= NINE) {
        const end = digitsEnd(frame, at)
        if (end - at > MAX_DIGITS || (first === ZERO && end - at > 1)) return false
        if (field !== UNREAD && !this.integer(field, integerOf(frame, at, end))) return false
        at = end
      } else if (first === OPEN && field === MSG) {
        isInMsg = true
        continue
      } else return false

      if ((frame[at] as number) <= SPACE) at = afterSpace(frame, at)
      if (isInMsg && frame[at] === CLOSE) {
        isInMsg = false
        at++
        if ((frame[at] as number) <= SPACE) at = afterSpace(frame, at)
      }
      if (frame[at] === COMMA) continue
      if (frame[at] !== CLOSE) return false
      break
    }
    if (afterSpace(frame, at + 1) !== frame.length || (found & REQUIRED) !== REQUIRED) return false
    if (this.useYesPrice && delta.outcome === NO) delta.price = ONE_E4 - delta.price
    return true
  }

  /** Takes a text value; false where the field is none or the value does not fit. */
  private text(field: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { delta } = this
    switch (field) {
      case UNREAD:
        return true
      case TYPE:
        return end - start === ORDERBOOK_DELTA.length && is(bytes, start, ORDERBOOK_DELTA)
      case TICKER:
        this.tickerStart = start
        this.tickerEnd = end
        return end > start
      case PRICE:
        delta.price = parseScaledBytes(bytes, start, end, PRICE_DECIMALS)
        return delta.price >= 0 && delta.price <= ONE_E4
      case CHANGE:
        delta.change = parseScaledBytes(bytes, start, end, SIZE_DECIMALS)
        return !Number.isNaN(delta.change)
      case SIDE:
        delta.outcome = end - start === YES_WORD.length ? YES : NO
        return is(bytes, start, delta.outcome === YES ? YES_WORD : NO_WORD) && end - start <= 3
      default:
        return false
    }
  }

  /** Takes an integer; false where the field is none. */
  private integer(field: number, value: number): boolean {
    switch (field) {
      case UNREAD:
        return true
      case SID:
        this.sid = value
        return true
      case SEQ:
        this.seq = value
        return true
      case TIME:
        this.delta.venueTimeMs = value
        return true
      default:
        return false
    }
  }
}

function envelopeField(bytes: Uint8Array, start: number, end: number): number {
  switch (end - start) {
    case 3:
      if (is(bytes, start, SID_NAME)) return SID
      if (is(bytes, start, SEQ_NAME)) return SEQ
      return is(bytes, start, MSG_NAME) ? MSG : UNREAD
    case 4:
      return is(bytes, start, TYPE_NAME) ? TYPE : UNREAD
    default:
      return UNREAD
  }
}

function deltaField(bytes: Uint8Array, start: number, end: number): number {
  switch (end - start) {
    case 13:
      if (is(bytes, start, TICKER_NAME)) return TICKER
      return is(bytes, start, PRICE_NAME) ? PRICE : UNREAD
    case 8:
      return is(bytes, start, CHANGE_NAME) ? CHANGE : UNREAD
    case 4:
      return is(bytes, start, SIDE_NAME) ? SIDE : UNREAD
    case 5:
      return is(bytes, start, TIME_NAME) ? TIME : UNREAD
    default:
      return UNREAD
  }
}

function digitsEnd(bytes: Uint8Array, start: number): number {
  let at = start
  while (at < bytes.length && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE) at++
  return at
}

function integerOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) value = value * 10 + (bytes[at] as number) - ZERO
  return value
}

function afterSpace(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length) {
    const byte = bytes[at] as number
    if (byte > SPACE || (byte !== SPACE && byte !== 10 && byte !== 13 && byte !== 9)) break
    at++
  }
  return at
}

/** Returns where the plain ASCII string that opens at `open` has its closing quote, or -1: an escape, or no string. */
function stringEnd(bytes: Uint8Array, open: number): number {
  if (bytes[open] !== QUOTE) return -1
  const { length } = bytes
  for (let at = open + 1; at < length; at++) {
    const byte = bytes[at] as number
    if (byte === QUOTE) return at
    if (byte === BACKSLASH || byte < SPACE || byte > LAST_PLAIN) return -1
  }
  return -1
}

/** Whether the text at `start`, which is as long as `word`, is that word. */
function is(bytes: Uint8Array, start: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (word[i] !== bytes[start + i]) return false
  return true
}
