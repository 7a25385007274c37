import type { FastifyBaseLogger } from 'fastify'
import type { BookTable } from '../integrity/book-table.ts'
import type { LiveConnection } from '../integrity/liveness.ts'
import { backoffMs } from '../venue/backoff.ts'
import type { BreakerLimits } from '../venue/breaker.ts'
import type { DialPacer } from '../venue/dial-pacer.ts'
import type { ConnectionStatus } from '../venue/port.ts'
import type { Recovery } from '../venue/recovery.ts'
import { SupervisedSocket } from '../venue/supervised-socket.ts'
import type { TradeNote, WireTap } from '../venue/wire-tap.ts'
import type { Signer } from './auth.ts'
import { BookSubscription } from './book-subscription.ts'
import type { KalshiBooks } from './books.ts'
import { Commands } from './commands.ts'
import { type Envelope, type Lifecycle, parseError, parseLifecycle, parseSubscribed } from './parse.ts'
import { lastReceivedAtMs, missingNumbers, type StreamLoss } from './stream-loss.ts'
import type { KalshiConnection } from './subscriptions.ts'
import { TradeSubscription } from './trade-subscription.ts'
import { CHANNELS } from './urls.ts'

export interface KalshiStreamOptions {
  url: string
  signer: Signer
  books: KalshiBooks
  table: BookTable
  snapshotTimeoutMs: number
  /** For each of the two ways in which a gap is mended before the connection is given up. */
  gapTimeoutMs: number
  silentAfterMs: number
  breaker: BreakerLimits
  pacer: DialPacer
  recovery: Recovery
  onLifecycle: (message: Lifecycle) => void
  /** Lifecycle messages were lost: the markets must be looked up. */
  onLifecycleLost: () => void
  /** Called with each trade of a followed market; null: trades are not subscribed. */
  onTrade: ((trade: TradeNote) => void) | null
  /** Something was lost, with what is known of it. */
  onLost: (loss: StreamLoss) => void
  /** Hears all that passes; null: nobody does. */
  wire: WireTap | null
  /** Whether the books that it is made with are the live ones. */
  isLive: boolean
  /** The venue refused our key; the stream has stopped. A refused upgrade may heal, as with a clock that was wrong. */
  onRefused: (reason: string, mayHeal: boolean) => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  now?: () => number
  /** Never jumps: for durations only. */
  steadyNow?: () => number
  random?: () => number
}

const TICK_MS = 250
const NO_NUMBERS = { fromSequence: null, toSequence: null }
const PING_EVERY_MS = 5_000
/** Books that became doubtful in one burst are asked for together. */
const SOON_MS = 20
const RESUBSCRIBE_BASE_MS = 250
const RESUBSCRIBE_CAP_MS = 30_000
/** A subscription that lived this long ended for a new reason. */
const PROVEN_AFTER_MS = 60_000

/**
 * The one connection that carries all books and lifecycle messages: what it subscribes, which answer belongs to what,
 * and what each error means.
 */
export class KalshiStream {
  private readonly options: Required<KalshiStreamOptions>
  private readonly socket: SupervisedSocket
  private readonly commands: Commands
  private readonly subscription: BookSubscription
  private readonly trades: TradeSubscription | null
  private connection: KalshiConnection | null = null
  private lifecycleSid: number | null = null
  private wasOpen = false
  /** The upgrade was taken, and what we asked for was refused all the same. */
  private isUnwelcome = false
  private terminalErrors = 0
  private terminalAtMs = Number.NEGATIVE_INFINITY
  private ticker: NodeJS.Timeout | null = null
  private readonly timers = new Set<NodeJS.Timeout>()
  private soonTimer: NodeJS.Timeout | null = null

