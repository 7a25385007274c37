import type { PriceE4, SizeE6 } from '../numbers/decimal.ts'

const FACTOR_PLACE = 0x9e3779b1
const FACTOR_A = 0x85ebca6b
const FACTOR_B = 0xc2b2ae35
/** A price takes 14 bits. A size's bits above the low 32 are 18 at most, so both fit into one integer. */
const PRICE_BITS = 14
const PER_TWO_32 = 2 ** -32

/**
 * Returns a signed integer of 32 bits that stands for one level; the print of a side is the sum of its levels' prints,
 * whatever their order. Two sizes at one price that agree above, or within, their low 32 bits never share a print; any
 * other two levels do by chance, once in 2^32.
 */
export function levelPrint(price: PriceE4, size: SizeE6): number {
  const high = (size * PER_TWO_32) | 0
  let mixed = Math.imul((high << PRICE_BITS) | price, FACTOR_PLACE)
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ size, FACTOR_A)
  mixed = Math.imul(mixed ^ (mixed >>> 15), FACTOR_B)
  return mixed ^ (mixed >>> 16)
}
