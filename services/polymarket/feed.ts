import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../schemas/config.ts'
import type { Market } from '../../schemas/market.ts'
import { Incidents } from '../integrity/incidents.ts'
import { listOf } from '../settings.ts'
import { backoffMs } from '../venue/backoff.ts'
import { breakerLimits } from '../venue/breaker.ts'
import {
  Catalogue,
  type CatalogueChange,
  type Discovered,
  hasEnded,
  type MarketSink
} from '../venue/catalogue.ts'
import { DialPacer } from '../venue/dial-pacer.ts'
import { FrameLog } from '../venue/frame-log.ts'
import type { DiscoveryStatus, FeedStatus, VenueFeed } from '../venue/port.ts'
import { Recovery } from '../venue/recovery.ts'
import {
  type ConnectionRecycle,
  type RecycleOptions,
  unlessEnded,
  type VenueRecycle
} from '../venue/recycle.ts'
import { PolymarketAudits } from './audits.ts'
import { BookIncidents } from './book-incidents.ts'
import { BookReader } from './book-reader.ts'
import { type Hint, PolymarketBooks } from './books.ts'
import { PolymarketConnections } from './connections.ts'
import { discoverMarkets, type LookedUp, lookUpMarkets } from './discovery.ts'
import { HintQueue } from './hint-queue.ts'
import { priceBandsOf } from './parse-market.ts'
import { PolymarketRest } from './rest.ts'

export type PolymarketSettings = Pick<
  Config,
  | 'POLYMARKET_HTTP_BASE'
  | 'POLYMARKET_GAMMA_BASE'
  | 'POLYMARKET_WS_URL'
  | 'POLYMARKET_TAGS'
  | 'POLYMARKET_CONDITION_IDS'
  | 'POLYMARKET_ASSETS_PER_CONNECTION'
  | 'MAX_MARKETS_PER_VENUE'
  | 'REDISCOVERY_INTERVAL_MS'
  | 'ENDED_MARKET_RETENTION_MS'
  | 'SNAPSHOT_TIMEOUT_MS'
  | 'SILENT_AFTER_MS'
  | 'DIALS_PER_SECOND'
  | 'BREAKER_FAILURES'
  | 'BREAKER_OPEN_MS'
  | 'HASH_BUDGET_PERCENT'
  | 'AUDIT_PERIOD_MS'
>

export interface PolymarketFeedOptions {
  sink: MarketSink
  config: PolymarketSettings
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  incidents?: Incidents
  now?: () => number
  /** Milliseconds on a clock that never jumps: whatever is waited for is measured by it. */
  steadyNow?: () => number
  random?: () => number
}

const TICK_MS = 25
/** Between two looks for books that cannot be proved yet. */
const FACTS_EVERY_MS = 5_000
const STOPPED = 'the feed was stopped'
/** A new connection may take this many snapshot time limits to fill: its books are asked for in three ways. */
const FILL_TIMEOUTS = 3
const DISCOVERY_BACKOFF_BASE_MS = 500
const DISCOVERY_BACKOFF_CAP_MS = 60_000
/** The catalogue keeps followed markets up to this much below the cut, so that many must be known. */
const WANTED_FACTOR = 1.2

/** Polymarket: finds the markets to follow over Gamma and keeps their books from the market channel. */
export class PolymarketFeed implements VenueFeed {
  readonly venue = 'polymarket'
  private readonly sink: MarketSink
  private readonly config: PolymarketSettings
  private readonly log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  private readonly now: () => number
  private readonly steadyNow: () => number
  private readonly random: () => number
  private readonly tags: string[]
  private readonly named: ReadonlySet<string>
  private readonly catalogue: Catalogue
  private readonly rest: PolymarketRest
  private readonly books: PolymarketBooks
  private readonly connections: PolymarketConnections
  private readonly recovery: Recovery
  private readonly reader: BookReader
  private readonly audits: PolymarketAudits
  private readonly troubles: BookIncidents
  private askedForFactsAtMs = Number.NEGATIVE_INFINITY
  private readonly hints: HintQueue
  /** Followed markets by the slot of their book. */
  private readonly idBySlot = new Map<number, string>()
  /** Condition ids of closed markets whose result is still to come. */
  private readonly unsettled = new Set<string>()
  private readonly discovery: DiscoveryStatus = { lastAtMs: null, selected: 0, lastError: null }
  private firstDiscoveredAtMs = Number.NaN
  private isSynced = false
  private failedDiscoveries = 0
  private isStopped = false
  /** The discovery under way, or the last one. */
  private discovering: Promise<string | null> = Promise.resolve(null)
  private ticker: NodeJS.Timeout | null = null
  private discoveryTimer: NodeJS.Timeout | null = null