  constructor(options: KalshiStreamOptions) {
    this.options = {
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      random: Math.random,
      ...options
    }
    const { url, signer, silentAfterMs, breaker, pacer, log, now, steadyNow, random } = this.options
    const { table, snapshotTimeoutMs, gapTimeoutMs } = this.options
    this.commands = new Commands({ send: (text) => this.socket.send(text), steadyNow })
    this.subscription = new BookSubscription({
      table,
      commands: this.commands,
      snapshotTimeoutMs,
      gapTimeoutMs,
      onHopeless: (reason) => this.socket.drop(reason),
      log,
      steadyNow
    })
    const { onTrade, onLost, wire, isLive } = this.options
    this.trades =
      onTrade === null
        ? null
        : new TradeSubscription({
            commands: this.commands,
            counters: () => this.options.books.counters,
            slots: () => this.slots(),
            onTrade,
            onLost,
            now
          })
    this.socket = new SupervisedSocket({
      name: 'kalshi',
      url,
      headers: () => signer('GET', new URL(url).pathname),
      breaker,
      pacer,
      // The venue pings too, every 10 s; asking ourselves finds a dead socket sooner.
      keepAlive: {
        kind: 'ping',
        everyMs: Math.min(PING_EVERY_MS, silentAfterMs / 3),
        timeoutMs: silentAfterMs
      },
      onOpen: () => this.opened(),
      onFrame: (frame, receivedAtMs) => {
        if (this.connection !== null) this.options.books.apply(frame, receivedAtMs, this.connection)
      },
      onDown: (reason) => this.down(reason),
      tapped: wire === null ? null : { venue: 'kalshi', wire, keepsBooks: isLive },
      log,
      now,
      steadyNow,
      random
    })
  }

  /** True when every subscribed book has had its first snapshot, or its time for one. */
  get isSettled(): boolean {
    return this.subscription.isSettled
  }

  /** Subscribed markets for which no snapshot could be had. */
  get withoutSnapshot(): number {
    return this.subscription.overdue
  }

  /** Markets that the venue would not take because the subscription is full. */
  get tooMany(): number {
    return this.subscription.tooMany
  }

  start(): void {
    this.socket.start()
  }

  /** From now on this stream keeps these books, which are equal to those that it kept; its counters go on. */
  moveTo(books: KalshiBooks, table: BookTable): void {
    if (this.connection !== null) {
      this.options.books.drop(this.connection)
      books.adopt(this.connection)
    }
    this.options.books = books
    this.options.table = table
    this.subscription.moveTo(table)
    this.socket.adopt()
  }

  async stop(): Promise<void> {
    this.clear()
    await this.socket.stop()
  }

  status(): ConnectionStatus {
    return this.socket.status(this.subscription.size)
  }

  /** The connecting that is open now, as liveness sees it; null while there is none. */
  live(): LiveConnection | null {
    const { state, connectedAtMs, messages } = this.status()
    if (state !== 'open') return null
    return { key: `kalshi@${connectedAtMs}`, messages, slots: () => this.slots() }
  }

  /** Books that are subscribed. */
  slots(): IterableIterator<number> {
    return this.subscription.slots()
  }

  tickerOf(slot: number): string | undefined {
    return this.subscription.tickerAt(slot)
  }

  /** Cuts the connection and dials again. */
  drop(reason: string): void {
    this.socket.drop(reason)
  }

  follow(markets: readonly { ticker: string; slot: number }[]): void {
    this.subscription.follow(markets)
    this.trades?.follow(markets.map(({ ticker }) => ticker))
  }

  unfollow(tickers: readonly string[]): void {
    this.subscription.unfollow(tickers)
    this.trades?.unfollow(tickers)
  }

  /** A number of this subscription was skipped. */
  lost(connection: KalshiConnection, sid: number): void {
    if (connection !== this.connection || this.countsTrades(connection, sid)) return
    if (sid === this.lifecycleSid) {
      this.options.onLifecycleLost()
      return
    }
    this.subscription.lost(connection.get(sid)?.slots ?? [])
    this.tickSoon()
  }

