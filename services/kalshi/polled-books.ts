import { ArenaFullError } from '../errors.ts'
import type { BookTable } from '../integrity/book-table.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import { parseSnapshot } from './parse.ts'

export type PolledResult = 'changed' | 'same' | 'drift' | 'arena_full'

/** Applies books that were polled over REST, which carry no sequence numbers and no time. */
export class PolledBooks {
  private readonly table: BookTable
  /** Of the book that was applied last. */
  readonly yes = new LevelList()
  readonly no = new LevelList()

  constructor(table: BookTable) {
    this.table = table
  }

  /** Takes over a whole book. One that is as it was is no change: neither its version nor its time moves. */
  apply(slot: number, book: unknown, receivedAtMs: number): PolledResult {
    const { table, yes, no } = this
    const { arena, verdicts } = table
    if (parseSnapshot(book, false, yes, no) === null) {
      table.raise(slot, 'drift')
      return 'drift'
    }
    const isFirst = verdicts.has(slot, 'awaiting_snapshot')
    if (!isFirst && this.isSame(slot, YES, yes) && this.isSame(slot, NO, no)) {
      this.answered(slot)
      return 'same'
    }
    try {
      arena.replace(slot, YES, yes)
      arena.replace(slot, NO, no)
    } catch (error) {
      if (!(error instanceof ArenaFullError)) throw error
      table.raise(slot, 'awaiting_snapshot')
      table.raise(slot, 'arena_full')
      return 'arena_full'
    }
    table.received(slot, receivedAtMs, Number.NaN, Number.NaN)
    this.answered(slot)
    table.touch(slot)
    return 'changed'
  }

  /** A whole book answers every doubt but one of its own. */
  private answered(slot: number): void {
    const { table } = this
    if (table.arena.crossed(slot)) {
      table.raise(slot, 'crossed')
      table.clear(slot, 'awaiting_snapshot', 'disconnected', 'drift', 'poll_overdue', 'refused')
      return
    }
    table.resynced(slot)
    table.clear(slot, 'refused')
  }

  private isSame(slot: number, outcome: Outcome, levels: LevelList): boolean {
    const { arena } = this.table
    let depth = 0
    for (let i = levels.count - 1; i >= 0; i--) {
      const size = levels.size[i] as number
      if (size === 0) continue
      if (arena.priceAt(slot, outcome, depth) !== levels.price[i]) return false
      if (arena.sizeAt(slot, outcome, depth) !== size) return false
      depth++
    }
    return depth === arena.count(slot, outcome)
  }
}
