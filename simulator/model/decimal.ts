/** Returns the canonical decimal text of an integer count of 10^-decimals: no exponent, no trailing zeros. */
function decimalText(count: number, decimals: number): string {
  const digits = String(count).padStart(decimals + 1, '0')
  const whole = digits.slice(0, -decimals)
  const fraction = digits.slice(-decimals).replace(/0+$/, '')
  return fraction === '' ? whole : `${whole}.${fraction}`
}

const PRICE_TEXTS = Array.from({ length: 10_001 }, (_, priceE4) => decimalText(priceE4, 4))

/** Returns a price in dollars as trimmed decimal text: 4_200 is `0.42`. Range 0 to 10_000. */
export function priceText(priceE4: number): string {
  const text = PRICE_TEXTS[priceE4]
  if (text === undefined) throw new RangeError(`price ${priceE4} is outside 0 to 10000`)
  return text
}

/** Returns a size in contracts as trimmed decimal text: 13_500_000 is `13.5`. */
export function sizeText(sizeE6: number): string {
  return sizeE6 % 1_000_000 === 0 ? String(sizeE6 / 1_000_000) : decimalText(sizeE6, 6)
}
