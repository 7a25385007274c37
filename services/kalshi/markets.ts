import type { FastifyBaseLogger } from 'fastify'
import type { Market } from '../../schemas/market.ts'
import { backoffMs } from '../venue/backoff.ts'
import { Catalogue, type Discovered, type MarketSink, type ServedMarket } from '../venue/catalogue.ts'
import type { Counters } from '../venue/counters.ts'
import type { DiscoveryStatus } from '../venue/port.ts'
import type { KalshiDiscovery } from './discovery.ts'
import { MarketClock } from './market-clock.ts'
import type { Lifecycle } from './parse.ts'
import { marketId, parsePriceBands } from './parse-market.ts'

export interface KalshiMarketsOptions {
  sink: MarketSink
  discovery: KalshiDiscovery
  counters: Counters
  maxMarkets: number
  retentionMs: number
  intervalMs: number
  /** Markets whose books are to be kept from now on. */
  onFollow: (markets: ServedMarket[]) => void
  onUnfollow: (tickers: string[]) => void
  /** A pause ended and took all resting orders with it. */
  onReactivated: (market: ServedMarket) => void
  /** After each discovery. */
  onDiscovered: () => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  now?: () => number
  random?: () => number
}

/** Look-ups are collected for this long and asked for together. */
const LOOK_UP_AFTER_MS = 500
const MAX_LOOK_UPS = 10_000
/** When a market has closed its result is asked for: hourly markets settle in minutes, others in days. */
const RESULT_AFTER_MS = [10_000, 60_000, 300_000, 1_800_000]
/** REST answers may come from a cache: for this long a message outranks them. */
const CACHE_MS = 30_000
const RETRY_BASE_MS = 1_000
const RETRY_CAP_MS = 60_000

/**
 * Which markets are followed, and in what state they are: from discovery, from lifecycle messages, and from the
 * clock, since the venue does not announce that a market opens or closes on time.
 */
export class KalshiMarkets {
  readonly status: DiscoveryStatus = { lastAtMs: null, selected: 0, lastError: null }
  private readonly options: Required<KalshiMarketsOptions>
  private readonly catalogue: Catalogue
  private readonly clock: MarketClock
  /** Markets whose books are kept, by ticker. */
  private readonly active = new Map<string, number>()
  /** When a message last told the state of a market, by id. */
  private readonly toldAtMs = new Map<string, number>()
  /** How often the result of a closed market has been asked for, by id. */
  private readonly resultLookUps = new Map<string, number>()
  private readonly lookUps = new Set<string>()
  private lookUpTimer: NodeJS.Timeout | null = null
  private discoveryTimer: NodeJS.Timeout | null = null
  private underWay: Promise<void> | null = null
  private failures = 0
  private isStopped = false

  constructor(options: KalshiMarketsOptions) {
    this.options = { now: Date.now, random: Math.random, ...options }
    const { sink, maxMarkets, retentionMs, now } = this.options
    this.catalogue = new Catalogue({ venue: 'kalshi', sink, maxMarkets, retentionMs, now })
    this.clock = new MarketClock({ onDue: (id) => this.due(id), now })
  }

  /** Markets that trade or are paused: those whose books are kept. */
  *trading(): IterableIterator<ServedMarket> {
    for (const served of this.catalogue.markets()) if (isTrading(served.market)) yield served
  }

  holds({ market, slot }: ServedMarket): boolean {
    return this.active.get(market.symbol) === slot
  }

  start(): void {
    this.discoverAfter(0)
  }

  stop(): void {
    this.isStopped = true
    if (this.discoveryTimer !== null) clearTimeout(this.discoveryTimer)
    if (this.lookUpTimer !== null) clearTimeout(this.lookUpTimer)
    this.clock.stop()
  }

  /** Brings the next discovery forward: messages were lost. */
  rediscover(): void {
    if (!this.isStopped && this.underWay === null) this.discoverAfter(RETRY_BASE_MS)
  }

