import type { BookListener } from '../integrity/book-listeners.ts'
import type { PriceE4 } from '../numbers/decimal.ts'
import type { Outcome } from '../orderbook/arena.ts'

/** A level that changed: its price, and its outcome above it. */
const OUTCOME_SHIFT = 14
export const priceOf = (key: number): PriceE4 => key & ((1 << OUTCOME_SHIFT) - 1)
export const outcomeOf = (key: number): Outcome => (key >> OUTCOME_SHIFT) as Outcome

/** With more changed levels than this the whole book is told. */
const LEVELS_MAX = 256

/** What changed of a book's levels since it was last told: keys, or null when all of it did. */
export type ChangedLevels = number[] | null

/**
 * Notes which books changed, and which of their levels, as it happens; somebody else tells it later in the turn. This
 * is all that streams cost whoever applies a message: a flag, a count and a push.
 */
export class ChangeCollector implements BookListener {
  /** All slots are noted, not only those that are tracked: somebody asks for markets by what they are. */
  isScanning = false
  private readonly wake: () => void
  private readonly tracked: Uint8Array
  /** How often each slot changed since it was last taken, and how often it had then. */
  private readonly marks: Uint32Array
  private readonly taken: Uint32Array
  private readonly levels = new Map<number, ChangedLevels>()
  private dirty: number[] = []

  constructor(capacityMarkets: number, wake: () => void) {
    this.wake = wake
    this.tracked = new Uint8Array(capacityMarkets)
    this.marks = new Uint32Array(capacityMarkets)
    this.taken = new Uint32Array(capacityMarkets)
  }

  get pending(): number {
    return this.dirty.length
  }

  /** Whether changes of a slot are noted at all, and those of its levels one by one. */
  track(slot: number, isTracked: boolean, withLevels: boolean): void {
    this.tracked[slot] = (isTracked ? TRACKED : 0) | (withLevels ? LEVELS : 0)
    if (!withLevels) this.levels.delete(slot)
  }

  levelChanged(slot: number, outcome: Outcome, price: PriceE4): void {
    if (((this.tracked[slot] as number) & LEVELS) === 0) return
    const changed = this.levels.get(slot)
    const key = (outcome << OUTCOME_SHIFT) | price
    if (changed === undefined) this.levels.set(slot, [key])
    else if (changed !== null) {
      if (changed.length < LEVELS_MAX) changed.push(key)
      else this.levels.set(slot, null)
    }
  }

  sideReplaced(slot: number): void {
    if (((this.tracked[slot] as number) & LEVELS) !== 0) this.levels.set(slot, null)
  }

  released(slot: number): void {
    this.sideReplaced(slot)
  }

  touched(slot: number): void {
    if (this.tracked[slot] !== 0 || this.isScanning) this.mark(slot)
  }

  /** Notes a slot whatever is tracked. */
  mark(slot: number): void {
    const before = this.marks[slot] as number
    this.marks[slot] = before + 1
    if (before > 0) return
    if (this.dirty.push(slot) === 1) this.wake()
  }

  /** Returns at most `limit` slots that changed, oldest first; the others stay. */
  take(limit: number): number[] {
    const taken = this.dirty.length <= limit ? this.dirty : this.dirty.slice(0, limit)
    this.dirty = this.dirty.length <= limit ? [] : this.dirty.slice(limit)
    for (const slot of taken) {
      this.taken[slot] = this.marks[slot] as number
      this.marks[slot] = 0
    }
    return taken
  }

  /** Returns how many changes of a slot were taken as one the last time. */
  changesTaken(slot: number): number {
    return this.taken[slot] as number
  }

  /** Returns the levels that changed since the last time, and forgets them; undefined when none did. */
  takeLevels(slot: number): ChangedLevels | undefined {
    const changed = this.levels.get(slot)
    if (changed !== undefined) this.levels.delete(slot)
    return changed
  }
}

const TRACKED = 1
const LEVELS = 2
