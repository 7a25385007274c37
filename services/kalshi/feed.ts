import type { BookTable } from '../integrity/book-table.ts'
import { Incidents } from '../integrity/incidents.ts'
import { listOf } from '../settings.ts'
import { breakerLimits } from '../venue/breaker.ts'
import type { ServedMarket } from '../venue/catalogue.ts'
import { DialPacer } from '../venue/dial-pacer.ts'
import { FrameLog } from '../venue/frame-log.ts'
import { type BookDoubt, HistoryNotes } from '../venue/history-notes.ts'
import type { FeedStatus, VenueCandle, VenueFeed } from '../venue/port.ts'
import { Recovery } from '../venue/recovery.ts'
import {
  type ConnectionRecycle,
  type RecycleOptions,
  unlessEnded,
  type VenueRecycle
} from '../venue/recycle.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import { KalshiAudits } from './audits.ts'
import type { Signer } from './auth.ts'
import { KalshiBooks } from './books.ts'
import { KalshiDiscovery } from './discovery.ts'
import { ExchangeWatch } from './exchange-watch.ts'
import type { KalshiFeedOptions } from './feed-options.ts'
import { KalshiMarkets } from './markets.ts'
import { marketId, tickerOf } from './parse-market.ts'
import { fetchPastCandles } from './past-candles.ts'
import { fetchPastTrades } from './past-trades.ts'
import { formatPolledRecord } from './polled-record.ts'
import { KalshiPoller } from './poller.ts'
import { StreamRenewal } from './recycle.ts'
import { KalshiRest } from './rest.ts'
import { KalshiStream } from './stream.ts'
import { Troubles } from './troubles.ts'
import { isUpgradeTaken } from './upgrade-probe.ts'

export type { KalshiFeedOptions, KalshiSettings } from './feed-options.ts'

/** A new connection may take this many snapshot time limits to fill: its books are asked for in three ways. */
const FILL_TIMEOUTS = 3

/**
 * Keeps Kalshi's books: over the WebSocket with an API key, which the venue asks for on every channel; without one,
 * or with one that it refuses, by polling.
 */
export class KalshiFeed implements VenueFeed {
  readonly venue = 'kalshi'
  private readonly options: Required<KalshiFeedOptions>
  private readonly books: KalshiBooks
  private readonly rest: KalshiRest
  private readonly markets: KalshiMarkets
  private readonly exchange: ExchangeWatch
  private readonly poller: KalshiPoller
  private readonly pacer: DialPacer
  private readonly recovery: Recovery
  private readonly audits: KalshiAudits
  private readonly troubles: Troubles
  private readonly notes: HistoryNotes | null
  private stream: KalshiStream | null
  /** Under way while the stream is recycled. */
  private renewal: StreamRenewal | null = null
  /** Why books are polled; null while they are streamed. */
  private pollingBecause: string | null = null
  private refusedStream: Promise<void> | null = null
  private retryTimer: NodeJS.Timeout | null = null
  private isStopped = false
  private isSynced = false

