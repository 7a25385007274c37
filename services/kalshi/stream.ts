import type { FastifyBaseLogger } from 'fastify'
import type { BookTable } from '../integrity/book-table.ts'
import { backoffMs } from '../venue/backoff.ts'
import type { ConnectionStatus } from '../venue/port.ts'
import { SupervisedSocket } from '../venue/supervised-socket.ts'
import type { Signer } from './auth.ts'
import type { KalshiBooks } from './books.ts'
import { type Command, Commands } from './commands.ts'
import { type Envelope, type Lifecycle, parseError, parseLifecycle, parseSubscribed } from './parse.ts'
import { SnapshotWatch } from './snapshot-watch.ts'
import type { KalshiConnection } from './subscriptions.ts'
import { CHANNELS, chunksOf } from './urls.ts'

export interface KalshiStreamOptions {
  url: string
  signer: Signer
  books: KalshiBooks
  table: BookTable
  snapshotTimeoutMs: number
  silentAfterMs: number
  onLifecycle: (message: Lifecycle) => void
  /** Lifecycle messages were lost: the markets must be looked up. */
  onLifecycleLost: () => void
  /** The venue refused our key; the stream has stopped. */
  onRefused: (reason: string) => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  now?: () => number
  random?: () => number
}

/** Public clients use 256 or 400; the venue's limit is not published and halves this when met. */
const MARKETS_PER_COMMAND = 256
const TICK_MS = 250
/** Books that became doubtful in one burst are asked for together. */
const SOON_MS = 20
/** After a gap all books should be whole again within this time, twice: by snapshots, then by a new subscription. */
const GAP_TIMEOUT_MS = 5_000
const RESUBSCRIBE_BASE_MS = 250
const RESUBSCRIBE_CAP_MS = 30_000
/** A subscription that lived this long ended for a new reason. */
const PROVEN_AFTER_MS = 60_000

/**
 * The one connection that carries all books and lifecycle messages. It holds the client procedure of the protocol:
 * what to subscribe, what each error means, and how a book that became doubtful becomes whole again.
 */
export class KalshiStream {
  private readonly options: Required<KalshiStreamOptions>
  private readonly socket: SupervisedSocket
  private readonly commands: Commands
  private readonly watch: SnapshotWatch
  private readonly slots = new Map<string, number>()
  private readonly tickers = new Map<number, string>()
  private connection: KalshiConnection | null = null
  private bookSid: number | null = null
  private lifecycleSid: number | null = null
  private chunkSize = MARKETS_PER_COMMAND
  private gap: { sinceMs: number; resubscribed: boolean } | null = null
  private terminalErrors = 0
  private terminalAtMs = 0
  private ticker: NodeJS.Timeout | null = null
  private readonly timers = new Set<NodeJS.Timeout>()
  private soonTimer: NodeJS.Timeout | null = null

  constructor(options: KalshiStreamOptions) {
    this.options = { now: Date.now, random: Math.random, ...options }
    const { url, signer, silentAfterMs, log, now, random, table, snapshotTimeoutMs } = this.options
    this.watch = new SnapshotWatch({ table, timeoutMs: snapshotTimeoutMs })
    this.commands = new Commands({ send: (text) => this.socket.send(text), now })
    this.socket = new SupervisedSocket({
      name: 'kalshi',
      url,
      headers: () => signer('GET', new URL(url).pathname),
      keepAlive: { kind: 'server-ping', timeoutMs: silentAfterMs },
      onOpen: () => this.opened(),
      onFrame: (frame, receivedAtMs) => {
        if (this.connection !== null) this.options.books.apply(frame, receivedAtMs, this.connection)
      },
      onDown: (reason) => this.down(reason),
      log,
      now,
      random
    })
  }

  /** True when every subscribed book has had its first snapshot, or its time for one. */
  get isSettled(): boolean {
    return this.connection !== null && this.watch.isSettled
  }

  /** Subscribed markets for which no snapshot could be had. */
  get withoutSnapshot(): number {
    return this.watch.givenUp
  }

  start(): void {
    this.socket.start()
  }

  async stop(): Promise<void> {
    this.clear()
    await this.socket.stop()
  }

  status(): ConnectionStatus {
    return this.socket.status(this.slots.size)
  }

