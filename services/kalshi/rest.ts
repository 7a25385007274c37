import { VenueRestError } from '../errors.ts'
import { Breaker, type BreakerLimits } from '../venue/breaker.ts'
import type { RestStatus } from '../venue/port.ts'
import { isOutage, type RestCall, RestClient } from '../venue/rest-client.ts'
import { restStatus } from '../venue/rest-status.ts'
import { TokenBucket } from '../venue/token-bucket.ts'
import type { Signer } from './auth.ts'
import { isObject } from './parse.ts'
import { chunksOf, PATHS, TICKERS_PER_REQUEST } from './urls.ts'

export interface KalshiRestOptions {
  base: string
  /** Null to ask without a key. */
  signer: Signer | null
  timeoutMs?: number
  /** A key that was refused is tried again after this: a wrong clock heals. */
  refusedRetryMs?: number
  /** Never jumps: for durations only. */
  steadyNow?: () => number
  breaker?: BreakerLimits
  random?: () => number
}

/** What every account may read: 200 tokens a second, and a request costs 10. */
const SIGNED = { ratePerSecond: 200, capacity: 200, cost: 10 }
/** Nothing is published for requests without a key; four a second were served over long walks. */
const UNSIGNED = { ratePerSecond: 4, capacity: 4, cost: 1 }
const REFUSED_RETRY_MS = 600_000
const EVENTS_PER_PAGE = 200
const MARKETS_PER_PAGE = 1_000
const TRADES_PER_PAGE = 1_000
/** More pages than the venue has ten times over: a cursor that never ends is a fault. */
const MAX_PAGES = 2_000

/** As whom we ask: with the key or without, each at its own pace. */
interface Access {
  readonly client: RestClient
  readonly cost: number
  readonly isSigned: boolean
}

/** Asks Kalshi's REST API. Answers are checked for their outer form only; what is inside is for the parsers. */
export class KalshiRest {
  /** Why requests are no longer signed; null while the key is good, or where there is none. */
  refusal: string | null = null
  private readonly options: KalshiRestOptions
  private readonly clients: RestClient[] = []
  /** One host, so one breaker, with the key and without. */
  private readonly breaker: Breaker
  private access: Access
  private readonly signed: Access
  private unsigned: Access | null = null
  private refusedAtMs = 0

  constructor(options: KalshiRestOptions) {
    this.options = options
    this.breaker = new Breaker({ name: 'kalshi', ...options.breaker, isFailure: isOutage })
    this.signed = this.connect(options.signer)
    this.access = this.signed
  }

  get status(): RestStatus {
    return restStatus([this.access.client.status])
  }

  /** True while there is room for a request that can wait. */
  get hasRoom(): boolean {
    return this.accessNow().client.hasRoom
  }

  /** Walks the open events with all their markets, whatever those markets' status; never combos. */
  openEvents(series: string | null): AsyncGenerator<unknown[]> {
    return this.pages(PATHS.events, 'events', {
      status: 'open',
      with_nested_markets: true,
      limit: EVENTS_PER_PAGE,
      series_ticker: series ?? undefined
    })
  }

  /** Walks the markets that were created since, in any status; never combos. */
  newMarkets(sinceMs: number, series: string | null): AsyncGenerator<unknown[]> {
    return this.pages(PATHS.markets, 'markets', {
      mve_filter: 'exclude',
      min_created_ts: Math.floor(sinceMs / 1_000),
      limit: MARKETS_PER_PAGE,
      series_ticker: series ?? undefined
    })
  }

  /** Returns the events of these tickers that the venue lists; unknown ones are left out. */
  events(tickers: readonly string[]): Promise<unknown[]> {
    return this.byTickers(PATHS.events, 'events', tickers)
  }

  /** Returns the markets of these tickers, in any status; unknown ones are left out. */
  markets(tickers: readonly string[]): Promise<unknown[]> {
    return this.byTickers(PATHS.markets, 'markets', tickers)
  }

  /** Returns the order book of one market in its wire form. */
  async orderBook(ticker: string): Promise<unknown> {
    const path = PATHS.orderBook(ticker)
    const book = bookOf(await this.get(path))
    if (book !== null) return book
    throw new VenueRestError(`GET ${path} answered without an order book`, 200, false)
  }

  /** Returns order books by ticker, at most 100, null for one without a book; the venue may ask for a key here. */
  async orderBooks(tickers: readonly string[]): Promise<Map<string, unknown>> {
    const body = await this.get(PATHS.orderBooks, { query: { tickers } })
    const books = new Map<string, unknown>()
    for (const one of arrayOf(body, 'orderbooks', PATHS.orderBooks))
      if (isObject(one) && typeof one.ticker === 'string') books.set(one.ticker, bookOf(one))
    return books
  }