  constructor(options: KalshiFeedOptions) {
    this.options = {
      incidents: new Incidents(),
      history: null,
      reads: () => true,
      gapTimeoutMs: 5_000,
      pauseCheckMs: 15_000,
      refusedRetryMs: 600_000,
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      random: Math.random,
      ...options
    }
    const { sink, config, signer, log, incidents, pauseCheckMs, refusedRetryMs } = this.options
    const { history, now, steadyNow, random } = this.options
    const table = sink.books
    this.notes = history === null ? null : new HistoryNotes({ venue: 'kalshi', history, table, now })
    this.troubles = new Troubles({
      table,
      incidents,
      frames: new FrameLog(log, steadyNow),
      marketId: (slot) => this.marketIdOf(slot),
      slots: () => this.stream?.slots() ?? []
    })
    this.books = new KalshiBooks({
      table,
      onGap: (connection, sid, expected, got) => {
        this.stream?.gap(connection, sid, expected, got)
        if (this.stream?.countsTrades(connection, sid) === true) return
        this.troubles.gap(sid, expected, got)
        this.stream?.lost(connection, sid)
      },
      onCorrupt: (slot, reason, _, isNew) => {
        this.troubles.corrupt(slot, reason)
        if (reason === 'drift' && isNew) this.doubted(slot, 'drift', 'a message was not understood')
        this.stream?.need(slot)
      },
      onControl: (message, connection) => this.stream?.control(message, connection),
      onStray: (connection, sid) => {
        this.troubles.stray(sid)
        this.stream?.stray(connection, sid)
      },
      onReformed: (connection, sid) => {
        this.troubles.reformed(sid)
        this.stream?.reformed(connection, sid)
      },
      onRefused: (reason, frame, slot) => this.troubles.refused(reason, frame, slot)
    })
    const { counters } = this.books
    this.pacer = new DialPacer({ dialsPerSecond: config.DIALS_PER_SECOND, steadyNow })
    this.recovery = new Recovery({ table, log, steadyNow })
    this.rest = new KalshiRest({
      base: config.KALSHI_HTTP_BASE,
      signer,
      refusedRetryMs,
      steadyNow,
      breaker: breakerLimits(config),
      random
    })
    const discovery = new KalshiDiscovery({
      rest: this.rest,
      counters,
      series: listOf(config.KALSHI_SERIES),
      tickers: listOf(config.KALSHI_TICKERS),
      maxMarkets: config.MAX_MARKETS_PER_VENUE
    })
    this.markets = new KalshiMarkets({
      sink,
      discovery,
      counters,
      maxMarkets: config.MAX_MARKETS_PER_VENUE,
      retentionMs: config.ENDED_MARKET_RETENTION_MS,
      intervalMs: config.REDISCOVERY_INTERVAL_MS,
      onFollow: (markets) => this.follow(markets),
      onUnfollow: (tickers) => this.unfollow(tickers),
      onReactivated: (market) => this.reactivated(market),
      onSettled: () => this.exchange.flag(),
      reads: this.options.reads,
      log,
      now,
      steadyNow,
      random
    })
    this.exchange = new ExchangeWatch({
      rest: this.rest,
      table,
      markets: () => this.markets.trading(),
      everyMs: pauseCheckMs
    })
    this.poller = new KalshiPoller({
      rest: this.rest,
      table,
      counters,
      markets: () => this.markets.trading(),
      holds: (market) => this.markets.holds(market),
      onDrift: ({ id, slot }, book) => {
        this.troubles.refusedBook(id, book)
        this.doubted(slot, 'drift', 'a polled book was not understood')
      },
      ...(history === null
        ? {}
        : {
            onPolled: (...read) => history.onPolled(...read),
            onOverdue: (slots, heardAtMs) => this.notes?.overdue(slots, heardAtMs),
            onTaken: ({ market }, book, receivedAtMs) =>
              history.wire?.rest('kalshi', receivedAtMs, formatPolledRecord({ ticker: market.symbol, book }))
          }),
      intervalMs: config.KALSHI_POLL_INTERVAL_MS,
      log,
      now,
      steadyNow
    })
    this.audits = new KalshiAudits({
      table,
      rest: this.rest,
      stream: () => this.stream,
      incidents,
      onPolled: history === null ? null : (...read) => history.onPolled(...read),
      onWrong: (slot, attempt) =>
        this.doubted(
          slot,
          'audit_mismatch',
          `the book differs from two reads in a row (${attempt} in a row)`
        ),
      periodMs: config.AUDIT_PERIOD_MS,
      pollIntervalMs: config.KALSHI_POLL_INTERVAL_MS,
      log,
      now,
      steadyNow,
      random
    })
    this.stream = signer === null ? null : this.createStream(signer, this.books, table)
  }

  start(): void {
    this.markets.start()
    this.exchange.start()
    this.audits.start()
    this.troubles.start()
    if (this.stream === null) this.poll('there is no KALSHI_API_KEY')
    else this.stream.start()
  }

  async stop(): Promise<void> {
    this.isStopped = true
    if (this.retryTimer !== null) clearTimeout(this.retryTimer)
    this.markets.stop()
    this.exchange.stop()
    this.audits.stop()
    this.troubles.stop()
    await Promise.all([this.stream?.stop(), this.refusedStream, this.rest.close(), this.poller.stop()])
  }

