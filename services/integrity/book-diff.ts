import { ArenaFullError } from '../errors.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import type { BookTable } from './book-table.ts'
import { NEEDS_SNAPSHOT, reasonBit } from './verdict.ts'

/** How two books of one market differ; sizes in millionths of a contract, 0 where there is no level. */
export interface BookDifference {
  /** Levels that only one of them has, or that have another size. */
  levels: number
  first: { side: 'bid' | 'ask'; priceE4: number; sizeE6: number; otherSizeE6: number }
}

const DISCONNECTED = reasonBit('disconnected')
const SIDES: readonly Outcome[] = [YES, NO]
const WHOLE_PRICE_E4 = 10_000

/** Returns how the book in a slot differs from the other table's book in the same slot; null when they are equal. */
export function diffBooks(table: BookTable, other: BookTable, slot: number): BookDifference | null {
  let difference: BookDifference | null = null
  for (const outcome of SIDES) {
    const counts = [table.arena.count(slot, outcome), other.arena.count(slot, outcome)] as const
    let [i, j] = [0, 0]
    while (i < counts[0] || j < counts[1]) {
      // Best first: the side that stands higher has a level that the other lacks.
      const mine = table.arena.priceAt(slot, outcome, i)
      const theirs = other.arena.priceAt(slot, outcome, j)
      const price = Math.max(mine, theirs)
      const sizeE6 = mine === price ? table.arena.sizeAt(slot, outcome, i++) : 0
      const otherSizeE6 = theirs === price ? other.arena.sizeAt(slot, outcome, j++) : 0
      if (sizeE6 === otherSizeE6) continue
      difference ??= {
        levels: 0,
        first:
          outcome === YES
            ? { side: 'bid', priceE4: price, sizeE6, otherSizeE6 }
            : { side: 'ask', priceE4: WHOLE_PRICE_E4 - price, sizeE6, otherSizeE6 }
      }
      difference.levels++
    }
  }
  return difference
}

/** True when a book has had its snapshot, nothing made it doubtful since, and its connection stands. */
export function isWhole({ verdicts }: BookTable, slot: number): boolean {
  return ((verdicts.reasons[slot] as number) & (NEEDS_SNAPSHOT | DISCONNECTED)) === 0
}

/** Reused: a hand-over copies book after book. */
const levels = new LevelList()

/**
 * Makes the book in a slot, with what it says of itself, that of the other table's in the same slot. A book that is
 * equal is left as it is. One that the other has not whole waits for its snapshot; returns false for it, and for one
 * that there is no room for.
 */
export function takeBook(table: BookTable, from: BookTable, slot: number): boolean {
  if (!isWhole(from, slot)) return awaits(table, slot)
  if (diffBooks(table, from, slot) !== null) {
    try {
      for (const outcome of SIDES) {
        levels.clear()
        for (let depth = from.arena.count(slot, outcome) - 1; depth >= 0; depth--)
          levels.push(from.arena.priceAt(slot, outcome, depth), from.arena.sizeAt(slot, outcome, depth))
        table.arena.replace(slot, outcome, levels)
      }
    } catch (error) {
      if (!(error instanceof ArenaFullError)) throw error
      // One side may be of the new book and the other of the old one.
      table.arena.release(slot)
      table.raise(slot, 'arena_full')
      return awaits(table, slot)
    }
    const { verdicts } = from
    table.received(slot, verdicts.receivedAtMs(slot), verdicts.venueTimeMs(slot), verdicts.sequence(slot))
    table.touch(slot)
  }
  table.setSource(slot, 'websocket')
  table.resynced(slot)
  return true
}

function awaits(table: BookTable, slot: number): false {
  table.raise(slot, 'awaiting_snapshot')
  table.clear(slot, 'disconnected')
  return false
}
