/**
 * Prices and sizes come as decimal text and stay it: nothing here passes through a float. The text is canonical (no
 * exponent, no leading or trailing zeros), so equal numbers are equal texts.
 */

const DECIMAL = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?$/

/** Returns below 0, 0 or above 0 as `a` is below, equal to or above `b`; both canonical decimal texts. */
export function compareDecimals(a: string, b: string): number {
  if (a === b) return 0
  const isNegative = a.startsWith('-')
  if (isNegative !== b.startsWith('-')) return isNegative ? -1 : 1
  return isNegative ? compareUnsigned(b, a, 1) : compareUnsigned(a, b, 0)
}

function compareUnsigned(a: string, b: string, from: number): number {
  const wholeA = wholeDigits(a)
  const wholeB = wholeDigits(b)
  if (wholeA !== wholeB) return wholeA - wholeB
  // As many digits before the point: the texts compare digit by digit, and a longer fraction is the larger number.
  const common = Math.min(a.length, b.length)
  for (let at = from; at < common; at++) {
    const difference = a.charCodeAt(at) - b.charCodeAt(at)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function wholeDigits(text: string): number {
  const point = text.indexOf('.')
  return point < 0 ? text.length : point
}

/**
 * Returns the integer `value * 10^decimals` of a decimal text, for sums and products that must be exact.
 *
 * @throws {RangeError} if the text is no decimal, or has more decimals than that
 */
export function toScaled(text: string, decimals: number): bigint {
  const [, sign = '', whole = '', fraction = ''] = DECIMAL.exec(text) ?? []
  if (whole === '' || fraction.length > decimals)
    throw new RangeError(`not a decimal of at most ${decimals} decimals: ${text}`)
  return BigInt(sign + whole + fraction.padEnd(decimals, '0'))
}
