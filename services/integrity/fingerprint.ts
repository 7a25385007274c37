import { type BookArena, NO, type Outcome, YES } from '../orderbook/arena.ts'
import type { LevelList } from '../orderbook/levels.ts'

const FACTOR_A = 0x85ebca6b
const FACTOR_B = 0xc2b2ae35
const SIDE_MARK = 0x10000
const TWO_32 = 2 ** 32
/** Of the second half 21 bits are kept: 53 together are exact in a double. */
const CUT_BITS = 11

// Two halves that are mixed level by level. They stand here and not in an object, so that nothing is allocated.
let a = 0
let b = 0

/**
 * Returns a number of 53 bits that stands for a whole book: both sides, every price and size. Equal books have equal
 * fingerprints; two that differ have the same one by chance, once in 2^53. About a microsecond for 100 levels.
 */
export function fingerprintOf(arena: BookArena, slot: number): number {
  begin()
  for (let side = YES as Outcome; ; side = NO) {
    const count = arena.count(slot, side)
    for (let depth = 0; depth < count; depth++)
      mix(side, arena.priceAt(slot, side, depth), arena.sizeAt(slot, side, depth))
    if (side === NO) return end()
  }
}

/** Returns the fingerprint of a book that was read: prices ascending on both sides; levels of size 0 count as none. */
export function fingerprintOfLevels(yes: LevelList, no: LevelList): number {
  begin()
  mixLevels(YES, yes)
  mixLevels(NO, no)
  return end()
}

function begin(): void {
  a = 0x9747b28c | 0
  b = 0x3c6ef372
}

function mixLevels(side: Outcome, { price, size, count }: LevelList): void {
  for (let i = count - 1; i >= 0; i--)
    if ((size[i] as number) > 0) mix(side, price[i] as number, size[i] as number)
}

function mix(side: Outcome, price: number, size: number): void {
  const low = size | 0
  const high = (size / TWO_32) | 0
  const place = price + side * SIDE_MARK
  a = Math.imul(a ^ place, FACTOR_A)
  a = Math.imul((a ^ (a >>> 15)) + low, FACTOR_B)
  a ^= a >>> 13
  b = Math.imul(b + low, FACTOR_B) ^ high
  b = Math.imul((b ^ (b >>> 16)) + place, FACTOR_A)
  b ^= b >>> 14
}

function end(): number {
  return (b >>> CUT_BITS) * TWO_32 + (a >>> 0)
}
