import type { FastifyBaseLogger } from 'fastify'
import type { BookTable } from '../integrity/book-table.ts'
import type { Command, Commands } from './commands.ts'
import { SnapshotWatch } from './snapshot-watch.ts'
import { CHANNELS, chunksOf } from './urls.ts'

export interface BookSubscriptionOptions {
  table: BookTable
  commands: Commands
  snapshotTimeoutMs: number
  /** After a gap all books should be whole again within this time, twice: by snapshots, then by a new subscription. */
  gapTimeoutMs: number
  /** Nothing else made the books whole: the connection must go. */
  onHopeless: (reason: string) => void
  log: Pick<FastifyBaseLogger, 'warn'>
  /** Never jumps: for durations only. */
  steadyNow: () => number
}

interface Gap {
  /** Books that were whole before. */
  readonly slots: Set<number>
  sinceMs: number
  isResubscribed: boolean
}

/** Public clients use 256 or 400; the venue's limit is not published and halves this when met, for a connection. */
const MARKETS_PER_COMMAND = 256
/** Down to this: only what was refused itself is halved further. */
const MIN_MARKETS_PER_COMMAND = 25
/** Strays make all books anew at most this often, and half as often each time while they go on. */
const STRAY_PAUSE_MS = 60_000
const STRAY_PAUSE_CAP_MS = 600_000

/**
 * The one subscription that carries all books of a connection: which markets are on it, and how a book that became
 * doubtful becomes whole again.
 */
export class BookSubscription {
  private readonly options: BookSubscriptionOptions
  private readonly watch: SnapshotWatch
  private readonly slotOf = new Map<string, number>()
  private readonly tickerOf = new Map<number, string>()
  private isOpen = false
  private sid: number | null = null
  private gap: Gap | null = null
  private hasStray = false
  private strayMendedAtMs = Number.NEGATIVE_INFINITY
  private strayPauseMs = STRAY_PAUSE_MS
  /** Markets that went while the first subscription was on its way: they are on it, and are taken off once it is there. */
  private readonly left = new Set<string>()
  private chunkSize = MARKETS_PER_COMMAND
  /** The venue refused even one market more. */
  private isFull = false
  /** Markets that are not subscribed because of that. */
  private readonly refused = new Set<string>()

  constructor(options: BookSubscriptionOptions) {
    this.options = options
    this.watch = new SnapshotWatch({ table: options.table, timeoutMs: options.snapshotTimeoutMs })
  }

  get size(): number {
    return this.slotOf.size
  }

  /** True when every subscribed book has had its first snapshot, or its time for one. */
  get isSettled(): boolean {
    return this.isOpen && this.watch.isSettled
  }

  /** Subscribed markets for which no snapshot could be had. */
  get overdue(): number {
    return this.watch.overdue
  }

  /** Markets that the venue would not take because the subscription is full. */
  get tooMany(): number {
    return this.refused.size
  }

  slots(): IterableIterator<number> {
    return this.tickerOf.keys()
  }

  tickerAt(slot: number): string | undefined {
    return this.tickerOf.get(slot)
  }

  follow(markets: readonly { ticker: string; slot: number }[]): void {
    for (const { ticker, slot } of markets) {
      this.slotOf.set(ticker, slot)
      this.tickerOf.set(slot, ticker)
      this.options.table.setSource(slot, 'websocket')
    }
    if (this.isOpen) this.subscribe(markets.map(({ ticker }) => ticker))
  }

  unfollow(tickers: readonly string[]): void {
    const gone = tickers.filter((ticker) => this.slotOf.has(ticker))
    for (const ticker of gone) {
      const slot = this.slotOf.get(ticker) as number
      if (this.tickerOf.get(slot) === ticker) this.tickerOf.delete(slot)
      this.slotOf.delete(ticker)
      this.watch.forget(ticker)
    }
    const subscribed = gone.filter((ticker) => !this.refused.delete(ticker))
    if (this.sid === null) {
      if (this.isOpen) for (const ticker of subscribed) this.left.add(ticker)
      return
    }
    this.update('delete_markets', subscribed)
    this.refill(subscribed.length)
  }

