import type { PriceE4, SizeE6 } from '../model/types.ts'

/**
 * Returns the decimal text of `units` / 10^`scale`, exact, with at least `decimals` fraction digits: digits
 * beyond those appear only where they are needed.
 */
export function decimalText(units: number, scale: number, decimals: number): string {
  const digits = Math.abs(units)
    .toString()
    .padStart(scale + 1, '0')
  let end = digits.length
  const least = digits.length - scale + decimals
  while (end > least && digits[end - 1] === '0') end--
  return `${units < 0 ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(digits.length - scale, end)}`
}

const pricesE4: string[] = []

/** Returns dollars with the four decimals that Kalshi's market data carries: 4_200 is `0.4200`. */
export function priceText(priceE4: PriceE4): string {
  let text = pricesE4[priceE4]
  if (text === undefined) {
    text = decimalText(priceE4, 4, 4)
    if (priceE4 >= 0 && priceE4 <= 10_000) pricesE4[priceE4] = text
  }
  return text
}

/** Returns contracts with two decimals, signed where negative: -3_130_000 is `-3.13`. */
export function countText(sizeE6: SizeE6): string {
  return decimalText(sizeE6, 6, 2)
}

/**
 * Returns RFC 3339 UTC text of a time in ms since the epoch plus `micros` (0 to 999), its fraction trimmed of
 * trailing zeros as the venue trims it; a whole second has no fraction.
 */
export function timeText(ms: number, micros = 0): string {
  const text = new Date(ms).toISOString()
  const fraction = (text.slice(20, 23) + micros.toString().padStart(3, '0')).replace(/0+$/, '')
  return fraction === '' ? `${text.slice(0, 19)}Z` : `${text.slice(0, 20)}${fraction}Z`
}

/** Returns whole seconds since the epoch, as lifecycle messages and filters count time. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
