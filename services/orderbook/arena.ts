import { ArenaFullError } from '../errors.ts'
import { MAX_SIZE_E6, ONE_E4, type PriceE4, type SizeE6 } from '../numbers/decimal.ts'
import { levelPrint } from './level-print.ts'
import type { LevelList } from './levels.ts'

/**
 * The two sides of a binary market's book, both as bids: an ask for YES at `p` rests as a bid for NO at `1 - p`.
 * Mirroring a book is exchanging its sides.
 */
export const YES = 0
export const NO = 1
export type Outcome = typeof YES | typeof NO

/** The shortest run; a run of class `c` holds `8 << c` levels, and class 11 holds every price there is. */
const SHORTEST_RUN = 8
const CLASSES = 12
const NONE = -1
/** A side's entry in `runs`: where its run starts (-1: none), how many levels it holds, its class, its print. */
const RUN_FIELDS = 4
const OFFSET = 0
const COUNT = 1
const CLASS = 2
const PRINT = 3

/** Is told of every change of the levels, after it, synchronously. Must not throw nor change the arena. */
export interface LevelListener {
  /** This is the size at a price now; 0: the level is gone. */
  levelChanged(slot: number, outcome: Outcome, price: PriceE4, size: SizeE6): void
  /** A side is a new one as a whole. */
  sideReplaced(slot: number, outcome: Outcome): void
  released(slot: number): void
}

/** Below this many levels a loop moves them faster than `copyWithin` starts. */
const LOOP_MOVE_MAX = 24

/**
 * Every order book's levels in two shared typed arrays: nothing per market for the collector to trace.
 * Each side of each book is one run of ascending prices, best last, so that most inserts move few levels and the
 * top is a short backward walk. Free runs are chained through the `sizes` pool itself.
 */
export class BookArena {
  readonly capacityMarkets: number
  readonly capacityLevels: number
  /** Null for most arenas, which pay one compare a change for it. */
  listener: LevelListener | null = null
  private readonly prices: Uint16Array
  private readonly sizes: Float64Array
  /** Offset, count, class and print of each side, together: an update finds all four in one cache line. */
  private readonly runs: Int32Array
  private readonly free = new Int32Array(CLASSES).fill(NONE)
  private top = 0

  /** Reserves room for books and levels; memory becomes resident only when touched. */
  constructor(capacityMarkets: number, capacityLevels: number) {
    this.capacityMarkets = capacityMarkets
    this.capacityLevels = capacityLevels
    this.prices = new Uint16Array(capacityLevels)
    this.sizes = new Float64Array(capacityLevels)
    this.runs = new Int32Array(capacityMarkets * 2 * RUN_FIELDS)
    for (let run = 0; run < this.runs.length; run += RUN_FIELDS) this.forget(run)
  }

  /** Levels in runs handed out so far, used or free. */
  get reservedLevels(): number {
    return this.top
  }

  /** Number of levels on a side. */
  count(slot: number, outcome: Outcome): number {
    return this.runs[(slot * 2 + outcome) * RUN_FIELDS + COUNT] as number
  }

  /** Price of the level at `depth` from the best (0), or -1 where the side is shorter. */
  priceAt(slot: number, outcome: Outcome, depth: number): PriceE4 {
    const side = (slot * 2 + outcome) * RUN_FIELDS
    const index = (this.runs[side + COUNT] as number) - 1 - depth
    return index < 0 ? NONE : (this.prices[(this.runs[side + OFFSET] as number) + index] as number)
  }

  /** Size of the level at `depth` from the best (0), or 0 where the side is shorter. */
  sizeAt(slot: number, outcome: Outcome, depth: number): SizeE6 {
    const side = (slot * 2 + outcome) * RUN_FIELDS
    const index = (this.runs[side + COUNT] as number) - 1 - depth
    return index < 0 ? 0 : (this.sizes[(this.runs[side + OFFSET] as number) + index] as number)
  }

  /** Size resting at a price, 0 where there is no level. */
  sizeOf(slot: number, outcome: Outcome, price: PriceE4): SizeE6 {
    const side = (slot * 2 + outcome) * RUN_FIELDS
    const index = this.find(side, price)
    return index < 0 ? 0 : (this.sizes[(this.runs[side + OFFSET] as number) + index] as number)
  }

