import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../schemas/config.ts'
import type { Market } from '../../schemas/market.ts'
import { Incidents } from '../integrity/incidents.ts'
import { breakerLimits } from '../venue/breaker.ts'
import type { MarketSink } from '../venue/catalogue.ts'
import { DialPacer } from '../venue/dial-pacer.ts'
import { FrameLog } from '../venue/frame-log.ts'
import { type BookDoubt, HistoryNotes } from '../venue/history-notes.ts'
import type { FeedStatus, VenueFeed } from '../venue/port.ts'
import { Recovery } from '../venue/recovery.ts'
import {
  type ConnectionRecycle,
  type RecycleOptions,
  unlessEnded,
  type VenueRecycle
} from '../venue/recycle.ts'
import type { HistoryTaps } from '../venue/wire-tap.ts'
import { PolymarketAudits } from './audits.ts'
import { BookIncidents } from './book-incidents.ts'
import { BookReader } from './book-reader.ts'
import { PolymarketBooks } from './books.ts'
import { PolymarketConnections } from './connections.ts'
import { type FollowedMarket, PolymarketMarkets, type Tokens } from './markets.ts'
import type { ParsedTrade } from './parse.ts'
import { PolymarketRest } from './rest.ts'
import { formatSeedRecord } from './seed-record.ts'
import { noteOfTrade } from './trade-note.ts'

export type PolymarketSettings = Pick<
  Config,
  | 'POLYMARKET_HTTP_BASE'
  | 'POLYMARKET_GAMMA_BASE'
  | 'POLYMARKET_WS_URL'
  | 'POLYMARKET_POLL_INTERVAL_MS'
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
  /** Who keeps history; null: nobody does. */
  history?: HistoryTaps | null
  /** Which markets are this process's to read: all, unless several share them. */
  reads?: (market: Market) => boolean
  now?: () => number
  /** Milliseconds on a clock that never jumps: whatever is waited for is measured by it. */
  steadyNow?: () => number
  random?: () => number
}

const TICK_MS = 25
/** Between two looks for books that cannot be proved yet. */
const FACTS_EVERY_MS = 5_000
/** A new connection may take this many snapshot time limits to fill: its books are asked for in three ways. */
const FILL_TIMEOUTS = 3

/** Polymarket: finds the markets to follow over Gamma and keeps their books from the market channel. */
export class PolymarketFeed implements VenueFeed {
  readonly venue = 'polymarket'
  private readonly sink: MarketSink
  private readonly config: PolymarketSettings
  private readonly steadyNow: () => number
  private readonly markets: PolymarketMarkets
  private readonly rest: PolymarketRest
  private readonly books: PolymarketBooks
  private readonly connections: PolymarketConnections
  private readonly recovery: Recovery
  private readonly reader: BookReader
  private readonly audits: PolymarketAudits
  private readonly troubles: BookIncidents
  private readonly notes: HistoryNotes | null
  private askedForFactsAtMs = Number.NEGATIVE_INFINITY
  private isSynced = false
  private isStopped = false
  private ticker: NodeJS.Timeout | null = null