  /** Subscribes markets, or asks again for the books of those that are subscribed. */
  follow(markets: readonly { ticker: string; slot: number }[]): void {
    const fresh: string[] = []
    for (const { ticker, slot } of markets) {
      if (this.slots.get(ticker) === slot) {
        this.need(slot)
        continue
      }
      this.slots.set(ticker, slot)
      this.tickers.set(slot, ticker)
      this.options.table.setSource(slot, 'websocket')
      fresh.push(ticker)
    }
    if (this.connection !== null) this.subscribe(fresh)
  }

  unfollow(tickers: readonly string[]): void {
    const gone = tickers.filter((ticker) => this.slots.has(ticker))
    for (const ticker of gone) {
      const slot = this.slots.get(ticker) as number
      if (this.tickers.get(slot) === ticker) this.tickers.delete(slot)
      this.slots.delete(ticker)
      this.watch.forget(ticker)
    }
    if (this.bookSid !== null) this.update('delete_markets', gone)
  }

  /** A number of this subscription was skipped. */
  lost(connection: KalshiConnection, sid: number): void {
    if (connection !== this.connection) return
    if (sid === this.lifecycleSid) {
      this.options.onLifecycleLost()
      return
    }
    const slots = connection.get(sid)?.slots ?? []
    for (const slot of slots) this.need(slot)
    this.gap ??= { sinceMs: this.options.now(), resubscribed: false }
  }

  /** This book is doubtful. */
  need(slot: number): void {
    const ticker = this.tickers.get(slot)
    if (ticker === undefined || this.connection === null) return
    this.watch.need(ticker, slot, this.options.now())
    this.soonTimer ??= setTimeout(() => {
      this.soonTimer = null
      this.tick()
    }, SOON_MS)
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
    if (type === 'error') {
      this.failed(message)
      return
    }
    const command = this.commands.answered(id)
    if (type === 'subscribed') {
      const opened = parseSubscribed(msg)
      if (opened?.channel === CHANNELS.orderBook) this.bookSid = opened.sid
      if (opened?.channel === CHANNELS.lifecycle) this.lifecycleSid = opened.sid
    }
    // A subscribe that was merged into an open subscription, or in a hurry: `ok` in place of `subscribed`.
    if (type === 'ok' && sid !== null && command?.purpose === 'books') this.bookSid = sid
    if (type === 'ok' && sid !== null && command?.purpose === 'lifecycle') this.lifecycleSid = sid
    command?.onAnswer?.()
  }

  private opened(): void {
    const { books, table } = this.options
    this.connection = books.connection()
    this.commands.open()
    for (const slot of this.slots.values()) {
      table.raise(slot, 'awaiting_snapshot')
      table.clear(slot, 'disconnected')
    }
    this.subscribeLifecycle()
    this.subscribe([...this.slots.keys()])
    this.ticker = setInterval(() => this.tick(), TICK_MS)
  }

  private down(reason: string): void {
    const { table, onRefused } = this.options
    this.clear()
    for (const slot of this.slots.values()) table.raise(slot, 'disconnected')
    if (this.socket.status(0).state === 'refused') onRefused(reason)
  }

  private clear(): void {
    if (this.connection !== null) this.options.books.drop(this.connection)
    this.connection = null
    this.bookSid = null
    this.lifecycleSid = null
    this.gap = null
    this.commands.close()
    this.watch.clear()
    if (this.ticker !== null) clearInterval(this.ticker)
    if (this.soonTimer !== null) clearTimeout(this.soonTimer)
    for (const timer of this.timers) clearTimeout(timer)
    this.timers.clear()
    this.ticker = null
    this.soonTimer = null
  }

  private tick(): void {
    const nowMs = this.options.now()
    this.commands.expire()
    this.mendGap(nowMs)
    const { ask, resubscribe, givenUp } = this.watch.take(nowMs)
    // Without a `sid` no snapshot can be asked for: subscribing once more brings one.
    if (this.bookSid === null) this.subscribe([...ask, ...resubscribe])
    else {
      this.update('get_snapshot', ask)
      // Answers come in any order, so the market is put back only when it is known to be off.
      for (const chunk of chunksOf(resubscribe, this.chunkSize))
        this.update('delete_markets', chunk, () => this.subscribe(chunk.filter((one) => this.slots.has(one))))
    }
    if (givenUp.length > 0)
      this.options.log.warn(
        { markets: givenUp.length, first: givenUp[0] },
        'no snapshot came, asked three times'
      )
  }