  /** The sum of `levelPrint` over a side's levels, mod 2^32 and signed; 0 for an empty side. */
  sidePrint(slot: number, outcome: Outcome): number {
    return this.runs[(slot * 2 + outcome) * RUN_FIELDS + PRINT] as number
  }

  /** True when the best bids of YES and NO together reach one dollar: the book could match itself. */
  crossed(slot: number): boolean {
    const yes = this.priceAt(slot, YES, 0)
    const no = this.priceAt(slot, NO, 0)
    return yes >= 0 && no >= 0 && yes + no >= ONE_E4
  }

  /** Sets the size resting at a price; 0 removes the level. Returns the size that was there. */
  setLevel(slot: number, outcome: Outcome, price: PriceE4, size: SizeE6): SizeE6 {
    const side = (slot * 2 + outcome) * RUN_FIELDS
    const index = this.find(side, price)
    if (index < 0) {
      if (size > 0) {
        this.insert(side, ~index, price, size)
        if (this.listener !== null) this.listener.levelChanged(slot, outcome, price, size)
      }
      return 0
    }
    const at = (this.runs[side + OFFSET] as number) + index
    const before = this.sizes[at] as number
    if (size > 0) this.resize(side, at, size)
    else this.removeAt(side, index)
    if (this.listener !== null && size !== before) this.listener.levelChanged(slot, outcome, price, size)
    return before
  }

  /**
   * Adds a signed change to the size resting at a price; a level that reaches zero is removed. Returns the new
   * size, or -1 when it would fall below zero or above what is exact: a delta was lost or made up, the book is left as it
   * was and needs a resync.
   */
  changeLevel(slot: number, outcome: Outcome, price: PriceE4, change: number): SizeE6 {
    const side = (slot * 2 + outcome) * RUN_FIELDS
    const index = this.find(side, price)
    if (index < 0) {
      if (change < 0) return NONE
      if (change > 0) {
        this.insert(side, ~index, price, change)
        if (this.listener !== null) this.listener.levelChanged(slot, outcome, price, change)
      }
      return change
    }
    const at = (this.runs[side + OFFSET] as number) + index
    const size = (this.sizes[at] as number) + change
    if (size < 0 || size > MAX_SIZE_E6) return NONE
    if (size === 0) this.removeAt(side, index)
    else this.resize(side, at, size)
    if (this.listener !== null && change !== 0) this.listener.levelChanged(slot, outcome, price, size)
    return size
  }

  /** Replaces one side by levels of ascending price; levels of size 0 are left out. */
  replace(slot: number, outcome: Outcome, levels: LevelList): void {
    const side = (slot * 2 + outcome) * RUN_FIELDS
    let wanted = 0
    for (let i = 0; i < levels.count; i++) if ((levels.size[i] as number) > 0) wanted++
    const sizeClass = classFor(wanted)
    if (wanted > 0 && sizeClass > (this.runs[side + CLASS] as number)) this.move(side, sizeClass, 0)
    const offset = this.runs[side + OFFSET] as number
    let kept = 0
    let print = 0
    for (let i = 0; i < levels.count; i++) {
      const price = levels.price[i] as number
      const size = levels.size[i] as number
      if (size === 0) continue
      this.prices[offset + kept] = price
      this.sizes[offset + kept] = size
      print = (print + levelPrint(price, size)) | 0
      kept++
    }
    this.runs[side + COUNT] = kept
    this.runs[side + PRINT] = print
    if (this.listener !== null) this.listener.sideReplaced(slot, outcome)
  }

  /** Empties a book and gives its runs back. */
  release(slot: number): void {
    for (const outcome of [YES, NO]) {
      const side = (slot * 2 + outcome) * RUN_FIELDS
      const sizeClass = this.runs[side + CLASS] as number
      if (sizeClass !== NONE) this.giveBack(this.runs[side + OFFSET] as number, sizeClass)
      this.forget(side)
    }
    if (this.listener !== null) this.listener.released(slot)
  }

  private forget(side: number): void {
    this.runs[side + OFFSET] = NONE
    this.runs[side + COUNT] = 0
    this.runs[side + CLASS] = NONE
    this.runs[side + PRINT] = 0
  }