  constructor({
    sink,
    config,
    log,
    incidents = new Incidents(),
    now = Date.now,
    steadyNow = performance.now.bind(performance),
    random = Math.random
  }: PolymarketFeedOptions) {
    this.sink = sink
    this.config = config
    this.log = log
    this.now = now
    this.steadyNow = steadyNow
    this.random = random
    this.tags = listOf(config.POLYMARKET_TAGS)
    this.named = new Set(listOf(config.POLYMARKET_CONDITION_IDS))
    this.catalogue = new Catalogue({
      venue: 'polymarket',
      sink,
      maxMarkets: config.MAX_MARKETS_PER_VENUE,
      retentionMs: config.ENDED_MARKET_RETENTION_MS,
      now
    })
    this.rest = new PolymarketRest({
      gammaBase: config.POLYMARKET_GAMMA_BASE,
      clobBase: config.POLYMARKET_HTTP_BASE,
      breaker: breakerLimits(config),
      random
    })
    const frames = new FrameLog(log, steadyNow)
    this.books = new PolymarketBooks({
      table: sink.books,
      onCorrupt: (assetId, slot, reason, frame) => {
        this.troubles.corrupt(slot, reason, frame)
        this.reader.ask(assetId, 'snapshot')
      },
      onHint: (hint) => this.hint(hint),
      onRefused: (reason, frame) => {
        frames.note(reason, frame)
        this.troubles.refused(reason, frame)
      },
      hashBudgetPercent: config.HASH_BUDGET_PERCENT,
      now,
      steadyNow
    })
    const marketId = (slot: number) => this.idBySlot.get(slot) ?? null
    this.troubles = new BookIncidents({ table: sink.books, incidents, marketId })
    this.recovery = new Recovery({ table: sink.books, log, steadyNow })
    this.connections = new PolymarketConnections({
      url: config.POLYMARKET_WS_URL,
      assetsPerConnection: config.POLYMARKET_ASSETS_PER_CONNECTION,
      snapshotTimeoutMs: config.SNAPSHOT_TIMEOUT_MS,
      silentAfterMs: config.SILENT_AFTER_MS,
      breaker: breakerLimits(config),
      pacer: new DialPacer({ dialsPerSecond: config.DIALS_PER_SECOND, steadyNow }),
      recovery: this.recovery,
      books: this.books,
      table: sink.books,
      onOverdue: (assetId) => this.reader.ask(assetId, 'snapshot'),
      log,
      now,
      steadyNow,
      random
    })
    this.reader = new BookReader({
      books: this.books,
      fetchBooks: (assetIds) => this.rest.fetchBooks(assetIds),
      streamOf: (assetId) => this.connections.streamOf(assetId),
      // REST could not give a book that is good: the stream is asked for one.
      onGiveUp: (assetId) => this.resubscribeDoubtful(assetId),
      log,
      now,
      steadyNow
    })
    this.audits = new PolymarketAudits({
      table: sink.books,
      rest: this.rest,
      connections: this.connections,
      followed: () => this.books.followed(),
      assetOf: (slot) => this.tokensOf(slot)?.yes ?? null,
      slotOf: (assetId) => this.books.slotOf(assetId),
      marketId,
      reread: (assetId) => this.reader.ask(assetId, 'snapshot'),
      incidents,
      periodMs: config.AUDIT_PERIOD_MS,
      log,
      now,
      steadyNow,
      random
    })
    this.hints = new HintQueue({
      lookUp: (conditionIds) => this.lookUpHinted(conditionIds),
      counters: this.books.counters,
      steadyNow
    })
  }

  start(): void {
    if (this.ticker !== null || this.isStopped) return
    this.ticker = setInterval(() => this.tick(), TICK_MS)
    this.audits.start()
    this.discovering = this.discover()
  }

  async stop(): Promise<void> {
    this.isStopped = true
    if (this.ticker !== null) clearInterval(this.ticker)
    if (this.discoveryTimer !== null) clearTimeout(this.discoveryTimer)
    this.audits.stop()
    this.reader.stop()
    this.hints.stop()
    await Promise.all([this.connections.stop(), this.rest.close()])
  }

  status(): FeedStatus {
    return {
      venue: 'polymarket',
      source: 'websocket',
      synced: this.checkSynced(),
      note: this.discovery.lastError === null ? null : `discovery fails: ${this.discovery.lastError}`,
      // There are no credentials to refuse.
      refused: false,
      connections: this.connections.status(),
      discovery: { ...this.discovery },
      rest: this.rest.status,
      recovery: this.recovery.status(),
      ...this.audits.status(),
      proofs: { ...this.books.proofStatus() },
      counters: this.books.counters
    }
  }

