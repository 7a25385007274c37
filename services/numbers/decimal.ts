/** Integer ten-thousandths of a dollar per contract: $0.42 is 4_200. Range 0 to 10_000. */
export type PriceE4 = number
/** Integer millionths of a contract: 13 contracts are 13_000_000. Never negative, below 10^15. */
export type SizeE6 = number

export const PRICE_DECIMALS = 4
export const SIZE_DECIMALS = 6
/** One dollar, the payout of a contract and so the highest price. */
export const ONE_E4: PriceE4 = 10_000

/** Fifteen digits stay exact in a double with room to add; a size of 999,999,999 contracts fits. */
const MAX_DIGITS = 15
/** The largest size that is kept: what 15 digits hold, 999,999,999.999999 contracts. */
export const MAX_SIZE_E6: SizeE6 = 10 ** MAX_DIGITS - 1
const MINUS = 45
const POINT = 46
const ZERO = 48

/**
 * Returns the integer `value * 10^decimals` of a plain decimal text, or NaN where the text is none or does not
 * fit exactly (more decimals than that after trailing zeros, or more than 15 digits). Never rounds.
 */
export function parseScaled(text: string, decimals: number): number {
  const end = text.length
  let at = 0
  const negative = end > 0 && text.charCodeAt(0) === MINUS
  if (negative) at = 1
  let value = 0
  let digits = 0
  let whole = 0
  while (at < end) {
    const digit = text.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
    if (value > 0) digits++
    whole++
    at++
  }
  let scale = decimals
  if (at < end) {
    if (text.charCodeAt(at) !== POINT || ++at === end) return Number.NaN
    for (; at < end; at++) {
      const digit = text.charCodeAt(at) - ZERO
      if (digit < 0 || digit > 9) return Number.NaN
      if (scale === 0) {
        if (digit !== 0) return Number.NaN
        continue
      }
      scale--
      value = value * 10 + digit
      if (value > 0) digits++
    }
  } else if (whole === 0) return Number.NaN
  for (; scale > 0; scale--) {
    value *= 10
    if (value > 0) digits++
  }
  if (digits > MAX_DIGITS) return Number.NaN
  return negative && value !== 0 ? -value : value
}

/** Does what `parseScaled` does over the bytes `start` to `end` of a frame, without making a string. */
export function parseScaledBytes(bytes: Uint8Array, start: number, end: number, decimals: number): number {
  let at = start
  const negative = at < end && bytes[at] === MINUS
  if (negative) at++
  const first = at
  let value = 0
  let digits = 0
  while (at < end) {
    const digit = (bytes[at] as number) - ZERO
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
    if (value > 0) digits++
    at++
  }
  let scale = decimals
  if (at < end) {
    if (bytes[at] !== POINT || ++at === end) return Number.NaN
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - ZERO
      if (digit < 0 || digit > 9) return Number.NaN
      if (scale === 0) {
        if (digit !== 0) return Number.NaN
        continue
      }
      scale--
      value = value * 10 + digit
      if (value > 0) digits++
    }
  } else if (at === first) return Number.NaN
  for (; scale > 0; scale--) {
    value *= 10
    if (value > 0) digits++
  }
  if (digits > MAX_DIGITS) return Number.NaN
  return negative && value !== 0 ? -value : value
}

/** Returns a price from its decimal text in dollars, or NaN outside 0 to 1 or finer than 0.0001. */
export function parsePriceE4(text: string): PriceE4 {
  const price = parseScaled(text, PRICE_DECIMALS)
  return price >= 0 && price <= ONE_E4 ? price : Number.NaN
}

/** Returns a size from its decimal text in contracts, or NaN when negative or finer than a millionth. */
export function parseSizeE6(text: string): SizeE6 {
  const size = parseScaled(text, SIZE_DECIMALS)
  return size >= 0 ? size : Number.NaN
}

/** Returns the shortest decimal text of `value / 10^decimals`: no exponent, no trailing zeros. */
export function formatScaled(value: number, decimals: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not an exact integer: ${value}`)
  if (value < 0) return `-${formatScaled(-value, decimals)}`
  const unit = 10 ** decimals
  const rest = value % unit
  const whole = (value - rest) / unit
  if (rest === 0) return String(whole)
  let text = String(rest).padStart(decimals, '0')
  let end = text.length
  while (text.charCodeAt(end - 1) === ZERO) end--
  text = text.slice(0, end)
  return `${whole}.${text}`
}

const PRICE_TEXTS: string[] = []

/** Returns the canonical text of a price in dollars: 4_200 is `0.42`. */
export function formatPrice(price: PriceE4): string {
  if (PRICE_TEXTS.length === 0) {
    for (let p = 0; p <= ONE_E4; p++) PRICE_TEXTS.push(formatScaled(p, PRICE_DECIMALS))
  }
  const text = PRICE_TEXTS[price]
  if (text === undefined) throw new RangeError(`not a price: ${price}`)
  return text
}

/** Returns the canonical text of a size in contracts: 13_500_000 is `13.5`. */
export function formatSize(size: SizeE6): string {
  return formatScaled(size, SIZE_DECIMALS)
}

/**
 * Writes the canonical text of a non-negative `value / 10^decimals` into `bytes` at `at` and returns the
 * position after it. The caller guarantees 20 free bytes.
 */
export function writeScaled(bytes: Uint8Array, at: number, value: number, decimals: number): number {
  let rest = value
  let scale = decimals
  while (scale > 0 && rest % 10 === 0) {
    rest /= 10
    scale--
  }
  let digits = 1
  for (let top = 10; top <= rest; top *= 10) digits++
  if (digits <= scale) digits = scale + 1
  const end = at + digits + (scale > 0 ? 1 : 0)
  for (let position = end - 1; position >= at; position--) {
    if (scale > 0 && position === end - 1 - scale) {
      bytes[position] = POINT
      continue
    }
    const digit = rest % 10
    bytes[position] = ZERO + digit
    rest = (rest - digit) / 10
  }
  return end
}
