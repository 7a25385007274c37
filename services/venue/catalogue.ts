import type { Venue } from '../../schemas/common.ts'
import type { EventHeader } from '../../schemas/event.ts'
import type { Market } from '../../schemas/market.ts'
import type { BookTable } from '../integrity/book-table.ts'

/** A market as a discovery found it, with the event that groups it. */
export interface Discovered {
  market: Market
  rules: string
  event: EventHeader | null
}

/** Where a market's book is kept. */
export interface ServedMarket {
  readonly slot: number
  readonly id: string
  readonly market: Market
}

/** What a feed may do to the store: write its own markets and books, nothing else. */
export interface MarketSink {
  readonly books: BookTable
  get(id: string): ServedMarket | undefined
  put(market: Market, rules: string): ServedMarket | null
  patch(id: string, change: Partial<Market>): void
  remove(id: string): void
  putEvent(event: EventHeader): void
  /** Returns all that is known of a market, as a discovery found it. */
  discovered(id: string): Discovered | undefined
}

/** What a discovery changed. `added` and `dropped` are what a feed subscribes and unsubscribes. */
export interface CatalogueChange {
  added: ServedMarket[]
  /** No longer followed: ended, or no longer among the selected. Ended ones are served on until their retention. */
  dropped: ServedMarket[]
}

export interface CatalogueOptions {
  venue: Venue
  sink: MarketSink
  maxMarkets: number
  retentionMs: number
  /** Which of the selected markets are this process's to read: all, unless several share them. */
  reads?: (market: Market) => boolean
  now?: () => number
}

/** A followed market may fall this much below the cut before it is dropped, so that the border does not flap. */
const KEEP_FACTOR = 1.2

/**
 * The markets of one venue that are followed: the busiest of a discovery, and those asked for by name. Ended ones
 * stay served for a while and then leave memory.
 */
export class Catalogue {
  private readonly options: Required<CatalogueOptions>
  private readonly followed = new Map<string, ServedMarket>()
  /** Ended markets by the time they ended, oldest first. */
  private readonly ended = new Map<string, number>()
  /** Selected markets that others read: at hand, should they become ours. */
  private readonly others = new Map<string, Discovered>()

  constructor(options: CatalogueOptions) {
    this.options = { now: Date.now, reads: () => true, ...options }
  }

  get size(): number {
    return this.followed.size
  }

  markets(): IterableIterator<ServedMarket> {
    return this.followed.values()
  }

  /** The selected markets, whoever reads them. */
  *selected(): Generator<Market> {
    for (const { market } of this.followed.values()) yield market
    for (const { market } of this.others.values()) yield market
  }

  has(id: string): boolean {
    return this.followed.has(id)
  }

  /**
   * Takes over a whole discovery: follows the busiest markets and all of `named`, refreshes what is known of the
   * followed, and drops those that ended or that the discovery does not select.
   */
  apply(found: readonly Discovered[], named: ReadonlySet<string> = new Set()): CatalogueChange {
    const { maxMarkets } = this.options
    const change: CatalogueChange = { added: [], dropped: [] }
    const ranked = found.filter(({ market }) => !hasEnded(market)).sort(busiestFirst(named))
    const selected = new Map<string, Discovered>()
    const keepUpTo = Math.floor(maxMarkets * KEEP_FACTOR)
    for (const [rank, one] of ranked.entries()) {
      if (rank < keepUpTo && this.followed.has(one.market.id)) selected.set(one.market.id, one)
    }
    for (const one of ranked) {
      if (selected.size >= maxMarkets) break
      selected.set(one.market.id, one)
    }
    for (const { market, rules } of found) {
      if (hasEnded(market) && this.followed.has(market.id)) {
        this.options.sink.put(market, rules)
        this.end(market.id, change)
      }
    }
    for (const [id, served] of this.followed) if (!selected.has(id)) this.drop(served, change)
    this.others.clear()
    for (const one of selected.values()) this.follow(one, change)
    return change
  }

  /** Takes over that other markets are ours to read than before: drops those that are not, follows those that are. */
  reselect(): CatalogueChange {
    const { reads } = this.options
    const change: CatalogueChange = { added: [], dropped: [] }
    for (const served of this.followed.values())
      if (!reads(served.market)) {
        const { id } = served
        this.others.set(id, this.options.sink.discovered(id) as Discovered)
        this.drop(served, change)
      }
    for (const one of [...this.others.values()]) if (reads(one.market)) this.follow(one, change)
    return change
  }

  /** Adds or refreshes one market, as a lifecycle message or a look-up by name brings it. */
  follow(one: Discovered, change: CatalogueChange = { added: [], dropped: [] }): CatalogueChange {
    const { sink } = this.options
    const { id } = one.market
    const known = this.followed.get(id)
    this.others.delete(id)
    if (!this.options.reads(one.market)) {
      if (!hasEnded(one.market)) this.others.set(id, one)
      if (known !== undefined) this.drop(known, change)
      return change
    }
    if (known === undefined && this.followed.size >= Math.floor(this.options.maxMarkets * KEEP_FACTOR))
      return change
    if (one.event !== null) sink.putEvent(one.event)
    let served = sink.put(one.market, one.rules)
    while (served === null && this.evictOldestEnded()) served = sink.put(one.market, one.rules)
    if (served === null) return change
    if (hasEnded(one.market)) {
      this.end(id, change)
      if (!this.ended.has(id)) this.ended.set(id, this.options.now())
      return change
    }
    this.ended.delete(id)
    if (known === undefined) {
      this.followed.set(id, served)
      change.added.push(served)
    }
    return change
  }

  /** Stops following a market that ended; its last book is served until the retention is over. */
  end(id: string, change: CatalogueChange = { added: [], dropped: [] }): CatalogueChange {
    const served = this.followed.get(id)
    if (served === undefined) return change
    this.followed.delete(id)
    this.ended.set(id, this.options.now())
    change.dropped.push(served)
    return change
  }

  /** Removes the markets that ended longer ago than the retention; returns how many. */
  sweep(): number {
    const before = this.options.now() - this.options.retentionMs
    let removed = 0
    for (const [id, endedAtMs] of this.ended) {
      if (endedAtMs > before) break
      this.ended.delete(id)
      this.options.sink.remove(id)
      removed++
    }
    return removed
  }

  private drop(served: ServedMarket, change: CatalogueChange): void {
    this.followed.delete(served.id)
    this.options.sink.remove(served.id)
    change.dropped.push(served)
  }

  private evictOldestEnded(): boolean {
    const oldest = this.ended.keys().next()
    if (oldest.done) return false
    this.ended.delete(oldest.value)
    this.options.sink.remove(oldest.value)
    return true
  }
}

/** True when a market trades no more for good. */
export function hasEnded({ status }: Pick<Market, 'status'>): boolean {
  return status === 'closed' || status === 'settled'
}

/** Only an order, never money: a double is enough to rank volumes. */
function busiestFirst(named: ReadonlySet<string>): (a: Discovered, b: Discovered) => number {
  const weight = ({ market }: Discovered) =>
    named.has(market.id) ? Number.POSITIVE_INFINITY : Number(market.volume24h ?? -1)
  return (a, b) => {
    const difference = weight(b) - weight(a)
    return Number.isNaN(difference) || difference === 0 ? (a.market.id < b.market.id ? -1 : 1) : difference
  }
}
