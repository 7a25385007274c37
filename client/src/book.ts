import { compareDecimals } from './decimal.ts'
import type { Level, StreamBook, Verdict } from './messages.gen.ts'

/** A whole order book in YES terms. It never changes: a later one is another object. */
export interface Book {
  readonly id: string
  /** Raised by every change; not to be compared across a restart of the gateway. */
  readonly version: number
  /** Best first: highest price. */
  readonly bids: readonly Level[]
  /** Best first: lowest price. */
  readonly asks: readonly Level[]
  /** How far the gateway trusts it, and why. */
  readonly verdict: Verdict
}

/** What a message did to a held book. `held`: it has that already; `ahead`: something before it is missing. */
export type Applied = 'whole' | 'changed' | 'held' | 'ahead'

/** One book as it is kept up to date from messages. */
export class HeldBook {
  version = 0
  private readonly id: string
  private bids: Level[] = []
  private asks: Level[] = []
  private verdict: Verdict | null = null

  constructor(id: string) {
    this.id = id
  }

  /** Takes a whole book, or a change if it follows on what is held. */
  apply(told: StreamBook): Applied {
    const { version, previous, verdict } = told
    if (previous === null) {
      this.bids = [...told.bids]
      this.asks = [...told.asks]
    } else {
      if (this.verdict === null || previous > this.version) return 'ahead'
      if (version <= this.version) return 'held'
      for (const level of told.bids) setLevel(this.bids, level, -1)
      for (const level of told.asks) setLevel(this.asks, level, 1)
    }
    this.version = version
    this.verdict = verdict
    return previous === null ? 'whole' : 'changed'
  }

  /** Returns the book as it is now, if there is one. */
  toBook(): Book | null {
    const { id, version, verdict } = this
    if (verdict === null) return null
    return { id, version, bids: [...this.bids], asks: [...this.asks], verdict }
  }
}

/** Puts a size at a price into a side that is sorted best first; size 0 removes the level. Asks rise, bids fall. */
function setLevel(side: Level[], level: Level, rising: 1 | -1): void {
  let from = 0
  let to = side.length
  while (from < to) {
    const middle = (from + to) >> 1
    const order = compareDecimals((side[middle] as Level).price, level.price) * rising
    if (order < 0) from = middle + 1
    else to = middle
  }
  const isThere = side[from]?.price === level.price
  if (level.size !== '0') side.splice(from, isThere ? 1 : 0, level)
  else if (isThere) side.splice(from, 1)
}