  followed(): ReadonlyMap<string, unknown> | null {
    return this.markets.status.lastAtMs === null ? null : this.markets.followed()
  }

  reselect(): void {
    this.markets.reselect()
  }

  auditAgeMs(slot: number): number | null {
    return this.stream === null ? null : this.audits.auditAgeMs(slot)
  }

  status(): FeedStatus {
    const { stream, markets, poller } = this
    const isSettled = stream === null ? poller.isSettled : stream.isSettled
    this.isSynced ||= markets.status.lastAtMs !== null && isSettled
    return {
      venue: this.venue,
      source: stream === null ? 'poll' : 'websocket',
      synced: this.isSynced,
      note: this.note(),
      refused: this.refusedStream !== null || this.rest.refusal !== null,
      connections: stream === null ? [] : [stream.status()],
      discovery: { ...markets.status },
      rest: this.rest.status,
      recovery: this.recovery.status(),
      ...(stream === null ? { audit: null, liveness: null } : this.audits.status()),
      proofs: null,
      counters: this.books.counters
    }
  }

  async fetchTrades(id: string, fromMs: number, toMs: number): Promise<TradeNote[] | null> {
    const ticker = tickerOf(id)
    return ticker === null ? null : fetchPastTrades(this.rest, ticker, fromMs, toMs, this.options.now)
  }

  async fetchCandles(ids: readonly string[], fromMs: number, toMs: number): Promise<VenueCandle[] | null> {
    const tickers = ids.map(tickerOf).filter((ticker) => ticker !== null)
    return tickers.length < ids.length ? null : fetchPastCandles(this.rest, tickers, fromMs, toMs)
  }

  async recycle({ signal, onProgress }: RecycleOptions): Promise<VenueRecycle> {
    const before = this.markets.followed()
    const connections: ConnectionRecycle[] = []
    if (this.stream !== null) {
      onProgress('renewing the connection')
      connections.push(await this.renewStream(signal))
    }
    onProgress('discovering markets')
    const discoveryError = await unlessEnded(signal, () => this.markets.discoverNow())
    return { connections, before, after: this.markets.followed(), discoveryError }
  }

  private async renewStream(signal: AbortSignal): Promise<ConnectionRecycle> {
    const { sink, config, signer, steadyNow } = this.options
    const renewal = new StreamRenewal({
      books: this.books,
      table: sink.books,
      createStream: (books, table) => this.createStream(signer as Signer, books, table),
      current: () => this.stream,
      onSwapped: (stream) => {
        this.stream = stream
        this.renewal = null
      },
      reads: this.audits.reads,
      fillTimeoutMs: FILL_TIMEOUTS * config.SNAPSHOT_TIMEOUT_MS,
      readTimeoutMs: config.SNAPSHOT_TIMEOUT_MS,
      steadyNow
    })
    this.renewal = renewal
    try {
      return await renewal.run(signal)
    } finally {
      this.renewal = null
    }
  }

  /** A stream speaks for the feed only while it is the feed's own. */
  private createStream(signer: Signer, books: KalshiBooks, table: BookTable): KalshiStream {
    const { sink, config, history, gapTimeoutMs, log, now, steadyNow, random } = this.options
    const ifOurs = (act: () => void) => {
      if (stream === this.stream) act()
    }
    const stream: KalshiStream = new KalshiStream({
      url: config.KALSHI_WS_URL,
      signer,
      books,
      table,
      snapshotTimeoutMs: config.SNAPSHOT_TIMEOUT_MS,
      gapTimeoutMs,
      silentAfterMs: config.SILENT_AFTER_MS,
      breaker: breakerLimits(config),
      pacer: this.pacer,
      recovery: this.recovery,
      // Of two streams one hears a trade first, and the other may never: `traded` tells each once.
      onTrade:
        history === null ? null : (trade) => this.notes?.traded(trade, `${trade.marketId} ${trade.tradeId}`),
      onLost: (loss) => ifOurs(() => this.notes?.lost('kalshi', loss)),
      wire: history?.wire ?? null,
      isLive: table === sink.books,
      onLifecycle: (message) => ifOurs(() => this.markets.take(message)),
      onLifecycleLost: () => ifOurs(() => this.markets.rediscover()),
      onRefused: (reason, mayHeal) =>
        ifOurs(() => this.pollInstead(`Kalshi refused the API key (${reason})`, mayHeal)),
      log,
      now,
      steadyNow,
      random
    })
    return stream
  }

