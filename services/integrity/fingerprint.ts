import { type BookArena, NO, YES } from '../orderbook/arena.ts'
import { levelPrint } from '../orderbook/level-print.ts'
import type { LevelList } from '../orderbook/levels.ts'

const FACTOR_A = 0x85ebca6b
const FACTOR_B = 0xc2b2ae35
const TWO_32 = 2 ** 32
/** Of the second half 21 bits are kept: 53 together are exact in a double. */
const CUT_BITS = 11

/**
 * Returns a number of 53 bits that stands for a whole book: both sides, every price and size. Equal books have equal
 * fingerprints; two that differ have the same one by chance, once in 2^32 where one side differs, once in 2^53 where
 * both do. Takes the same time for every book, since the arena keeps the print of each side.
 */
export function fingerprintOf(arena: BookArena, slot: number): number {
  return join(arena.sidePrint(slot, YES), arena.sidePrint(slot, NO))
}

/** Returns the fingerprint of a book that was read; levels of size 0 count as none. */
export function fingerprintOfLevels(yes: LevelList, no: LevelList): number {
  return join(printOf(yes), printOf(no))
}

function printOf({ price, size, count }: LevelList): number {
  let print = 0
  for (let i = 0; i < count; i++)
    if ((size[i] as number) > 0) print = (print + levelPrint(price[i] as number, size[i] as number)) | 0
  return print
}

/** While one side stays the same, any other print of the other side changes the low half. */
function join(yes: number, no: number): number {
  const low = (Math.imul(yes ^ (yes >>> 15), FACTOR_A) + no) | 0
  const mixed = yes ^ low
  const high = Math.imul(mixed ^ (mixed >>> 16), FACTOR_B) >>> CUT_BITS
  return high * TWO_32 + (low >>> 0)
}
