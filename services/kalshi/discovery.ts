import type { EventHeader } from '../../schemas/event.ts'
import { type Discovered, hasEnded } from '../venue/catalogue.ts'
import type { Counters } from '../venue/counters.ts'
import type { RawEvent } from './messages.ts'
import { isObject } from './parse.ts'
import { marketId, parseEvent, parseMarket } from './parse-market.ts'
import type { KalshiRest } from './rest.ts'

export interface KalshiDiscoveryOptions {
  rest: KalshiRest
  counters: Counters
  /** Series to serve; empty means all. */
  series: readonly string[]
  /** Markets to serve besides, combos among them. */
  tickers: readonly string[]
  maxMarkets: number
}

export interface KalshiDiscovered {
  found: Discovered[]
  named: ReadonlySet<string>
}

/** Combos are made by the hundred each minute: they are served only when named. */
const COMBO_PREFIX = 'KXMVE'

/** Finds out which markets the venue has. It keeps the busiest while it walks, so that memory stays bounded. */
export class KalshiDiscovery {
  private readonly options: KalshiDiscoveryOptions
  private readonly named: ReadonlySet<string>

  constructor(options: KalshiDiscoveryOptions) {
    this.options = options
    this.named = new Set(options.tickers.map(marketId))
  }

  /**
   * Returns what is open, what is named, and what became of the markets selected before that are no longer listed.
   *
   * @throws {VenueRestError} when any page could not be had: half a discovery would drop markets that go on
   */
  async discover(selected: ReadonlySet<string>): Promise<KalshiDiscovered> {
    const { rest, tickers } = this.options
    const found = new Map<string, Discovered>()
    for (const one of this.selections())
      for await (const page of rest.openEvents(one)) this.take(page, selected, found)
    const unlisted = [...new Set([...tickers, ...selected])].filter((ticker) => !found.has(marketId(ticker)))
    for (const one of await this.lookUp(unlisted)) found.set(one.market.id, one)
    return { found: [...found.values()], named: this.named }
  }

  /** Returns markets by ticker with their events, in any status; unknown and malformed ones are left out. */
  async lookUp(tickers: readonly string[]): Promise<Discovered[]> {
    return tickers.length === 0 ? [] : this.withEvents(await this.options.rest.markets(tickers))
  }

  /** Returns the markets that were created since, with their events, in any status. */
  async discoverNew(sinceMs: number): Promise<Discovered[]> {
    const raw: unknown[] = []
    for (const one of this.selections())
      for await (const page of this.options.rest.newMarkets(sinceMs, one)) raw.push(...page)
    return this.withEvents(raw)
  }

  /** What the venue's lists are asked for, one after the other: each series, or everything. */
  private selections(): readonly (string | null)[] {
    const { series } = this.options
    return series.length === 0 ? [null] : series
  }

  private async withEvents(raw: readonly unknown[]): Promise<Discovered[]> {
    const eventTickers = new Set<string>()
    for (const one of raw)
      if (isObject(one) && typeof one.event_ticker === 'string') eventTickers.add(one.event_ticker)
    const headers = new Map<unknown, EventHeader>()
    for (const one of await this.options.rest.events([...eventTickers])) {
      const header = parseEvent(one)
      if (header !== null) headers.set(header.venueEventId, header)
    }
    return raw.flatMap((one) =>
      this.parse(one, isObject(one) ? (headers.get(one.event_ticker) ?? null) : null)
    )
  }

  /** Whether a market that has just been created is among those to serve. */
  selects(ticker: string): boolean {
    const { series } = this.options
    if (this.named.has(marketId(ticker))) return true
    if (ticker.startsWith(COMBO_PREFIX)) return false
    return series.length === 0 || series.some((one) => ticker.startsWith(`${one}-`))
  }

  private take(page: unknown[], selected: ReadonlySet<string>, found: Map<string, Discovered>): void {
    for (const value of page) {
      const header = parseEvent(value)
      if (header === null) this.options.counters.observe('event_refused')
      const { markets }: RawEvent = isObject(value) ? value : {}
      if (!Array.isArray(markets)) continue
      for (const raw of markets as unknown[])
        for (const one of this.parse(raw, header)) {
          const { symbol, id } = one.market
          if (!hasEnded(one.market) || selected.has(symbol)) found.set(id, one)
        }
    }
    this.prune(found, selected)
  }

  /** Leaves out the quiet ones once there are far more than will be served. */
  private prune(found: Map<string, Discovered>, selected: ReadonlySet<string>): void {
    const { maxMarkets } = this.options
    if (found.size <= maxMarkets * 4 + 1_000) return
    const byVolume = [...found.values()].sort(
      (a, b) => Number(b.market.volume24h ?? -1) - Number(a.market.volume24h ?? -1)
    )
    for (const { market } of byVolume.slice(maxMarkets * 2))
      if (!selected.has(market.symbol) && !this.named.has(market.id)) found.delete(market.id)
  }

  private parse(value: unknown, event: EventHeader | null): Discovered[] {
    const parsed = parseMarket(value, event)
    if (!('refused' in parsed)) return [parsed]
    this.options.counters.observe(`market_refused_${parsed.refused}`)
    return []
  }
}
