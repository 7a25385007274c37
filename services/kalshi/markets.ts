import type { FastifyBaseLogger } from 'fastify'
import type { Market } from '../../schemas/market.ts'
import {
  Catalogue,
  type CatalogueChange,
  type Discovered,
  hasEnded,
  type MarketSink,
  type ServedMarket
} from '../venue/catalogue.ts'
import type { Counters } from '../venue/counters.ts'
import type { DiscoveryStatus } from '../venue/port.ts'
import type { KalshiDiscovery } from './discovery.ts'
import { LookUps } from './look-ups.ts'
import { MarketClock } from './market-clock.ts'
import { Newcomers } from './newcomers.ts'
import type { Lifecycle } from './parse.ts'
import { marketId, parsePriceBands } from './parse-market.ts'
import { Rounds } from './rounds.ts'
import { ToldFields } from './told.ts'

export interface KalshiMarketsOptions {
  sink: MarketSink
  discovery: Pick<KalshiDiscovery, 'discover' | 'discoverNew' | 'lookUp' | 'selects'>
  counters: Counters
  maxMarkets: number
  retentionMs: number
  intervalMs: number
  /** Markets whose books are to be kept from now on. */
  onFollow: (markets: ServedMarket[]) => void
  onUnfollow: (tickers: string[]) => void
  /** A pause ended and took all resting orders with it. */
  onReactivated: (market: ServedMarket) => void
  /** Markets have changed, and all that follows from it is done. */
  onSettled: () => void
  /** Which markets are this process's to read: all, unless several share them. */
  reads?: (market: Market) => boolean
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  now?: () => number
  /** Never jumps: for durations only. */
  steadyNow?: () => number
  random?: () => number
}

/** Looks for new markets between two whole discoveries: each costs a page, those cost dozens. */
const NEWCOMERS_PER_INTERVAL = 10
/** When a market has closed its result is asked for: hourly markets settle in minutes, others in days. */
const RESULT_AFTER_MS = [10_000, 60_000, 300_000, 1_800_000]

/**
 * Which markets are followed, and in what state they are: from discovery, from lifecycle messages, and from the
 * clock, since the venue does not announce that a market opens or closes on time.
 */
export class KalshiMarkets {
  readonly status: DiscoveryStatus = { lastAtMs: null, selected: 0, lastError: null }
  private readonly options: Required<KalshiMarketsOptions>
  private readonly catalogue: Catalogue
  private readonly clock: MarketClock
  private readonly lookUps: LookUps
  private readonly rounds: Rounds
  private readonly newcomers: Newcomers
  private readonly told = new ToldFields()
  /** Markets whose books are kept, by id. */
  private readonly kept = new Map<string, { ticker: string; slot: number }>()
  /** Markets that changed in this turn: whether their books are kept is settled at its end, for all together. */
  private readonly unsettled = new Set<string>()
  private settling: NodeJS.Immediate | null = null
  /** How often the result of a closed market has been asked for, by id. */
  private readonly resultLookUps = new Map<string, number>()
  private isStopped = false

  constructor(options: KalshiMarketsOptions) {
    this.options = {
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      random: Math.random,
      reads: () => true,
      ...options
    }
    const { sink, maxMarkets, retentionMs, intervalMs, reads, log, now, random } = this.options
    this.catalogue = new Catalogue({ venue: 'kalshi', sink, maxMarkets, retentionMs, reads, now })
    this.clock = new MarketClock({ onDue: (id) => this.due(id), now })
    this.lookUps = new LookUps({
      lookUp: async (tickers) => this.takeSingly(await options.discovery.lookUp(tickers)),
      onFailure: (reason) => log.warn({ reason }, 'a look-up failed')
    })
    this.newcomers = new Newcomers({
      discoverNew: (sinceMs) => options.discovery.discoverNew(sinceMs),
      onFound: (found) => this.takeSingly(found),
      everyMs: intervalMs / NEWCOMERS_PER_INTERVAL,
      now
    })
    this.rounds = new Rounds({
      run: () => this.discover(),
      onFailure: (reason) => {
        this.status.lastError = reason
      },
      intervalMs,
      log,
      random
    })
  }

  /** Markets that trade or are paused: those whose books are kept. */
  *trading(): IterableIterator<ServedMarket> {
    for (const served of this.catalogue.markets()) if (isTrading(served.market)) yield served
  }

  holds({ market, slot }: ServedMarket): boolean {
    return this.kept.get(market.id)?.slot === slot
  }

  start(): void {
    this.rounds.start()
    this.newcomers.start()
  }

  stop(): void {
    this.isStopped = true
    this.rounds.stop()
    this.newcomers.stop()
    this.lookUps.stop()
    this.clock.stop()
    if (this.settling !== null) clearImmediate(this.settling)
  }

  /** Brings the next discovery forward: messages were lost. */
  rediscover(): void {
    this.rounds.soon()
  }

  /** Takes over that other markets are ours to read; what is known of those that came is looked at anew soon. */
  reselect(): void {
    if (this.isStopped || this.status.lastAtMs === null) return
    const change = this.catalogue.reselect()
    this.takenOver(
      change.added.map(({ market }) => ({ market })),
      change
    )
    this.status.selected = this.catalogue.size
    if (change.added.length > 0) this.rediscover()
  }

  /** Discovers now; returns why it failed, null when it did not. */
  discoverNow(): Promise<string | null> {
    return this.rounds.once()
  }

  /** What is known of the followed markets, by id. */
  followed(): Map<string, Market> {
    return new Map([...this.catalogue.markets()].map(({ id, market }) => [id, market]))
  }