  private mendGap(nowMs: number): void {
    const { gap } = this
    if (gap === null || nowMs - gap.sinceMs < GAP_TIMEOUT_MS) return
    const { verdicts } = this.options.table
    const isOpen = [...this.slots.values()].some((slot) => verdicts.has(slot, 'sequence_gap'))
    if (!isOpen) this.gap = null
    else if (gap.resubscribed) this.socket.drop('books stayed incomplete after a gap')
    else {
      this.gap = { sinceMs: nowMs, resubscribed: true }
      this.resubscribeAll()
    }
  }

  private resubscribeAll(): void {
    const sid = this.bookSid
    this.bookSid = null
    this.watch.clear()
    const subscribe = () => this.subscribe([...this.slots.keys()])
    if (sid === null) subscribe()
    else
      this.commands.run({
        cmd: 'unsubscribe',
        params: { sids: [sid] },
        purpose: 'other',
        onAnswer: subscribe
      })
  }

  private subscribe(tickers: readonly string[]): void {
    const nowMs = this.options.now()
    for (const ticker of tickers) {
      const slot = this.slots.get(ticker)
      if (slot !== undefined) this.watch.expect(ticker, slot, nowMs)
    }
    if (this.bookSid !== null) {
      this.update('add_markets', tickers)
      return
    }
    for (const chunk of chunksOf(tickers, this.chunkSize))
      this.commands.run({
        cmd: 'subscribe',
        params: {
          channels: [CHANNELS.orderBook],
          market_tickers: chunk,
          // Sent although it is the default: the venue has announced that the default will flip.
          use_yes_price: false,
          skip_ticker_ack: true
        },
        purpose: 'books',
        tickers: chunk
      })
  }

  private subscribeLifecycle(): void {
    this.commands.run({ cmd: 'subscribe', params: { channels: [CHANNELS.lifecycle] }, purpose: 'lifecycle' })
  }

  private update(
    action: 'add_markets' | 'delete_markets' | 'get_snapshot',
    tickers: readonly string[],
    onAnswer?: () => void
  ): void {
    for (const chunk of chunksOf(tickers, this.chunkSize))
      this.commands.run({
        cmd: 'update_subscription',
        params: { sids: [this.bookSid], action, market_tickers: chunk },
        purpose: 'other',
        ...(action === 'add_markets' ? { tickers: chunk } : {}),
        ...(onAnswer === undefined ? {} : { onAnswer })
      })
  }

  /** What each error code means: section 6.5 of the protocol. */
  private failed({ id, sid, msg }: Envelope): void {
    const { code, text } = parseError(msg)
    const command = this.commands.answered(id)
    switch (code) {
      case 9:
        this.socket.refuse(`error 9: ${text}`)
        return
      case 10:
      case 17:
      case 25:
        this.terminated(sid, code)
        return
      case 26:
        if (command !== null) this.splitSmaller(command)
        return
      case 27:
        this.commands.pause()
        if (command !== null) this.commands.run(command)
        return
      case 7:
        this.bookSid = null
    }
    this.options.log.warn({ code, text, sid }, 'the venue answered with an error')
    command?.onAnswer?.()
  }

  /** The subscription is dead. It is opened again, later each time that it dies young. */
  private terminated(sid: number | null, code: number): void {
    const { now, random, log, table } = this.options
    const nowMs = now()
    if (nowMs - this.terminalAtMs > PROVEN_AFTER_MS) this.terminalErrors = 0
    this.terminalAtMs = nowMs
    const waitMs = backoffMs(this.terminalErrors++, RESUBSCRIBE_BASE_MS, RESUBSCRIBE_CAP_MS, random)
    log.warn({ code, sid, waitMs: Math.round(waitMs) }, 'the venue ended a subscription')
    if (sid !== null) this.connection?.end(sid)
    if (sid !== null && sid === this.lifecycleSid) {
      this.lifecycleSid = null
      this.options.onLifecycleLost()
      this.later(waitMs, () => this.subscribeLifecycle())
      return
    }
    this.bookSid = null
    this.gap = null
    this.watch.clear()
    for (const slot of this.slots.values()) table.raise(slot, 'awaiting_snapshot')
    this.later(waitMs, () => this.subscribe([...this.slots.keys()]))
  }

  private splitSmaller({ tickers = [] }: Command): void {
    if (tickers.length > 1) {
      this.chunkSize = Math.ceil(tickers.length / 2)
      this.subscribe(tickers.filter((one) => this.slots.has(one)))
    } else this.options.log.warn({ tickers }, 'the venue takes no more markets on a subscription')
  }

  private later(waitMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      act()
    }, waitMs)
    this.timers.add(timer)
  }
}