  /** Subscribes all markets on a new connection; the books wait for their snapshots. */
  open(): void {
    this.isOpen = true
    this.await()
    for (const slot of this.slots()) this.options.table.clear(slot, 'disconnected')
    this.subscribe([...this.slotOf.keys()])
  }

  /** From now on the books are those of another table, in the same slots. */
  moveTo(table: BookTable): void {
    this.options.table = table
    this.watch.moveTo(table)
  }

  /** The connection is gone. */
  close(): void {
    this.isOpen = false
    this.forget()
  }

  /** The venue answered with the `sid` that the books come on. */
  opened(sid: number): void {
    this.sid = sid
    const left = [...this.left].filter((ticker) => !this.slotOf.has(ticker))
    this.left.clear()
    this.update('delete_markets', left)
  }

  /** The venue does not know the `sid` that we named. */
  unknown(): void {
    this.sid = null
  }

  /** The venue ended the subscription: the books wait until it is opened `again`. */
  ended(): void {
    this.forget()
    this.await()
  }

  again(): void {
    this.subscribe([...this.slotOf.keys()])
  }

  /** A number was skipped: these books are doubtful. */
  lost(slots: Iterable<number>): void {
    this.gap ??= { slots: new Set(), sinceMs: this.options.steadyNow(), isResubscribed: false }
    for (const slot of slots) {
      this.need(slot)
      // One that never had a snapshot has its own steps: the connection is not to blame for it.
      if (!this.options.table.verdicts.has(slot, 'awaiting_snapshot')) this.gap.slots.add(slot)
    }
  }

  /**
   * One of the books lacks a change that came under another name, and no number tells which. Returns false while one
   * before is not mended: this is the same trouble.
   */
  stray(): boolean {
    const isNew = !this.hasStray
    this.hasStray = true
    this.mendStray(this.options.steadyNow())
    return isNew
  }

  /** This book is doubtful. */
  need(slot: number): void {
    const ticker = this.tickerOf.get(slot)
    if (ticker !== undefined && this.isOpen && !this.refused.has(ticker))
      this.watch.need(ticker, slot, this.options.steadyNow())
  }

  /** This doubtful book's snapshots were useless so far; from now on they count. */
  needAfresh(slot: number): void {
    const ticker = this.tickerOf.get(slot)
    if (ticker !== undefined && this.isOpen && !this.refused.has(ticker))
      this.watch.needAfresh(ticker, slot, this.options.steadyNow())
  }

  /** This book was proven wrong: its market is taken off the subscription and put on again. */
  renew(slot: number): void {
    const ticker = this.tickerOf.get(slot)
    if (ticker !== undefined && this.isOpen && !this.refused.has(ticker))
      this.watch.renew(ticker, slot, this.options.steadyNow())
  }

  /** Does what is due. */
  tick(): void {
    const { steadyNow, log } = this.options
    const nowMs = steadyNow()
    this.mendGap(nowMs)
    this.mendStray(nowMs)
    const { ask, resubscribe, report } = this.watch.take(nowMs)
    // Without a `sid` no snapshot can be asked for: subscribing once more brings one.
    if (this.sid === null) this.subscribe([...ask, ...resubscribe])
    else {
      this.update('get_snapshot', ask)
      // Answers come in any order, so the market is put back only when it is known to be off.
      for (const chunk of chunksOf(resubscribe, this.chunkSize)) {
        this.await(chunk)
        this.update('delete_markets', chunk, () => this.subscribe(this.still(chunk)))
      }
    }
    if (report.length > 0)
      log.warn({ markets: report.length, first: report[0] }, 'no snapshot came, in any way')
  }

  /** The venue takes fewer markets at once than this command had; where it takes no single one more, it is full. */
  splitSmaller({ tickers = [] }: Command): void {
    const wanted = this.still(tickers)
    if (this.isFull || tickers.length === 1) {
      this.isFull = true
      for (const ticker of wanted) {
        this.refused.add(ticker)
        this.watch.forget(ticker)
      }
      this.options.log.warn({ markets: wanted.length }, 'the venue takes no more markets on a subscription')
      return
    }
    const half = Math.ceil(tickers.length / 2)
    this.chunkSize = Math.min(this.chunkSize, Math.max(half, MIN_MARKETS_PER_COMMAND))
    this.subscribe(wanted, half)
  }