  private doubted(slot: number, kind: BookDoubt, detail: string): void {
    const { stream, notes } = this
    const connection = stream === null ? null : 'kalshi'
    notes?.doubted(slot, kind, detail, connection, stream?.status().connectedAtMs ?? null)
  }

  private marketIdOf(slot: number): string | null {
    const ticker = this.stream?.tickerOf(slot)
    return ticker === undefined ? null : marketId(ticker)
  }

  private note(): string | null {
    const notes: string[] = []
    if (this.pollingBecause !== null) notes.push(`books are polled over REST, because ${this.pollingBecause}`)
    if (this.rest.refusal !== null)
      notes.push(`REST is asked without the API key, which it refused (${this.rest.refusal})`)
    if (this.exchange.isPaused) notes.push('Kalshi has paused trading')
    const without = this.stream?.withoutSnapshot ?? 0
    if (without > 0) notes.push(`${without} subscribed markets got no snapshot`)
    const tooMany = this.stream?.tooMany ?? 0
    if (tooMany > 0) notes.push(`${tooMany} markets are more than Kalshi takes on one subscription`)
    return notes.length === 0 ? null : notes.join('; ')
  }

  private follow(markets: ServedMarket[]): void {
    const { stream, books, options } = this
    for (const { slot, market } of markets) {
      books.follow(market.symbol, slot)
      // The venue may have traded this market before: what its book held then is no base any more.
      options.sink.books.raise(slot, 'awaiting_snapshot')
      if (stream === null) options.sink.books.setSource(slot, 'poll')
    }
    stream?.follow(markets.map(({ slot, market }) => ({ slot, ticker: market.symbol })))
  }

  private unfollow(tickers: string[]): void {
    this.stream?.unfollow(tickers)
    for (const ticker of tickers) this.books.unfollow(ticker)
  }

  private reactivated({ slot }: ServedMarket): void {
    if (this.stream === null) return
    this.options.sink.books.raise(slot, 'awaiting_snapshot')
    this.stream.need(slot)
    this.renewal?.need(slot)
  }

  private poll(reason: string): void {
    this.pollingBecause = reason
    this.options.log.warn({ reason }, 'Kalshi books are polled over REST')
    this.poller.start()
  }

  /** The socket alone decides: REST may be refused while the stream is well, and the other way round. */
  private pollInstead(reason: string, mayHeal: boolean): void {
    const { stream, options } = this
    if (stream === null) return
    this.stream = null
    this.refusedStream = stream.stop()
    const table = options.sink.books
    for (const { slot } of this.markets.trading()) {
      table.raise(slot, 'refused')
      table.setSource(slot, 'poll')
    }
    this.poll(reason)
    this.markets.rediscover()
    if (mayHeal) this.askAgainLater()
  }

  /** One upgrade now and then, and no loop: a key is refused too while our clock is wrong. */
  private askAgainLater(): void {
    this.retryTimer = setTimeout(() => void this.askAgain(), this.options.refusedRetryMs)
  }

  private async askAgain(): Promise<void> {
    const { config, signer } = this.options
    if (signer === null) return
    const url = config.KALSHI_WS_URL
    const isTaken = await isUpgradeTaken(url, signer('GET', new URL(url).pathname))
    if (this.isStopped) return
    if (isTaken) await this.streamAgain(signer)
    else this.askAgainLater()
  }

  private async streamAgain(signer: Signer): Promise<void> {
    const { sink, log } = this.options
    await this.poller.stop()
    if (this.isStopped) return
    log.info({}, 'Kalshi takes the API key again: books are streamed')
    this.pollingBecause = null
    this.refusedStream = null
    const stream = this.createStream(signer, this.books, sink.books)
    this.stream = stream
    const markets = [...this.markets.trading()]
    for (const { slot } of markets) {
      sink.books.raise(slot, 'disconnected')
      sink.books.clear(slot, 'refused', 'poll_overdue')
    }
    stream.follow(markets.map(({ slot, market }) => ({ slot, ticker: market.symbol })))
    stream.start()
  }
}
