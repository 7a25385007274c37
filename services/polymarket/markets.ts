import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../schemas/config.ts'
import type { Market } from '../../schemas/market.ts'
import { listOf } from '../settings.ts'
import { backoffMs } from '../venue/backoff.ts'
import {
  Catalogue,
  type CatalogueChange,
  type Discovered,
  hasEnded,
  type MarketSink
} from '../venue/catalogue.ts'
import type { Counters } from '../venue/counters.ts'
import type { DiscoveryStatus } from '../venue/port.ts'
import type { Hint } from './books.ts'
import { discoverMarkets, type LookedUp, lookUpMarkets } from './discovery.ts'
import { HintQueue } from './hint-queue.ts'
import { priceBandsOf } from './parse-market.ts'
import type { PolymarketRest } from './rest.ts'

export type Tokens = NonNullable<Market['tokens']>

/** A market whose book is to be kept, and where. */
export interface FollowedMarket {
  tokens: Tokens
  slot: number
  conditionId: string
}

export interface PolymarketMarketsOptions {
  sink: MarketSink
  rest: PolymarketRest
  counters: Counters
  config: Pick<
    Config,
    | 'POLYMARKET_TAGS'
    | 'POLYMARKET_CONDITION_IDS'
    | 'MAX_MARKETS_PER_VENUE'
    | 'REDISCOVERY_INTERVAL_MS'
    | 'ENDED_MARKET_RETENTION_MS'
  >
  /** Which markets are this process's to read: all, unless several share them. */
  reads: (market: Market) => boolean
  onAdded: (followed: readonly FollowedMarket[]) => void
  onDropped: (tokens: Tokens, conditionId: string) => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  now: () => number
  steadyNow: () => number
  random: () => number
}

/**
 * After the first look. What crossed the border of two pages while that turned them stands on neither, which the next
 * look finds; and what was listed before the first subscription nobody announces, which the last finds.
 */
const EARLY_LOOKS_MS = [1_000, 10_000]
const STOPPED = 'the feed was stopped'
const DISCOVERY_BACKOFF_BASE_MS = 500
const DISCOVERY_BACKOFF_CAP_MS = 60_000
/** The catalogue keeps followed markets up to this much below the cut, so that many must be known. */
const WANTED_FACTOR = 1.2

/** Which of the venue's markets are followed: found over Gamma now and then, and when a message hints at one. */
export class PolymarketMarkets {
  readonly status: DiscoveryStatus = { lastAtMs: null, selected: 0, lastError: null }
  /** When the first discovery was done, on the steady clock; NaN before. */
  firstAtMs = Number.NaN
  private readonly options: PolymarketMarketsOptions
  private readonly tags: string[]
  private readonly named: ReadonlySet<string>
  private readonly catalogue: Catalogue
  private readonly hints: HintQueue
  /** Followed markets by the slot of their book. */
  private readonly idBySlot = new Map<number, string>()
  /** Condition ids of closed markets whose result is still to come. */
  private readonly unsettled = new Set<string>()
  private failures = 0
  /** Discoveries that were done. */
  private looks = 0
  private isStopped = false
  /** The discovery under way, or the last one. */
  private discovering: Promise<string | null> = Promise.resolve(null)
  /** The discovery that was asked for and has not begun. */
  private asked: Promise<string | null> | null = null
  private timer: NodeJS.Timeout | null = null

  constructor(options: PolymarketMarketsOptions) {
    const { sink, config, counters, reads, now, steadyNow } = options
    this.options = options
    this.tags = listOf(config.POLYMARKET_TAGS)
    this.named = new Set(listOf(config.POLYMARKET_CONDITION_IDS))
    this.catalogue = new Catalogue({
      venue: 'polymarket',
      sink,
      maxMarkets: config.MAX_MARKETS_PER_VENUE,
      retentionMs: config.ENDED_MARKET_RETENTION_MS,
      reads,
      now
    })
    this.hints = new HintQueue({
      lookUp: (conditionIds) => this.lookUpHinted(conditionIds),
      counters,
      steadyNow
    })
  }

