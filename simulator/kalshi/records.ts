import type { Happening, LevelChange, SimMarket, SimTrade, TrueBook, World } from '../model/types.ts'
import { topOf } from './book.ts'
import type { Past, Reference } from './objects.ts'

const KEPT_TRADES = 10_000
/** Changes kept for `rest_lag`: some 20 s of a busy model. */
const KEPT_CHANGES = 40_000

interface PastChange extends LevelChange {
  market: SimMarket
  atMs: number
}

/** What REST tells of the past: trades, earlier quotes, and the book of a moment ago. Bounded. */
export class Records implements Past {
  readonly #references = new WeakMap<SimMarket, Reference>()
  readonly #updatedMs = new WeakMap<SimMarket, number>()
  #trades: { market: SimMarket; trade: SimTrade }[] = []
  #changes: PastChange[] = []

  constructor(world: World) {
    for (const market of world.markets('kalshi')) {
      this.#references.set(market, { top: topOf(market.book), priceE4: market.lastTrade?.priceE4 ?? 0 })
    }
  }

  /** Notes a happening; book changes are kept only while `keepsChanges`. */
  note(happening: Happening, keepsChanges: boolean): void {
    const { market, atMs } = happening
    if (happening.kind !== 'levels' && happening.kind !== 'match') {
      this.#updatedMs.set(market, atMs)
      return
    }
    if (happening.kind === 'match') {
      for (const trade of happening.trades) this.#trades.push({ market, trade })
      if (this.#trades.length > 2 * KEPT_TRADES) this.#trades = this.#trades.slice(-KEPT_TRADES)
    }
    if (!keepsChanges) {
      if (this.#changes.length > 0) this.#changes = []
      return
    }
    const changes =
      happening.kind === 'levels'
        ? happening.changes
        : [...happening.consumed, ...(happening.remainder ? [happening.remainder] : [])]
    for (const change of changes) this.#changes.push({ ...change, market, atMs })
    if (this.#changes.length > 2 * KEPT_CHANGES) this.#changes = this.#changes.slice(-KEPT_CHANGES)
  }

  /** The quotes at the start of the simulator; undefined for a market listed since. */
  reference(market: SimMarket): Reference | undefined {
    return this.#references.get(market)
  }

  /** When a market's description last changed, ms; trading does not count. */
  updatedMs(market: SimMarket): number {
    return this.#updatedMs.get(market) ?? market.createdMs
  }

  /** The kept trades, newest first. */
  trades(): { market: SimMarket; trade: SimTrade }[] {
    return [...this.#trades].reverse()
  }

  /** Returns the book as it was at `atMs`, as far back as changes are kept. */
  bookAt(market: SimMarket, atMs: number): TrueBook {
    const book = { bids: new Map(market.book.bids), asks: new Map(market.book.asks) }
    for (let index = this.#changes.length - 1; index >= 0; index--) {
      const change = this.#changes[index]
      if (change === undefined || change.atMs <= atMs) break
      if (change.market !== market) continue
      const levels = change.side === 'bid' ? book.bids : book.asks
      const before = change.sizeE6 - change.changeE6
      if (before === 0) levels.delete(change.priceE4)
      else levels.set(change.priceE4, before)
    }
    return book
  }
}