  /** Index of a price in its run, or the complement of where it would go. */
  private find(side: number, price: PriceE4): number {
    const offset = this.runs[side + OFFSET] as number
    const prices = this.prices
    let low = 0
    let high = (this.runs[side + COUNT] as number) - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const found = prices[offset + middle] as number
      if (found < price) low = middle + 1
      else if (found > price) high = middle - 1
      else return middle
    }
    return ~low
  }

  private resize(side: number, at: number, size: SizeE6): void {
    const price = this.prices[at] as number
    const print = (this.runs[side + PRINT] as number) - levelPrint(price, this.sizes[at] as number)
    this.runs[side + PRINT] = (print + levelPrint(price, size)) | 0
    this.sizes[at] = size
  }

  private insert(side: number, index: number, price: PriceE4, size: SizeE6): void {
    const count = this.runs[side + COUNT] as number
    const sizeClass = this.runs[side + CLASS] as number
    if (sizeClass === NONE) this.move(side, 0, 0)
    else if (count === SHORTEST_RUN << sizeClass) this.move(side, sizeClass + 1, count)
    const { prices, sizes } = this
    const offset = this.runs[side + OFFSET] as number
    const at = offset + index
    const end = offset + count
    if (end - at > LOOP_MOVE_MAX) {
      prices.copyWithin(at + 1, at, end)
      sizes.copyWithin(at + 1, at, end)
    } else {
      for (let i = end; i > at; i--) {
        prices[i] = prices[i - 1] as number
        sizes[i] = sizes[i - 1] as number
      }
    }
    prices[at] = price
    sizes[at] = size
    this.runs[side + COUNT] = count + 1
    this.runs[side + PRINT] = ((this.runs[side + PRINT] as number) + levelPrint(price, size)) | 0
  }

  private removeAt(side: number, index: number): void {
    const { prices, sizes } = this
    const at = (this.runs[side + OFFSET] as number) + index
    const count = (this.runs[side + COUNT] as number) - 1
    const end = (this.runs[side + OFFSET] as number) + count
    const print = levelPrint(prices[at] as number, sizes[at] as number)
    this.runs[side + PRINT] = ((this.runs[side + PRINT] as number) - print) | 0
    if (end - at > LOOP_MOVE_MAX) {
      prices.copyWithin(at, at + 1, end + 1)
      sizes.copyWithin(at, at + 1, end + 1)
    } else {
      for (let i = at; i < end; i++) {
        prices[i] = prices[i + 1] as number
        sizes[i] = sizes[i + 1] as number
      }
    }
    this.runs[side + COUNT] = count
  }

  /** Gives a side a run of another class and carries its first `count` levels over. */
  private move(side: number, sizeClass: number, count: number): void {
    const to = this.take(sizeClass)
    const from = this.runs[side + OFFSET] as number
    if (from !== NONE) {
      this.prices.copyWithin(to, from, from + count)
      this.sizes.copyWithin(to, from, from + count)
      this.giveBack(from, this.runs[side + CLASS] as number)
    }
    this.runs[side + OFFSET] = to
    this.runs[side + CLASS] = sizeClass
  }

  private take(sizeClass: number): number {
    const reused = this.free[sizeClass] as number
    if (reused !== NONE) {
      this.free[sizeClass] = this.sizes[reused] as number
      return reused
    }
    const length = SHORTEST_RUN << sizeClass
    if (this.top + length <= this.capacityLevels) {
      const fresh = this.top
      this.top += length
      return fresh
    }
    for (let larger = sizeClass + 1; larger < CLASSES; larger++) {
      const split = this.free[larger] as number
      if (split === NONE) continue
      this.free[larger] = this.sizes[split] as number
      for (let half = larger - 1; half >= sizeClass; half--)
        this.giveBack(split + (SHORTEST_RUN << half), half)
      return split
    }
    throw new ArenaFullError(this.capacityLevels)
  }

  private giveBack(offset: number, sizeClass: number): void {
    this.sizes[offset] = this.free[sizeClass] as number
    this.free[sizeClass] = offset
  }
}

function classFor(levels: number): number {
  let sizeClass = 0
  while (SHORTEST_RUN << sizeClass < levels) sizeClass++
  return sizeClass
}