  async recycle({ signal, onProgress }: RecycleOptions): Promise<VenueRecycle> {
    const before = this.followed()
    const connections: ConnectionRecycle[] = []
    onProgress('renewing the connections')
    const shards = this.connections.renew({
      complementOf: (assetId) => this.complementOf(assetId),
      signal,
      fillTimeoutMs: FILL_TIMEOUTS * this.config.SNAPSHOT_TIMEOUT_MS
    })
    for await (const { differed, ...report } of shards) {
      const named = differed.map(({ slot, difference }) => ({
        marketId: this.idBySlot.get(slot) ?? 'no longer followed',
        difference
      }))
      connections.push({ ...report, differed: named })
      onProgress(`renewed ${connections.length} connections`)
    }
    onProgress('discovering markets')
    const discoveryError = await unlessEnded(signal, () => this.discoverNow())
    return { connections, before, after: this.followed(), discoveryError }
  }

  private followed(): Map<string, Market> {
    return new Map([...this.catalogue.markets()].map(({ id, market }) => [id, market]))
  }

  private complementOf(assetId: string): string | null {
    return this.tokensOf(this.books.slotOf(assetId) ?? -1)?.no ?? null
  }

  private tokensOf(slot: number): Market['tokens'] {
    const id = this.idBySlot.get(slot)
    return id === undefined ? null : (this.sink.get(id)?.market.tokens ?? null)
  }

  /** Returns why a discovery that begins after this call failed; null when it did not. */
  private async discoverNow(): Promise<string | null> {
    await this.discovering
    if (this.discoveryTimer !== null) clearTimeout(this.discoveryTimer)
    this.discovering = this.discover()
    return this.discovering
  }

  private tick(): void {
    const nowMs = this.steadyNow()
    this.books.settle(nowMs)
    this.troubles.tick()
    this.connections.tick()
    if (nowMs - this.askedForFactsAtMs >= FACTS_EVERY_MS) this.askForFacts(nowMs)
    void this.reader.tick()
    void this.hints.tick()
  }

  /** A book that is good is not taken out of service for a fresher one. */
  private resubscribeDoubtful(assetId: string): void {
    const slot = this.books.slotOf(assetId)
    if (slot !== undefined && this.sink.books.verdicts.state(slot) !== 'live')
      this.connections.resubscribe(assetId)
  }

  /** What a hash is made of, REST alone tells; the first reading of a book may have failed, or come too early. */
  private askForFacts(nowMs: number): void {
    this.askedForFactsAtMs = nowMs
    for (const [assetId, slot] of this.books.followed())
      if (this.books.needsFacts(slot)) this.reader.ask(assetId, 'preview')
  }

  /** Finds the markets to follow, and comes back later whatever happens; returns why it failed, or null. */
  private async discover(): Promise<string | null> {
    let waitMs = this.config.REDISCOVERY_INTERVAL_MS
    let why: string | null = null
    try {
      const found = await this.findMarkets()
      if (this.isStopped) return STOPPED
      void this.lookUpResults()
      this.take(this.catalogue.apply(found, new Set([...this.named].map(idOf))))
      this.catalogue.sweep()
      this.discovery.lastAtMs = this.now()
      this.discovery.selected = this.catalogue.size
      this.discovery.lastError = null
      this.failedDiscoveries = 0
      if (Number.isNaN(this.firstDiscoveredAtMs)) this.firstDiscoveredAtMs = this.steadyNow()
    } catch (error) {
      if (this.isStopped) return STOPPED
      why = error instanceof Error ? error.message : String(error)
      this.discovery.lastError = why
      const attempt = this.failedDiscoveries++
      const backoff = backoffMs(attempt, DISCOVERY_BACKOFF_BASE_MS, DISCOVERY_BACKOFF_CAP_MS, this.random)
      waitMs = Math.min(waitMs, backoff)
      this.log.warn({ reason: why, waitMs: Math.round(waitMs) }, 'discovery failed')
    }
    this.discoveryTimer = setTimeout(() => {
      this.discovering = this.discover()
    }, waitMs)
    return why
  }

  /** Returns what the lists hold, and by name what they do not: asked for, or followed until now. */
  private async findMarkets(): Promise<Discovered[]> {
    const { rest, tags } = this
    const wanted = Math.ceil(this.config.MAX_MARKETS_PER_VENUE * WANTED_FACTOR)
    const listed = await discoverMarkets({ rest, tags, wanted })
    const ids = new Set(listed.map(({ market }) => market.id))
    const missing = new Set([...this.named].filter((conditionId) => !ids.has(idOf(conditionId))))
    for (const { market } of this.catalogue.markets())
      if (!ids.has(market.id)) missing.add(market.venueMarketId)
    const lookedUp = await lookUpMarkets(rest, [...missing])
    return [...listed, ...lookedUp]
  }

