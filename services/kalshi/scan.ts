import { ONE_E4, PRICE_DECIMALS, parseScaledBytes, SIZE_DECIMALS } from '../numbers/decimal.ts'
import { NO, YES } from '../orderbook/arena.ts'
import { BYTES, digitsEnd, FixedText, hold, integerOf, skipBlanks, stringEnd } from '../venue/frame-bytes.ts'
import { Delta } from './parse.ts'

const QUOTE = 34
const COMMA = 44
const ZERO = 48
const NINE = 57
const COLON = 58
const OPEN = 123
const CLOSE = 125
/** Longer integers may not fit a double exactly. */
const MAX_DIGITS = 15
/** What is longer is no delta, and not worth a look. */
const MAX_BYTES = 4_096

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

/** A delta as the venue writes it today: the text before each value, and whose value it is. `}}` ends it. */
const USUAL = (
  [
    ['{"type":"orderbook_delta","sid":', SID],
    [',"seq":', SEQ],
    [',"msg":{"market_ticker":"', TICKER],
    ['","market_id":"', UNREAD],
    ['","price_dollars":"', PRICE],
    ['","delta_fp":"', CHANGE],
    ['","side":"', SIDE],
    ['","ts":"', UNREAD],
    ['","ts_ms":', TIME]
  ] as const
).map(([before, field]) => ({ before: new FixedText(before), field }))

const ENVELOPE_FIELDS = fieldsByLength({ type: TYPE, sid: SID, seq: SEQ, msg: MSG })
const DELTA_FIELDS = fieldsByLength({
  market_ticker: TICKER,
  price_dollars: PRICE,
  delta_fp: CHANGE,
  side: SIDE,
  ts_ms: TIME
})

const ORDERBOOK_DELTA = Buffer.from('orderbook_delta')
const YES_WORD = Buffer.from('yes')
const NO_WORD = Buffer.from('no')

/**
 * Reads an `orderbook_delta` of the current form straight from its bytes: fast in the form that the venue writes, and
 * less fast with keys in any order and any spaces. It never decides that a frame is wrong: at the first thing that it
 * does not know (an escape, a nested value, a number that does not fit) it gives up and the generic path judges. It
 * can be deleted, and only time is lost. What it read stands in `BYTES`, and is plain ASCII from end to end.
 */
export class DeltaScanner {
  readonly delta = new Delta()
  sid = 0
  seq = 0
  /** Where in `BYTES` the market's ticker stands. */
  tickerStart = 0
  tickerEnd = 0
  private readonly useYesPrice: boolean

  constructor({ useYesPrice }: { useYesPrice: boolean }) {
    this.useYesPrice = useYesPrice
  }

  /** Returns true when the frame is a delta and all fields are set; false to give up. */
  scan(frame: Uint8Array): boolean {
    if (frame.length > MAX_BYTES || !hold(frame)) return false
    if (!this.usual(frame.length) && !this.anyOrder(frame.length)) return false
    const { delta } = this
    if (this.useYesPrice && delta.outcome === NO) delta.price = ONE_E4 - delta.price
    return true
  }

  private usual(frameEnd: number): boolean {
    let at = 0
    for (let i = 0; i < USUAL.length; i++) {
      const { before, field } = USUAL[i] as (typeof USUAL)[number]
      if (!before.isAt(at)) return false
      const start = at + before.length
      if (BYTES[start - 1] === QUOTE) {
        at = stringEnd(start)
        if (at < 0 || !this.text(field, start, at)) return false
      } else {
        at = digitsEnd(start)
        if (!this.integer(field, start, at)) return false
      }
    }
    return BYTES[at] === CLOSE && BYTES[at + 1] === CLOSE && at + 2 === frameEnd
  }

  private anyOrder(frameEnd: number): boolean {
    this.delta.venueTimeMs = Number.NaN
    let found = 0
    let isInMsg = false
    let at = skipBlanks(0)
    if (BYTES[at] !== OPEN) return false
    for (;;) {
      at = skipBlanks(at + 1)
      const nameEnd = BYTES[at] === QUOTE ? stringEnd(at + 1) : -1
      if (nameEnd < 0) return false
      const field = fieldAt(isInMsg ? DELTA_FIELDS : ENVELOPE_FIELDS, at + 1, nameEnd)
      at = skipBlanks(nameEnd + 1)
      if (BYTES[at] !== COLON || (found & field) !== 0) return false
      found |= field
      at = skipBlanks(at + 1)
      const first = BYTES[at] as number
      if (first === QUOTE) {
        const end = stringEnd(at + 1)
        if (end < 0 || !this.text(field, at + 1, end)) return false
        at = end + 1
      } else if (first >= ZERO && first <= NINE) {
        const end = digitsEnd(at)
        if (!this.integer(field, at, end)) return false
        at = end
      } else if (first === OPEN && field === MSG) {
        isInMsg = true
        continue
      } else return false

      at = skipBlanks(at)
      if (isInMsg && BYTES[at] === CLOSE) {
        isInMsg = false
        at = skipBlanks(at + 1)
      }
      if (BYTES[at] === COMMA) continue
      if (BYTES[at] !== CLOSE) return false
      break
    }
    return skipBlanks(at + 1) === frameEnd && (found & REQUIRED) === REQUIRED
  }

  /** Takes a text value; false where the field is none or the value does not fit. */
  private text(field: number, start: number, end: number): boolean {
    const { delta } = this
    switch (field) {
      case UNREAD:
        return true
      case TYPE:
        return isText(ORDERBOOK_DELTA, start, end)
      case TICKER:
        this.tickerStart = start
        this.tickerEnd = end
        return end > start
      case PRICE:
        delta.price = parseScaledBytes(BYTES, start, end, PRICE_DECIMALS)
        return delta.price >= 0 && delta.price <= ONE_E4
      case CHANGE:
        delta.change = parseScaledBytes(BYTES, start, end, SIZE_DECIMALS)
        return !Number.isNaN(delta.change)
      case SIDE:
        delta.outcome = end - start === YES_WORD.length ? YES : NO
        return isText(delta.outcome === YES ? YES_WORD : NO_WORD, start, end)
      default:
        return false
    }
  }

  /** Takes an integer; false where the field is none or JSON has no such number. */
  private integer(field: number, start: number, end: number): boolean {
    const digits = end - start
    if (digits === 0 || digits > MAX_DIGITS || (BYTES[start] === ZERO && digits > 1)) return false
    switch (field) {
      case UNREAD:
        return true
      case SID:
        this.sid = integerOf(start, end)
        return true
      case SEQ:
        this.seq = integerOf(start, end)
        return true
      case TIME:
        this.delta.venueTimeMs = integerOf(start, end)
        return true
      default:
        return false
    }
  }
}

interface NamedField {
  name: Uint8Array
  field: number
}

function fieldsByLength(fields: Record<string, number>): NamedField[][] {
  const byLength: NamedField[][] = Array.from({ length: 16 }, () => [])
  for (const [name, field] of Object.entries(fields))
    byLength[name.length]?.push({ name: Buffer.from(name), field })
  return byLength
}

/** Returns the field of that name, or UNREAD. */
function fieldAt(byLength: NamedField[][], start: number, end: number): number {
  for (const { name, field } of byLength[end - start] ?? []) if (isText(name, start, end)) return field
  return UNREAD
}

/** Whether the bytes from `start` to `end` are this text. */
function isText(text: Uint8Array, start: number, end: number): boolean {
  if (end - start !== text.length) return false
  for (let i = 0; i < text.length; i++) if (text[i] !== BYTES[start + i]) return false
  return true
}
