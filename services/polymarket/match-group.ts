import type { PriceE4, SizeE6 } from '../numbers/decimal.ts'
import type { BookArena, Outcome } from '../orderbook/arena.ts'

interface Change {
  outcome: Outcome
  price: PriceE4
  size: SizeE6
}

/** A match that sweeps more levels than this in single messages is applied as far as it came. */
const MAX_CHANGES = 512

/**
 * The changes of one match that are held back. A match is one act of the venue told in several messages: the
 * taker's remainder first, which crosses the book, then every consumed level. All share time and hash.
 *
 * Applied one by one, they would show readers of the arena a book that never existed. So from the change that would
 * cross the book on, the group waits here and the arena keeps its last true state; it is applied in one go as soon as
 * the result is not crossed, or as it is when the group has ended. Whoever reads the arena in between sees the book
 * as it was before the match, which is what the verdict says.
 */
export class MatchGroup {
  readonly timestampMs: number
  readonly hash: number
  /** Our clock at the last message of the group. */
  receivedAtMs = 0
  /** The same moment on the clock that never jumps. */
  heardAtMs = 0
  private readonly changes: Change[] = []

  constructor(timestampMs: number, hash: number) {
    this.timestampMs = timestampMs
    this.hash = hash
  }

  /** True for a message of the same act. */
  includes(timestampMs: number, hash: number): boolean {
    return timestampMs === this.timestampMs && hash === this.hash && this.changes.length < MAX_CHANGES
  }

  add(outcome: Outcome, price: PriceE4, size: SizeE6): void {
    this.changes.push({ outcome, price, size })
  }

  /** Applies the whole group. @throws {ArenaFullError} */
  apply(arena: BookArena, slot: number): void {
    for (const { outcome, price, size } of this.changes) arena.setLevel(slot, outcome, price, size)
  }

  /** Applies the whole group if that leaves the book uncrossed, else nothing. @throws {ArenaFullError} */
  applyIfWhole(arena: BookArena, slot: number): boolean {
    const { changes } = this
    const before = changes.map(({ outcome, price, size }) => arena.setLevel(slot, outcome, price, size))
    if (!arena.crossed(slot)) return true
    for (let i = changes.length - 1; i >= 0; i--) {
      const { outcome, price } = changes[i] as Change
      arena.setLevel(slot, outcome, price, before[i] as SizeE6)
    }
    return false
  }
}