  /** Takes a lifecycle message. */
  take({ ticker, eventType, openMs, closeMs, result, priceRanges }: Lifecycle): void {
    const { sink, counters, discovery } = this.options
    const id = marketId(ticker)
    const served = sink.get(id)
    if (served === undefined) {
      if ((eventType === 'created' || eventType === 'activated') && discovery.selects(ticker))
        this.lookUp(ticker)
      return
    }
    switch (eventType) {
      case 'created':
        if (openMs !== null) this.tell(id, { openTime: new Date(openMs).toISOString() })
        break
      case 'activated':
        this.tell(id, { status: 'open' })
        if (this.holds(served)) this.options.onReactivated(served)
        break
      case 'deactivated':
        this.tell(id, { status: 'halted' })
        break
      case 'close_date_updated':
        if (closeMs !== null) this.tell(id, { closeTime: new Date(closeMs).toISOString() })
        // An early close comes this way too, and a closed market may open again: the venue knows which.
        this.lookUp(ticker)
        break
      case 'determined':
      case 'settled':
        this.tell(id, {
          status: eventType === 'settled' ? 'settled' : 'closed',
          ...(result === null ? {} : { result })
        })
        break
      case 'price_level_structure_updated': {
        const priceBands = parsePriceBands(priceRanges)
        if (priceBands === null) this.lookUp(ticker)
        else this.tell(id, { priceBands })
        break
      }
      case 'metadata_updated':
        this.lookUp(ticker)
        break
      default:
        counters.observe('lifecycle_unknown')
    }
  }

  private tell(id: string, change: Partial<Market>): void {
    const { sink, now } = this.options
    sink.patch(id, change)
    this.toldAtMs.set(id, now())
    this.settle(id)
  }

  /** Brings everything in line with what is now known of one market. */
  private settle(id: string): void {
    const served = this.options.sink.get(id)
    if (served !== undefined && hasEnded(served.market)) this.catalogue.end(id)
    this.schedule(id)
    this.sync()
  }

  /** Follows the markets that trade and whose books are not kept yet; lets go of the others. */
  private sync(): void {
    const wanted = new Map<string, ServedMarket>()
    for (const served of this.trading()) wanted.set(served.market.symbol, served)
    const gone = [...this.active].filter(([ticker, slot]) => wanted.get(ticker)?.slot !== slot)
    for (const [ticker] of gone) this.active.delete(ticker)
    if (gone.length > 0) this.options.onUnfollow(gone.map(([ticker]) => ticker))
    const fresh = [...wanted.values()].filter(({ market }) => !this.active.has(market.symbol))
    for (const { market, slot } of fresh) this.active.set(market.symbol, slot)
    if (fresh.length > 0) this.options.onFollow(fresh)
  }

  private schedule(id: string): void {
    const { sink, now } = this.options
    const market = sink.get(id)?.market
    const atMs = market === undefined ? null : this.nextAlarmMs(market, now())
    if (atMs === null) this.clock.clear(id)
    else this.clock.set(id, atMs)
  }

  private nextAlarmMs({ id, status, openTime, closeTime, result }: Market, nowMs: number): number | null {
    switch (status) {
      case 'pending': {
        // One that should be open and is not has been held back: the next discovery tells.
        const openMs = openTime === null ? 0 : Date.parse(openTime)
        return openMs > nowMs ? openMs : null
      }
      case 'open':
      case 'halted':
        return closeTime === null ? null : Date.parse(closeTime)
      case 'closed': {
        const waitMs = RESULT_AFTER_MS[this.resultLookUps.get(id) ?? 0]
        return result === null && waitMs !== undefined ? nowMs + waitMs : null
      }
      default:
        return null
    }
  }

  private due(id: string): void {
    const { sink } = this.options
    const served = sink.get(id)
    switch (served?.market.status) {
      case 'pending':
        sink.patch(id, { status: 'open' })
        break
      case 'open':
      case 'halted':
        sink.patch(id, { status: 'closed' })
        break
      case 'closed':
        this.resultLookUps.set(id, (this.resultLookUps.get(id) ?? 0) + 1)
        this.lookUp(served.market.symbol)
    }
    this.settle(id)
  }