  /** So many markets went: as many of those that were refused may come. */
  private refill(places: number): void {
    const next = [...this.refused].slice(0, places)
    if (next.length === 0) return
    this.isFull = false
    for (const ticker of next) this.refused.delete(ticker)
    this.subscribe(next)
  }

  private forget(): void {
    this.sid = null
    this.gap = null
    this.hasStray = false
    this.chunkSize = MARKETS_PER_COMMAND
    this.isFull = false
    this.refused.clear()
    this.left.clear()
    this.watch.clear()
  }

  /** While nothing is subscribed changes are lost: what these books hold is no base for the next one. */
  private await(tickers: Iterable<string> = this.slotOf.keys()): void {
    for (const ticker of tickers) {
      const slot = this.slotOf.get(ticker)
      if (slot !== undefined) this.options.table.raise(slot, 'awaiting_snapshot')
    }
  }

  /** All books are taken anew, but not for each of many. */
  private mendStray(nowMs: number): void {
    const { table } = this.options
    const pausedMs = nowMs - this.strayMendedAtMs
    if (!this.hasStray || !this.isOpen || pausedMs < this.strayPauseMs) return
    const isOngoing = pausedMs < 2 * this.strayPauseMs
    this.strayPauseMs = isOngoing ? Math.min(2 * this.strayPauseMs, STRAY_PAUSE_CAP_MS) : STRAY_PAUSE_MS
    this.hasStray = false
    this.strayMendedAtMs = nowMs
    const whole = [...this.slots()].filter((slot) => !table.verdicts.has(slot, 'awaiting_snapshot'))
    for (const slot of whole) table.raise(slot, 'sequence_gap')
    this.lost(whole)
  }

  /** Snapshots first, then a new subscription, then a new connection. */
  private mendGap(nowMs: number): void {
    const { gap } = this
    if (gap === null) return
    const { table, gapTimeoutMs, onHopeless } = this.options
    // One that has healed is over, so that the next has its own time.
    const isOpen = (slot: number) => this.tickerOf.has(slot) && table.verdicts.has(slot, 'sequence_gap')
    if (![...gap.slots].some(isOpen)) this.gap = null
    else if (nowMs - gap.sinceMs < gapTimeoutMs) return
    else if (gap.isResubscribed) onHopeless('books stayed incomplete after a gap')
    else this.resubscribe(nowMs, gap.slots)
  }

  private resubscribe(nowMs: number, slots: Set<number>): void {
    const { sid } = this
    this.forget()
    this.await()
    this.gap = { slots, sinceMs: nowMs, isResubscribed: true }
    if (sid === null) this.again()
    else
      this.options.commands.run({
        cmd: 'unsubscribe',
        params: { sids: [sid] },
        purpose: 'other',
        onAnswer: () => this.again()
      })
  }

  private subscribe(tickers: readonly string[], chunkSize = this.chunkSize): void {
    const nowMs = this.options.steadyNow()
    // A snapshot that was under way may have come after the market was off.
    this.await(tickers)
    for (const ticker of tickers) {
      const slot = this.slotOf.get(ticker)
      if (slot !== undefined) this.watch.expect(ticker, slot, nowMs)
    }
    if (this.sid !== null) {
      this.update('add_markets', tickers, () => {}, chunkSize)
      return
    }
    for (const chunk of chunksOf(tickers, chunkSize))
      this.options.commands.run({
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

  private update(
    action: 'add_markets' | 'delete_markets' | 'get_snapshot',
    tickers: readonly string[],
    onAnswer: () => void = () => {},
    chunkSize = this.chunkSize
  ): void {
    for (const chunk of chunksOf(tickers, chunkSize))
      this.options.commands.run({
        cmd: 'update_subscription',
        params: { sids: [this.sid], action, market_tickers: chunk },
        purpose: 'other',
        onAnswer,
        ...(action === 'add_markets' ? { tickers: chunk } : {})
      })
  }

  private still(tickers: readonly string[]): string[] {
    return tickers.filter((ticker) => this.slotOf.has(ticker))
  }
}