  /** Walks the trades of one market between two times, newest first. Times count in whole seconds there, both included. */
  trades(ticker: string, fromMs: number, toMs: number): AsyncGenerator<unknown[]> {
    return this.pages(PATHS.trades, 'trades', {
      ticker,
      min_ts: Math.floor(fromMs / 1_000),
      max_ts: Math.ceil(toMs / 1_000),
      limit: TRADES_PER_PAGE
    })
  }

  /** Returns candles of one minute by market, at most 100 markets and 10,000 candles; their ends are from one time to another. */
  async candles(tickers: readonly string[], firstEndMs: number, lastEndMs: number): Promise<unknown[]> {
    const query = {
      market_tickers: tickers.join(','),
      start_ts: Math.floor(firstEndMs / 1_000),
      end_ts: Math.floor(lastEndMs / 1_000),
      period_interval: 1
    }
    return arrayOf(await this.get(PATHS.candles, { query }), 'markets', PATHS.candles)
  }

  /** Returns whether the exchange trades at all. */
  async isTrading(): Promise<boolean> {
    // The venue answers 503 with this same body when it is closed.
    const body = await this.get(PATHS.exchangeStatus, { accept: [503] })
    if (typeof body.trading_active === 'boolean') return body.trading_active
    throw new VenueRestError(`${PATHS.exchangeStatus} answered without trading_active`, 200, false)
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()))
  }

  private async *pages(path: string, name: string, query: RestCall['query']): AsyncGenerator<unknown[]> {
    let cursor: string | undefined
    for (let page = 0; page < MAX_PAGES; page++) {
      const body = await this.get(path, { query: { ...query, cursor } })
      yield arrayOf(body, name, path)
      const next = body.cursor
      if (typeof next !== 'string' || next === '' || next === cursor) return
      cursor = next
    }
    throw new VenueRestError(`${path} has no last page`, 200, false)
  }

  private async byTickers(path: string, name: string, tickers: readonly string[]): Promise<unknown[]> {
    const found: unknown[] = []
    for (const chunk of chunksOf(tickers, TICKERS_PER_REQUEST)) {
      const body = await this.get(path, { query: { tickers: chunk.join(','), limit: TICKERS_PER_REQUEST } })
      found.push(...arrayOf(body, name, path))
    }
    return found
  }

  /** A request that is refused for its key is asked again without: market data is open to everyone. */
  private async get(path: string, call: RestCall = {}): Promise<Record<string, unknown>> {
    const access = this.accessNow()
    try {
      const { body, status } = await access.client.get(path, { ...call, cost: access.cost })
      if (!isObject(body)) throw new VenueRestError(`GET ${path} answered no object`, status, false)
      if (access.isSigned && access === this.access) this.refusal = null
      return body
    } catch (error) {
      if (!access.isSigned || !(error instanceof VenueRestError) || error.status !== 401) throw error
      this.refusal ??= error.message
      // Of the requests that were under way together, the first one changes over for all.
      if (this.access === access) {
        this.unsigned ??= this.connect(null)
        this.access = this.unsigned
        this.refusedAtMs = this.steadyNow()
      }
      return this.get(path, call)
    }
  }

  private accessNow(): Access {
    const { refusedRetryMs = REFUSED_RETRY_MS } = this.options
    if (this.access !== this.signed && this.steadyNow() - this.refusedAtMs >= refusedRetryMs)
      this.access = this.signed
    return this.access
  }

  private steadyNow(): number {
    return this.options.steadyNow?.() ?? performance.now()
  }

  private connect(signer: Signer | null): Access {
    const { base, timeoutMs, random } = this.options
    const isSigned = signer !== null
    const { cost, ...pace } = isSigned ? SIGNED : UNSIGNED
    const client = new RestClient({
      base,
      bucket: new TokenBucket(pace),
      breaker: this.breaker,
      ...(isSigned ? { headers: signer } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(random === undefined ? {} : { random })
    })
    this.clients.push(client)
    return { client, cost, isSigned }
  }
}

function arrayOf(body: Record<string, unknown>, name: string, path: string): unknown[] {
  const value = body[name]
  if (Array.isArray(value)) return value
  throw new VenueRestError(`GET ${path} answered without ${name}[]`, 200, false)
}

/** `orderbook_fp` now; `orderbook` until March 2026. Null where neither is one. */
function bookOf({ orderbook_fp: fixed, orderbook }: Record<string, unknown>): unknown {
  if (isObject(fixed)) return fixed
  return isObject(orderbook) ? orderbook : null
}