  /** Tells of the numbers that were skipped: before anything is done about it. */
  gap(connection: KalshiConnection, sid: number, expected: number, got: number): void {
    if (connection !== this.connection) return
    if (this.countsTrades(connection, sid)) this.trades?.lost(expected, got)
    else this.tell({ kind: 'sequence_gap', ...missingNumbers(expected, got) }, connection, sid)
  }

  /** Whether the numbers of this subscription count trades: one that is skipped is no trouble of any book. */
  countsTrades(connection: KalshiConnection, sid: number): boolean {
    return connection === this.connection && this.trades?.is(sid) === true
  }

  /** One of this subscription's books lacks a change that came under another name. */
  stray(connection: KalshiConnection, sid: number): void {
    if (connection !== this.connection || sid === this.lifecycleSid) return
    const detail = 'a change names a market that was never subscribed'
    if (this.subscription.stray()) this.tell({ kind: 'stray_change', ...NO_NUMBERS, detail }, connection, sid)
    this.tickSoon()
  }

  /** The venue changed the form of this subscription's numbers. */
  reformed(connection: KalshiConnection, sid: number): void {
    const detail = 'the form of prices and counts has changed'
    this.tell({ kind: 'drift', ...NO_NUMBERS, detail }, connection, sid)
    this.lost(connection, sid)
  }

  /** This book is doubtful. */
  need(slot: number): void {
    this.subscription.need(slot)
    this.tickSoon()
  }

  /** This book was proven wrong: its market is subscribed anew. */
  renew(slot: number): void {
    this.subscription.renew(slot)
    this.tickSoon()
  }

  /** A message that is not about levels. */
  control(message: Envelope, connection: KalshiConnection): void {
    if (connection !== this.connection) return
    const { type, id, sid, msg } = message
    if (type === 'market_lifecycle_v2') {
      const lifecycle = parseLifecycle(msg)
      if (lifecycle === null) this.options.books.counters.observe('lifecycle_malformed')
      else this.options.onLifecycle(lifecycle)
      return
    }
    if (type === 'trade') {
      this.trades?.take(msg, this.socket.heardAtMs ?? this.options.now())
      return
    }
    if (type === 'error') {
      this.failed(message)
      return
    }
    const command = this.commands.answered(id)
    if (type === 'subscribed') {
      const opened = parseSubscribed(msg)
      if (opened?.channel === CHANNELS.orderBook) this.subscription.opened(opened.sid)
      if (opened?.channel === CHANNELS.lifecycle) this.lifecycleSid = opened.sid
      if (opened?.channel === CHANNELS.trade) this.trades?.opened(opened.sid)
    }
    // A subscribe that was merged into an open subscription, or in a hurry: `ok` in place of `subscribed`.
    if (type === 'ok' && sid !== null && command?.purpose === 'books') this.subscription.opened(sid)
    if (type === 'ok' && sid !== null && command?.purpose === 'lifecycle') this.lifecycleSid = sid
    if (type === 'ok' && sid !== null && command?.purpose === 'trades') this.trades?.opened(sid)
    command?.onAnswer?.()
  }

  private opened(): void {
    this.connection = this.options.books.connection()
    this.commands.open()
    this.subscribeLifecycle()
    this.subscription.open()
    this.trades?.open()
    if (this.wasOpen) this.options.recovery.resubscribed('kalshi', this.subscription.size)
    this.ticker = setInterval(() => this.tick(), TICK_MS)
    // What was told while we were away was told to nobody.
    if (this.wasOpen) this.options.onLifecycleLost()
    this.wasOpen = true
  }

  private down(reason: string): void {
    const { table, recovery, onRefused } = this.options
    if (this.connection !== null) {
      recovery.lost('kalshi', table, this.subscription.slots())
      this.options.onLost({
        kind: 'disconnected',
        subscription: null,
        ...NO_NUMBERS,
        slots: [...this.slots()],
        startedAtMs: this.socket.heardAtMs ?? this.options.now(),
        detail: reason
      })
    }
    this.clear()
    for (const slot of this.subscription.slots()) table.raise(slot, 'disconnected')
    if (this.socket.status(0).state === 'refused') onRefused(reason, !this.isUnwelcome)
  }