  start(): void {
    this.discovering = this.discover()
  }

  stop(): void {
    this.isStopped = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.hints.stop()
  }

  /** Looks up what messages hinted at. */
  tick(): void {
    void this.hints.tick()
  }

  /** Slots of the followed markets' books. */
  slots(): IterableIterator<number> {
    return this.idBySlot.keys()
  }

  /** Returns the followed market of a slot; null where it has none. */
  idOf(slot: number): string | null {
    return this.idBySlot.get(slot) ?? null
  }

  /** The followed markets by id. */
  followed(): Map<string, Market> {
    return new Map([...this.catalogue.markets()].map(({ id, market }) => [id, market]))
  }

  tokensOf(slot: number): Market['tokens'] {
    const id = this.idBySlot.get(slot)
    return id === undefined ? null : (this.options.sink.get(id)?.market.tokens ?? null)
  }

  /** Takes over that other markets are ours to read; what is known of those that came is looked at anew soon. */
  reselect(): void {
    if (this.isStopped || this.status.lastAtMs === null) return
    const change = this.catalogue.reselect()
    this.take(change)
    this.status.selected = this.catalogue.size
    if (change.added.length > 0) void this.discoverNow()
  }

  /** Returns why a discovery that begins after this call failed; null when it did not. */
  discoverNow(): Promise<string | null> {
    this.asked ??= this.discoverNext()
    return this.asked
  }

  /** However many ask while one is under way, one more follows it. */
  private async discoverNext(): Promise<string | null> {
    for (let last = null; last !== this.discovering; ) {
      last = this.discovering
      await last
    }
    this.asked = null
    if (this.isStopped) return STOPPED
    if (this.timer !== null) clearTimeout(this.timer)
    this.discovering = this.discover()
    return this.discovering
  }

  /** Finds the markets to follow, and comes back later whatever happens; returns why it failed, or null. */
  private async discover(): Promise<string | null> {
    let waitMs = this.options.config.REDISCOVERY_INTERVAL_MS
    let why: string | null = null
    try {
      const found = await this.findMarkets()
      if (this.isStopped) return STOPPED
      void this.lookUpResults()
      this.take(this.catalogue.apply(found, new Set([...this.named].map(idOf))))
      this.catalogue.sweep()
      this.status.lastAtMs = this.options.now()
      this.status.selected = this.catalogue.size
      this.status.lastError = null
      this.failures = 0
      if (Number.isNaN(this.firstAtMs)) this.firstAtMs = this.options.steadyNow()
      waitMs = Math.min(waitMs, EARLY_LOOKS_MS[this.looks++] ?? waitMs)
    } catch (error) {
      if (this.isStopped) return STOPPED
      why = error instanceof Error ? error.message : String(error)
      this.status.lastError = why
      const attempt = this.failures++
      const backoff = backoffMs(
        attempt,
        DISCOVERY_BACKOFF_BASE_MS,
        DISCOVERY_BACKOFF_CAP_MS,
        this.options.random
      )
      waitMs = Math.min(waitMs, backoff)
      this.options.log.warn({ reason: why, waitMs: Math.round(waitMs) }, 'discovery failed')
    }
    this.timer = setTimeout(() => {
      this.discovering = this.discover()
    }, waitMs)
    return why
  }

  /** Returns what the lists hold, and by name what they do not: asked for, or selected until now. */
  private async findMarkets(): Promise<Discovered[]> {
    const { tags } = this
    const { rest, config } = this.options
    const wanted = Math.ceil(config.MAX_MARKETS_PER_VENUE * WANTED_FACTOR)
    const listed = await discoverMarkets({ rest, tags, wanted })
    const ids = new Set(listed.map(({ market }) => market.id))
    const missing = new Set([...this.named].filter((conditionId) => !ids.has(idOf(conditionId))))
    for (const { id, venueMarketId } of this.catalogue.selected())
      if (!ids.has(id)) missing.add(venueMarketId)
    const lookedUp = await lookUpMarkets(rest, [...missing])
    return [...listed, ...lookedUp]
  }