  private lookUp(ticker: string): void {
    if (this.isStopped || this.lookUps.size >= MAX_LOOK_UPS) return
    this.lookUps.add(ticker)
    this.lookUpTimer ??= setTimeout(() => {
      this.lookUpTimer = null
      this.flushLookUps().catch((error) =>
        this.options.log.warn({ error: String(error) }, 'a look-up failed')
      )
    }, LOOK_UP_AFTER_MS)
  }

  private async flushLookUps(): Promise<void> {
    const tickers = [...this.lookUps]
    this.lookUps.clear()
    const found = await this.options.discovery.lookUp(tickers)
    if (this.isStopped) return
    for (const one of found) {
      const current = this.reconcile(one)
      const { market, rules } = current
      if (this.catalogue.has(market.id) || !hasEnded(market)) this.catalogue.follow(current)
      else if (this.options.sink.get(market.id) !== undefined) this.options.sink.put(market, rules)
      this.schedule(market.id)
    }
    this.sync()
  }

  private discoverAfter(waitMs: number): void {
    if (this.discoveryTimer !== null) clearTimeout(this.discoveryTimer)
    this.discoveryTimer = setTimeout(() => {
      this.discoveryTimer = null
      this.underWay = this.discover().finally(() => {
        this.underWay = null
      })
    }, waitMs)
  }

  /** Never rejects: a venue that is down is asked again. */
  private async discover(): Promise<void> {
    const { discovery, intervalMs, now, random, log } = this.options
    let waitMs = intervalMs
    try {
      const followed = new Set([...this.catalogue.markets()].map(({ market }) => market.symbol))
      const { found, named } = await discovery.discover(followed)
      if (this.isStopped) return
      this.takeOver(found, named)
      this.failures = 0
      this.status.lastError = null
    } catch (error) {
      if (this.isStopped) return
      const reason = error instanceof Error ? error.message : String(error)
      this.status.lastError = reason
      waitMs = Math.min(
        intervalMs,
        RETRY_BASE_MS + backoffMs(this.failures++, RETRY_BASE_MS, RETRY_CAP_MS, random)
      )
      log.warn({ reason, waitMs: Math.round(waitMs) }, 'discovery failed')
    }
    for (const [id, atMs] of this.toldAtMs) if (atMs + CACHE_MS < now()) this.toldAtMs.delete(id)
    this.catalogue.sweep()
    this.discoverAfter(waitMs)
  }

  private takeOver(found: readonly Discovered[], named: ReadonlySet<string>): void {
    const { sink, now, onDiscovered } = this.options
    this.catalogue.apply(
      found.map((one) => this.reconcile(one)),
      named
    )
    for (const { market } of found) this.schedule(market.id)
    for (const id of this.resultLookUps.keys()) if (sink.get(id) === undefined) this.resultLookUps.delete(id)
    this.sync()
    this.status.lastAtMs = now()
    this.status.selected = this.catalogue.size
    onDiscovered()
  }

  /** Where a message told the state of a market a moment ago, a page that may be cached does not take it back. */
  private reconcile(one: Discovered): Discovered {
    const { sink, now } = this.options
    const { id } = one.market
    const known = sink.get(id)?.market
    if (known === undefined || (this.toldAtMs.get(id) ?? Number.NEGATIVE_INFINITY) + CACHE_MS < now())
      return one
    const { status, closeTime, priceBands } = known
    return {
      ...one,
      market: { ...one.market, status, closeTime, priceBands, result: one.market.result ?? known.result }
    }
  }
}

function isTrading({ status }: Market): boolean {
  return status === 'open' || status === 'halted'
}

function hasEnded({ status }: Market): boolean {
  return status === 'closed' || status === 'settled'
}