  private clear(): void {
    if (this.connection !== null) this.options.books.drop(this.connection)
    this.connection = null
    this.lifecycleSid = null
    this.commands.close()
    this.subscription.close()
    this.trades?.close()
    if (this.ticker !== null) clearInterval(this.ticker)
    if (this.soonTimer !== null) clearTimeout(this.soonTimer)
    for (const timer of this.timers) clearTimeout(timer)
    this.timers.clear()
    this.ticker = null
    this.soonTimer = null
  }

  private tick(): void {
    this.commands.expire()
    for (const slot of this.options.books.readableAgain()) this.subscription.needAfresh(slot)
    this.subscription.tick()
    this.options.recovery.tick('kalshi', this.subscription.slots())
  }

  private tickSoon(): void {
    if (this.connection === null) return
    this.soonTimer ??= setTimeout(() => {
      this.soonTimer = null
      this.tick()
    }, SOON_MS)
  }

  private subscribeLifecycle(): void {
    this.commands.run({ cmd: 'subscribe', params: { channels: [CHANNELS.lifecycle] }, purpose: 'lifecycle' })
  }

  /** What each error code means: section 6.5 of the protocol. */
  private failed({ id, sid, msg }: Envelope): void {
    const { code, text } = parseError(msg)
    const command = this.commands.answered(id)
    switch (code) {
      case 9:
        this.isUnwelcome = true
        this.socket.refuse(`error 9: ${text}`)
        return
      case 10:
      case 17:
      case 25:
        this.terminated(sid, code)
        return
      case 26:
        if (command?.purpose === 'trades') this.trades?.splitSmaller(command)
        else if (command !== null) this.subscription.splitSmaller(command)
        return
      case 27:
        this.commands.pause()
        if (command !== null) this.commands.run(command)
        return
      case 7:
        // The snapshot timers see which books were on it.
        if (command?.purpose !== 'trades') this.subscription.unknown()
    }
    this.options.log.warn({ code, text, sid }, 'the venue answered with an error')
    command?.onAnswer?.()
  }

  /** The subscription is dead. It is opened again, later each time that it dies young. */
  private terminated(sid: number | null, code: number): void {
    const { steadyNow, random, log, onLifecycleLost } = this.options
    const nowMs = steadyNow()
    if (nowMs - this.terminalAtMs > PROVEN_AFTER_MS) this.terminalErrors = 0
    this.terminalAtMs = nowMs
    const waitMs = backoffMs(this.terminalErrors++, RESUBSCRIBE_BASE_MS, RESUBSCRIBE_CAP_MS, random)
    log.warn({ code, sid, waitMs: Math.round(waitMs) }, 'the venue ended a subscription')
    if (sid !== null) this.connection?.end(sid)
    if (sid !== null && sid === this.lifecycleSid) {
      this.lifecycleSid = null
      onLifecycleLost()
      this.later(waitMs, () => this.subscribeLifecycle())
      return
    }
    if (this.trades?.is(sid) === true) {
      this.trades.ended(`the venue ended the subscription with error ${code}`)
      this.later(waitMs, () => this.trades?.again())
      return
    }
    this.subscription.ended()
    this.later(waitMs, () => this.subscription.again())
  }

  /** Tells of a loss that concerns all books of a subscription. */
  private tell(
    loss: Pick<StreamLoss, 'kind' | 'fromSequence' | 'toSequence' | 'detail'>,
    connection: KalshiConnection,
    sid: number
  ): void {
    const { table, onLost, now } = this.options
    const slots = [...(connection.get(sid)?.slots ?? [])]
    onLost({
      subscription: sid === this.lifecycleSid ? CHANNELS.lifecycle : String(sid),
      slots,
      startedAtMs: lastReceivedAtMs(table.verdicts, slots) ?? now(),
      ...loss
    })
  }

  private later(waitMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      act()
    }, waitMs)
    this.timers.add(timer)
  }
}