  /** A closed market is no longer followed; what is still to learn of it is its result. Never rejects. */
  private async lookUpResults(): Promise<void> {
    for (const conditionId of this.unsettled)
      if (this.sink.get(idOf(conditionId)) === undefined) this.unsettled.delete(conditionId)
    try {
      for (const { market } of await lookUpMarkets(this.rest, [...this.unsettled])) {
        if (this.isStopped) return
        if (market.status !== 'settled') continue
        this.unsettled.delete(market.venueMarketId)
        this.sink.patch(market.id, { status: market.status, result: market.result })
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (!this.isStopped) this.log.warn({ reason: why }, 'results not looked up')
    }
  }

  /** Subscribes what came and unsubscribes what went; a slot that went may already be another market's. */
  private take({ added, dropped }: CatalogueChange): void {
    for (const { market, slot, id } of dropped) {
      const tokens = market.tokens
      if (tokens === null) continue
      this.connections.remove(tokens.yes)
      this.reader.forget(tokens.yes)
      this.books.unfollow(tokens.yes, tokens.no, market.venueMarketId)
      if (this.idBySlot.get(slot) === id) this.idBySlot.delete(slot)
      if (this.sink.get(id)?.market.status === 'closed') this.unsettled.add(market.venueMarketId)
    }
    const subscriptions = []
    for (const { market, slot, id } of added) {
      const tokens = market.tokens
      if (tokens === null) continue
      this.books.follow(tokens.yes, slot, tokens.no, market.venueMarketId)
      this.idBySlot.set(slot, id)
      this.reader.ask(tokens.yes, 'preview')
      subscriptions.push({ assetId: tokens.yes, slot })
    }
    this.connections.add(subscriptions)
    if (added.length + dropped.length > 0)
      this.log.info(
        { added: added.length, dropped: dropped.length, followed: this.catalogue.size },
        'markets'
      )
  }

  private hint(hint: Hint): void {
    if (hint.kind === 'tick_size') {
      const id = this.idBySlot.get(hint.slot)
      const served = id === undefined ? undefined : this.sink.get(id)
      if (served === undefined) return
      this.sink.patch(served.id, { priceBands: priceBandsOf(hint.tickSize) })
      if (served.market.tokens !== null) this.reader.ask(served.market.tokens.yes, 'snapshot')
      return
    }
    const isFollowed = this.catalogue.has(idOf(hint.conditionId))
    if (hint.kind === 'market_resolved' ? isFollowed : !isFollowed && this.hasUseFor(hint.conditionId))
      this.hints.add(hint.conditionId)
  }

  /** A new market has no volume yet: where every place is taken, the next discovery ranks it. */
  private hasUseFor(conditionId: string): boolean {
    return this.named.has(conditionId) || this.catalogue.size < this.config.MAX_MARKETS_PER_VENUE
  }

  private async lookUpHinted(conditionIds: readonly string[]): Promise<ReadonlySet<string>> {
    const done = new Set<string>()
    try {
      const found = await lookUpMarkets(this.rest, conditionIds)
      if (this.isStopped) return done
      for (const one of found) {
        const { id, venueMarketId } = one.market
        const isOver = hasEnded(one.market)
        const isFollowed = this.catalogue.has(id)
        if (isFollowed ? isOver : !isOver) done.add(venueMarketId)
        if (isFollowed || (!isOver && this.isSelected(one))) this.take(this.catalogue.follow(one))
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (!this.isStopped) this.log.warn({ reason: why }, 'markets not looked up')
    }
    return done
  }

  private isSelected({ market, tagSlugs }: LookedUp): boolean {
    if (this.named.has(market.venueMarketId)) return true
    const isTagged = this.tags.length === 0 || tagSlugs.some((slug) => this.tags.includes(slug))
    return isTagged && this.hasUseFor(market.venueMarketId)
  }

  private checkSynced(): boolean {
    if (this.isSynced || Number.isNaN(this.firstDiscoveredAtMs)) return this.isSynced
    const isOverdue = this.steadyNow() - this.firstDiscoveredAtMs >= this.config.SNAPSHOT_TIMEOUT_MS
    this.isSynced = isOverdue || [...this.idBySlot.keys()].every((slot) => !this.books.isAwaiting(slot))
    return this.isSynced
  }
}

function idOf(conditionId: string): string {
  return `polymarket:${conditionId}`
}