  /** A closed market is no longer followed; what is still to learn of it is its result. Never rejects. */
  private async lookUpResults(): Promise<void> {
    for (const conditionId of this.unsettled)
      if (this.options.sink.get(idOf(conditionId)) === undefined) this.unsettled.delete(conditionId)
    try {
      for (const { market } of await lookUpMarkets(this.options.rest, [...this.unsettled])) {
        if (this.isStopped) return
        if (market.status !== 'settled') continue
        this.unsettled.delete(market.venueMarketId)
        this.options.sink.patch(market.id, { status: market.status, result: market.result })
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (!this.isStopped) this.options.log.warn({ reason: why }, 'results not looked up')
    }
  }

  /** Tells what came and what went; a slot that went may already be another market's. */
  private take({ added, dropped }: CatalogueChange): void {
    for (const { market, slot, id } of dropped) {
      const tokens = market.tokens
      if (tokens === null) continue
      this.options.onDropped(tokens, market.venueMarketId)
      if (this.idBySlot.get(slot) === id) this.idBySlot.delete(slot)
      if (this.options.sink.get(id)?.market.status === 'closed') this.unsettled.add(market.venueMarketId)
    }
    const followed: FollowedMarket[] = []
    for (const { market, slot, id } of added) {
      const tokens = market.tokens
      if (tokens === null) continue
      this.idBySlot.set(slot, id)
      followed.push({ tokens, slot, conditionId: market.venueMarketId })
    }
    this.options.onAdded(followed)
    if (added.length + dropped.length > 0)
      this.options.log.info(
        { added: added.length, dropped: dropped.length, followed: this.catalogue.size },
        'markets'
      )
  }

  /** Takes what a message of the market channel says of a market. */
  hint(hint: Hint): void {
    if (hint.kind === 'tick_size') {
      const id = this.idBySlot.get(hint.slot)
      if (id !== undefined) this.options.sink.patch(id, { priceBands: priceBandsOf(hint.tickSize) })
      return
    }
    const isFollowed = this.catalogue.has(idOf(hint.conditionId))
    if (hint.kind === 'market_resolved' ? isFollowed : !isFollowed && this.hasUseFor(hint.conditionId))
      this.hints.add(hint.conditionId)
  }

  /** A new market has no volume yet: where every place is taken, the next discovery ranks it. */
  private hasUseFor(conditionId: string): boolean {
    return this.named.has(conditionId) || this.catalogue.size < this.options.config.MAX_MARKETS_PER_VENUE
  }

  private async lookUpHinted(conditionIds: readonly string[]): Promise<ReadonlySet<string>> {
    const done = new Set<string>()
    try {
      const found = await lookUpMarkets(this.options.rest, conditionIds)
      if (this.isStopped) return done
      for (const one of found) {
        const { id, venueMarketId } = one.market
        const isOver = hasEnded(one.market)
        const isFollowed = this.catalogue.has(id)
        // One that was found before it opened is looked at again: no message tells that it has.
        const isPending = one.market.status === 'pending'
        const hasOpened = !isPending && this.options.sink.get(id)?.market.status === 'pending'
        if (isFollowed ? isOver || hasOpened : !isOver && !isPending) done.add(venueMarketId)
        if (isFollowed || (!isOver && this.isSelected(one))) this.take(this.catalogue.follow(one))
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (!this.isStopped) this.options.log.warn({ reason: why }, 'markets not looked up')
    }
    return done
  }

  private isSelected({ market, tagSlugs }: LookedUp): boolean {
    if (this.named.has(market.venueMarketId)) return true
    const isTagged = this.tags.length === 0 || tagSlugs.some((slug) => this.tags.includes(slug))
    return isTagged && this.hasUseFor(market.venueMarketId)
  }
}

function idOf(conditionId: string): string {
  return `polymarket:${conditionId}`
}
