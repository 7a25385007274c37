import { ONE_E4, PRICE_DECIMALS, parseScaledBytes, SIZE_DECIMALS } from '../numbers/decimal.ts'
import { BYTES, skipBlanks, stringEnd } from '../venue/frame-bytes.ts'

/** The held frame, for reading four bytes at a time. */
export const VIEW = new DataView(BYTES.buffer)

/** What a reader returns in place of a position where the frame is not of the form that it reads. */
export const GIVE_UP = -1

export const QUOTE = 0x22
export const COMMA = 0x2c
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
const SPACE = 0x20
const COLON = 0x3a
const POINT = 0x2e
const ZERO = 0x30
const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]

/** Returns four ASCII characters as one number, for `isWord`. */
export function word(text: string): number {
  return Buffer.from(text, 'latin1').readInt32LE(0)
}

/** True when the four characters of a `word` stand at a position. */
export function isWord(at: number, four: number): boolean {
  return VIEW.getInt32(at, true) === four
}

/** True when an ASCII text stands at a position. */
export function isAt(text: Uint8Array, at: number): boolean {
  for (let i = 0; i < text.length; i++) if (BYTES[at + i] !== text[i]) return false
  return true
}

/** Returns the position of the value of a key whose closing quote is at `keyEnd`. */
export function valueStart(keyEnd: number): number {
  let at = keyEnd + 1
  if (BYTES[at] !== COLON) {
    at = skipBlanks(at)
    if (BYTES[at] !== COLON) return GIVE_UP
  }
  return skipBlanks(at + 1)
}

/** Position of the quote that closes the number which `readPrice` or `readSize` read last. */
export let numberEnd = 0

/** Returns the price that a string starting at `start` holds, or GIVE_UP. */
export function readPrice(start: number): number {
  // Nearly all are `0.` and up to four digits.
  if (BYTES[start] === ZERO && BYTES[start + 1] === POINT) {
    let value = 0
    let at = start + 2
    for (; at < start + 2 + PRICE_DECIMALS; at++) {
      const digit = (BYTES[at] as number) - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    if (at > start + 2 && BYTES[at] === QUOTE) {
      numberEnd = at
      return value * (POWERS[PRICE_DECIMALS + 2 - (at - start)] as number)
    }
  }
  numberEnd = stringEnd(start)
  if (numberEnd < 0) return GIVE_UP
  const price = parseScaledBytes(BYTES, start, numberEnd, PRICE_DECIMALS)
  return price >= 0 && price <= ONE_E4 ? price : GIVE_UP
}

/** Returns the size that a string starting at `start` holds, or GIVE_UP. */
export function readSize(start: number): number {
  // Nearly all have up to eight digits before the point and up to six after it.
  let whole = 0
  let at = start
  for (; at < start + 8; at++) {
    const digit = (BYTES[at] as number) - ZERO
    if (digit < 0 || digit > 9) break
    whole = whole * 10 + digit
  }
  if (at > start) {
    if (BYTES[at] === QUOTE) {
      numberEnd = at
      return whole * 1_000_000
    }
    if (BYTES[at] === POINT) {
      const first = at + 1
      let rest = 0
      for (at = first; at < first + SIZE_DECIMALS; at++) {
        const digit = (BYTES[at] as number) - ZERO
        if (digit < 0 || digit > 9) break
        rest = rest * 10 + digit
      }
      if (at > first && BYTES[at] === QUOTE) {
        numberEnd = at
        return whole * 1_000_000 + rest * (POWERS[SIZE_DECIMALS - (at - first)] as number)
      }
    }
  }
  numberEnd = stringEnd(start)
  if (numberEnd < 0) return GIVE_UP
  const size = parseScaledBytes(BYTES, start, numberEnd, SIZE_DECIMALS)
  return size >= 0 ? size : GIVE_UP
}

/** Returns the epoch milliseconds that 1 to 15 digits make, or GIVE_UP. */
export function readTimestamp(start: number, end: number): number {
  const length = end - start
  if (length < 1 || length > 15) return GIVE_UP
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (BYTES[at] as number) - ZERO
    if (digit < 0 || digit > 9) return GIVE_UP
    value = value * 10 + digit
  }
  return value
}

/** Steps over a comma and the blank after it, if there is one. */
export function afterComma(at: number): number {
  if (BYTES[at] !== COMMA) return GIVE_UP
  return BYTES[at + 1] === SPACE ? at + 2 : at + 1
}