  /** Takes a lifecycle message. */
  take({ ticker, eventType, openMs, closeMs, result, priceRanges }: Lifecycle): void {
    const { sink, counters, discovery } = this.options
    const id = marketId(ticker)
    const served = sink.get(id)
    if (served === undefined) {
      if ((eventType === 'created' || eventType === 'activated') && discovery.selects(ticker))
        this.lookUps.add(ticker)
      return
    }
    switch (eventType) {
      case 'created':
        if (openMs !== null) this.tell(id, { openTime: new Date(openMs).toISOString() })
        break
      case 'activated':
      case 'deactivated':
        // One that ended, or that is not among the selected, trades again only if the venue's list says so too.
        if (!this.catalogue.has(id)) this.lookUps.add(ticker)
        else this.tell(id, { status: eventType === 'activated' ? 'open' : 'halted' })
        if (eventType === 'activated' && this.holds(served)) this.options.onReactivated(served)
        break
      case 'close_date_updated':
        if (closeMs !== null) this.tell(id, { closeTime: new Date(closeMs).toISOString() })
        // An early close comes this way too, and a closed market may open again: the venue knows which.
        this.lookUps.add(ticker)
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
        if (priceBands === null) this.lookUps.add(ticker)
        else this.tell(id, { priceBands })
        break
      }
      case 'metadata_updated':
        this.lookUps.add(ticker)
        break
      default:
        counters.observe('lifecycle_unknown')
    }
  }

  private tell(id: string, change: Partial<Market>): void {
    const { sink, steadyNow } = this.options
    this.told.tell(id, change, steadyNow())
    sink.patch(id, change)
    this.changed(id)
  }

  /** Brings everything in line with what is now known of one market. */
  private changed(id: string): void {
    const served = this.options.sink.get(id)
    if (served !== undefined && hasEnded(served.market)) this.catalogue.end(id)
    this.schedule(id)
    this.unsettled.add(id)
    this.settling ??= setImmediate(() => this.settle())
  }

  /** Keeps the books of the changed markets that trade; lets go of the others. */
  private settle(): void {
    const { sink, onUnfollow, onFollow, onSettled } = this.options
    if (this.settling !== null) clearImmediate(this.settling)
    this.settling = null
    const gone: string[] = []
    const fresh: ServedMarket[] = []
    for (const id of this.unsettled) {
      const kept = this.kept.get(id)
      const served = this.catalogue.has(id) ? sink.get(id) : undefined
      const isWanted = served !== undefined && isTrading(served.market)
      if (kept !== undefined && (!isWanted || kept.slot !== served.slot)) {
        gone.push(kept.ticker)
        this.kept.delete(id)
      }
      if (isWanted && !this.holds(served)) {
        fresh.push(served)
        this.kept.set(id, { ticker: served.market.symbol, slot: served.slot })
      }
    }
    this.unsettled.clear()
    if (gone.length > 0) onUnfollow(gone)
    if (fresh.length > 0) onFollow(fresh)
    onSettled()
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
        this.tell(id, { status: 'open' })
        return
      case 'open':
      case 'halted':
        sink.patch(id, { status: 'closed' })
        break
      case 'closed':
        this.resultLookUps.set(id, (this.resultLookUps.get(id) ?? 0) + 1)
        this.lookUps.add(served.market.symbol)
    }
    this.changed(id)
  }

  private async discover(): Promise<void> {
    const { discovery, sink, now, steadyNow } = this.options
    const selected = new Set([...this.catalogue.selected()].map(({ symbol }) => symbol))
    const { found, named } = await discovery.discover(selected)
    if (this.isStopped) return
    const change = this.catalogue.apply(
      found.map((one) => this.reconcile(one)),
      named
    )
    this.takenOver(found, change)
    this.status.lastAtMs = now()
    this.status.selected = this.catalogue.size
    this.status.lastError = null
    for (const id of this.resultLookUps.keys()) if (sink.get(id) === undefined) this.resultLookUps.delete(id)
    this.told.sweep(steadyNow())
    this.catalogue.sweep()
  }

  /** Takes over markets that were asked for one by one. */
  private takeSingly(found: readonly Discovered[]): void {
    if (this.isStopped) return
    const change: CatalogueChange = { added: [], dropped: [] }
    for (const one of found) {
      const current = this.reconcile(one)
      const { market, rules } = current
      if (this.catalogue.has(market.id) || !hasEnded(market)) this.catalogue.follow(current, change)
      else if (this.options.sink.get(market.id) !== undefined) this.options.sink.put(market, rules)
    }
    this.takenOver(found, change)
  }

  /** Settles at once: a slot that was freed must not be another market's while a frame still finds it. */
  private takenOver(found: readonly Pick<Discovered, 'market'>[], { dropped }: CatalogueChange): void {
    for (const { market } of found) {
      this.schedule(market.id)
      this.unsettled.add(market.id)
    }
    for (const { id } of dropped) this.unsettled.add(id)
    this.settle()
  }

  /** What the venue's list says, with what it does not know yet: the last messages, and that the close has come. */
  private reconcile(one: Discovered): Discovered {
    const { now, steadyNow } = this.options
    const market = this.told.over(one.market, steadyNow())
    const isOver = isTrading(market) && market.closeTime !== null && Date.parse(market.closeTime) <= now()
    return { ...one, market: isOver ? { ...market, status: 'closed' } : market }
  }
}

function isTrading({ status }: Market): boolean {
  return status === 'open' || status === 'halted'
}
