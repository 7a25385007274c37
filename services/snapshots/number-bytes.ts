import {
  formatPrice,
  ONE_E4,
  type PriceE4,
  SIZE_DECIMALS,
  type SizeE6,
  writeScaled
} from '../numbers/decimal.ts'

/**
 * What `writeScaled` writes, for the three kinds of numbers that fill a row: in 32-bit steps, since division of
 * doubles is what a row would otherwise spend most of its time on.
 */

const MILLION = 1_000_000
const INT32_MAX = 2_147_483_647
const POINT = 46
const ZERO = 48

const PRICE_TEXTS = new Array<Uint8Array | undefined>(ONE_E4 + 1).fill(undefined)

/** Returns a price's canonical text. */
export function priceText(price: PriceE4): Uint8Array {
  const known = PRICE_TEXTS[price]
  if (known !== undefined) return known
  const fresh = Buffer.from(formatPrice(price))
  PRICE_TEXTS[price] = fresh
  return fresh
}

/** Writes a size's canonical text and returns the position after it. The caller guarantees 20 free bytes. */
export function writeSize(bytes: Uint8Array, at: number, size: SizeE6): number {
  // Exact: below 10^15 the quotient is further from the next whole number than it can be rounded.
  const whole = Math.floor(size / MILLION)
  if (whole > INT32_MAX) return writeScaled(bytes, at, size, SIZE_DECIMALS)
  const end = writeDigits(bytes, at, whole | 0)
  let fraction = (size - whole * MILLION) | 0
  if (fraction === 0) return end
  bytes[end] = POINT
  let last = end + SIZE_DECIMALS
  while (fraction % 10 === 0) {
    fraction = (fraction / 10) | 0
    last--
  }
  writeBackwards(bytes, end + 1, last, fraction)
  return last + 1
}

/** Writes a whole number from 0 to 2^53 and returns the position after it. The caller guarantees 20 free bytes. */
export function writeWhole(bytes: Uint8Array, at: number, value: number): number {
  if (value <= INT32_MAX) return writeDigits(bytes, at, value | 0)
  const millions = Math.floor(value / MILLION)
  const end = writeWhole(bytes, at, millions)
  writeBackwards(bytes, end, end + 5, (value - millions * MILLION) | 0)
  return end + 6
}

function writeDigits(bytes: Uint8Array, at: number, value: number): number {
  let end = at + 1
  for (let top = 10; top <= value; top *= 10) end++
  writeBackwards(bytes, at, end - 1, value)
  return end
}

/** Fills `first` to `last` with the digits of a 32-bit number, leading zeros included. */
function writeBackwards(bytes: Uint8Array, first: number, last: number, value: number): void {
  let rest = value
  for (let position = last; position >= first; position--) {
    const tenth = (rest / 10) | 0
    bytes[position] = ZERO + rest - tenth * 10
    rest = tenth
  }
}