  constructor({
    sink,
    config,
    log,
    incidents = new Incidents(),
    history = null,
    reads = () => true,
    now = Date.now,
    steadyNow = performance.now.bind(performance),
    random = Math.random
  }: PolymarketFeedOptions) {
    this.sink = sink
    this.config = config
    this.steadyNow = steadyNow
    this.notes =
      history === null ? null : new HistoryNotes({ venue: 'polymarket', history, table: sink.books, now })
    this.rest = new PolymarketRest({
      gammaBase: config.POLYMARKET_GAMMA_BASE,
      clobBase: config.POLYMARKET_HTTP_BASE,
      breaker: breakerLimits(config),
      random
    })
    const frames = new FrameLog(log, steadyNow)
    this.books = new PolymarketBooks({
      table: sink.books,
      onTrade: (slot, trade, isMirrored, receivedAtMs) => this.traded(slot, trade, isMirrored, receivedAtMs),
      onCorrupt: (assetId, slot, reason, frame, isNew) => {
        if (isNew && reason === 'drift') this.doubted(slot, 'drift', 'a message was not understood')
        if (isNew && (reason === 'hash_mismatch' || reason === 'best_price_mismatch'))
          this.doubted(slot, 'hash_mismatch', `the book is not what the venue says: ${reason}`)
        this.troubles.corrupt(slot, reason, frame)
        this.reader.ask(assetId, 'snapshot')
      },
      onHint: (hint) => {
        this.markets.hint(hint)
        if (hint.kind === 'tick_size') this.reader.ask(this.books.assetOf(hint.slot), 'snapshot')
      },
      onRefused: (reason, frame) => {
        frames.note(reason, frame)
        this.troubles.refused(reason, frame)
      },
      hashBudgetPercent: config.HASH_BUDGET_PERCENT,
      now,
      steadyNow
    })
    this.markets = new PolymarketMarkets({
      sink,
      rest: this.rest,
      counters: this.books.counters,
      config,
      reads,
      onAdded: (followed) => this.follow(followed),
      onDropped: (tokens, conditionId) => this.unfollow(tokens, conditionId),
      log,
      now,
      steadyNow,
      random
    })
    const marketId = (slot: number) => this.markets.idOf(slot)
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
      wire: history?.wire ?? null,
      onLost: (name, slots, startedAtMs, detail) =>
        this.notes?.lost(name, {
          kind: 'disconnected',
          subscription: null,
          fromSequence: null,
          toSequence: null,
          slots,
          startedAtMs,
          detail
        }),
      log,
      now,
      steadyNow,
      random
    })
    this.reader = new BookReader({
      books: this.books,
      fetchBooks: (assetIds) => this.rest.fetchBooks(assetIds),
      streamOf: (assetId) => this.connections.streamOf(assetId),
      onSeed: (book, atMs, streaming) =>
        history?.wire?.rest('polymarket', atMs, formatSeedRecord({ book, streaming })),
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
      assetOf: (slot) => this.markets.tokensOf(slot)?.yes ?? null,
      slotOf: (assetId) => this.books.slotOf(assetId),
      marketId,
      reread: (assetId) => this.reader.ask(assetId, 'snapshot'),
      incidents,
      onPolled: history === null ? null : (...read) => history.onPolled(...read),
      onWrong: (slot, attempt) =>
        this.doubted(
          slot,
          'audit_mismatch',
          `the book differs from two reads in a row (${attempt} in a row)`
        ),
      periodMs: config.AUDIT_PERIOD_MS,
      pollIntervalMs: config.POLYMARKET_POLL_INTERVAL_MS,
      log,
      now,
      steadyNow,
      random
    })
  }

  start(): void {
    if (this.ticker !== null || this.isStopped) return
    this.ticker = setInterval(() => this.tick(), TICK_MS)
    this.audits.start()
    this.markets.start()
  }

  async stop(): Promise<void> {
    this.isStopped = true
    if (this.ticker !== null) clearInterval(this.ticker)
    this.markets.stop()
    this.audits.stop()
    this.reader.stop()
    await Promise.all([this.connections.stop(), this.rest.close()])
  }

  followed(): ReadonlyMap<string, unknown> | null {
    return this.markets.status.lastAtMs === null ? null : this.markets.followed()
  }

  reselect(): void {
    this.markets.reselect()
  }

  auditAgeMs(slot: number): number | null {
    return this.audits.auditAgeMs(slot)
  }

  status(): FeedStatus {
    const { status: discovery } = this.markets
    return {
      venue: 'polymarket',
      source: 'websocket',
      synced: this.checkSynced(),
      note: discovery.lastError === null ? null : `discovery fails: ${discovery.lastError}`,
      // There are no credentials to refuse.
      refused: false,
      connections: this.connections.status(),
      discovery: { ...discovery },
      rest: this.rest.status,
      recovery: this.recovery.status(),
      ...this.audits.status(),
      proofs: { ...this.books.proofStatus() },
      counters: this.books.counters
    }
  }

  /** The venue's public list of trades names the wallets of users: none of it is asked for. */
  async fetchTrades(): Promise<null> {
    return null
  }

  /** What `/prices-history` holds is one number an instant, of which nobody says what price it is. */
  async fetchCandles(): Promise<null> {
    return null
  }

  async recycle({ signal, onProgress }: RecycleOptions): Promise<VenueRecycle> {
    const before = this.markets.followed()
    const connections: ConnectionRecycle[] = []
    onProgress('renewing the connections')
    const shards = this.connections.renew({
      complementOf: (assetId) => this.complementOf(assetId),
      onTrade: (slot, trade, isMirrored, receivedAtMs) => this.traded(slot, trade, isMirrored, receivedAtMs),
      signal,
      reads: this.audits.reads,
      fillTimeoutMs: FILL_TIMEOUTS * this.config.SNAPSHOT_TIMEOUT_MS,
      readTimeoutMs: this.config.SNAPSHOT_TIMEOUT_MS
    })
    for await (const { differed, ...report } of shards) {
      const named = differed.map(({ slot, difference }) => ({
        marketId: this.markets.idOf(slot) ?? 'no longer followed',
        difference
      }))
      connections.push({ ...report, differed: named })
      onProgress(`renewed ${connections.length} connections`)
    }
    onProgress('discovering markets')
    const discoveryError = await unlessEnded(signal, () => this.markets.discoverNow())
    return { connections, before, after: this.markets.followed(), discoveryError }
  }

  /** Of two connections one tells a trade first, and the other may never: `notes` tells each once. */
  private traded(slot: number, trade: ParsedTrade, isMirrored: boolean, receivedAtMs: number): void {
    const id = this.notes === null ? null : this.markets.idOf(slot)
    if (id === null) return
    const { note, name } = noteOfTrade(id, trade, isMirrored, receivedAtMs)
    this.notes?.traded(note, name)
  }

  private doubted(slot: number, kind: BookDoubt, detail: string): void {
    if (this.notes === null) return
    const opening = this.connections.openingOf(this.books.assetOf(slot))
    this.notes.doubted(slot, kind, detail, opening?.name ?? null, opening?.sinceMs ?? null)
  }

  private complementOf(assetId: string): string | null {
    return this.markets.tokensOf(this.books.slotOf(assetId) ?? -1)?.no ?? null
  }

  private tick(): void {
    const nowMs = this.steadyNow()
    this.books.settle(nowMs)
    this.troubles.tick()
    this.connections.tick()
    if (nowMs - this.askedForFactsAtMs >= FACTS_EVERY_MS) this.askForFacts(nowMs)
    void this.reader.tick()
    this.markets.tick()
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

  private follow(followed: readonly FollowedMarket[]): void {
    for (const { tokens, slot, conditionId } of followed) {
      this.books.follow(tokens.yes, slot, tokens.no, conditionId)
      this.reader.ask(tokens.yes, 'preview')
    }
    this.connections.add(followed.map(({ tokens, slot }) => ({ assetId: tokens.yes, slot })))
  }

  private unfollow(tokens: Tokens, conditionId: string): void {
    this.connections.remove(tokens.yes)
    this.reader.forget(tokens.yes)
    this.books.unfollow(tokens.yes, tokens.no, conditionId)
  }

  private checkSynced(): boolean {
    const { firstAtMs } = this.markets
    if (this.isSynced || Number.isNaN(firstAtMs)) return this.isSynced
    const isOverdue = this.steadyNow() - firstAtMs >= this.config.SNAPSHOT_TIMEOUT_MS
    this.isSynced = isOverdue || [...this.markets.slots()].every((slot) => !this.books.isAwaiting(slot))
    return this.isSynced
  }
}
