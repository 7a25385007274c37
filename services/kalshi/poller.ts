import type { FastifyBaseLogger } from 'fastify'
import { VenueRestError } from '../errors.ts'
import type { BookTable } from '../integrity/book-table.ts'
import type { ServedMarket } from '../venue/catalogue.ts'
import type { Counters } from '../venue/counters.ts'
import type { HistoryTaps } from '../venue/wire-tap.ts'
import { PolledBooks } from './polled-books.ts'
import type { KalshiRest } from './rest.ts'
import { chunksOf, TICKERS_PER_REQUEST } from './urls.ts'

export interface KalshiPollerOptions {
  rest: KalshiRest
  table: BookTable
  counters: Counters
  /** The markets to poll now. */
  markets: () => Iterable<ServedMarket>
  /** Whether a market is still polled and still has its slot. */
  holds: (market: ServedMarket) => boolean
  /** A book came in a form that is not understood; called again only after one that is. */
  onDrift: (market: ServedMarket, book: unknown) => void
  /** A book was read over REST; the lists are reused after the call. */
  onPolled?: HistoryTaps['onPolled']
  /** A book that was read over REST changed what is served; `book` is as the venue gave it. */
  onTaken?: (market: ServedMarket, book: unknown, receivedAtMs: number) => void
  /** Books are overdue from now on; the longest overdue was read last at `heardAtMs`, our clock. */
  onOverdue?: (slots: readonly number[], heardAtMs: number) => void
  intervalMs: number
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  now?: () => number
  /** Never jumps: for durations only. */
  steadyNow?: () => number
}

/** Requests under way at once; the pace is kept by the REST client. */
const WORKERS = 4
const CHECK_EVERY_MS = 1_000
/** A round over no markets is not repeated at once. */
const MIN_ROUND_MS = 250

/**
 * Keeps books by asking for them, one round after the other, busiest markets first. What cannot be had in time is
 * flagged: a book older than three intervals, or than two rounds where a round takes longer.
 */
export class KalshiPoller {
  private readonly options: Required<KalshiPollerOptions>
  private readonly books: PolledBooks
  private readonly polledAtMs = new Map<number, number>()
  private stopping = new AbortController()
  private running: Promise<void> | null = null
  private overdueTimer: NodeJS.Timeout | null = null
  /** Whether the venue may serve books in batches to us. */
  private hasBatches = true
  private lastRoundMs = 0
  private hadRound = false
  /** The round under way: when it began, its books, and those that it has had. */
  private round = { startedAtMs: 0, books: 0, taken: 0, expectedMs: 0 }
  /** Slots that were asked for at least once, with or without success. */
  private readonly asked = new Set<number>()

  constructor(options: KalshiPollerOptions) {
    this.options = {
      onPolled: () => {},
      onTaken: () => {},
      onOverdue: () => {},
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      ...options
    }
    this.books = new PolledBooks(options.table)
  }

  /** True once every market has been asked for, those aside that came while the first round was under way. */
  get isSettled(): boolean {
    if (this.hadRound) return true
    for (const { slot } of this.options.markets()) if (!this.asked.has(slot)) return false
    return true
  }

  /** Starts, or starts again. */
  start(): void {
    this.stopping = new AbortController()
    this.overdueTimer = setInterval(() => this.flagOverdue(), CHECK_EVERY_MS)
    this.running = this.run()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    if (this.overdueTimer !== null) clearInterval(this.overdueTimer)
    this.overdueTimer = null
    await this.running
  }

  private async run(): Promise<void> {
    const { steadyNow, intervalMs, markets } = this.options
    while (!this.stopping.signal.aborted) {
      const startedAtMs = steadyNow()
      const queue = [...markets()].sort((a, b) => volumeOf(b) - volumeOf(a))
      this.forgetOthers(queue)
      this.round = { startedAtMs, books: queue.length, taken: 0, expectedMs: 0 }
      if (this.hasBatches) await this.batchRound(queue)
      if (!this.hasBatches) await this.singleRound(queue)
      this.lastRoundMs = steadyNow() - startedAtMs
      this.hadRound ||= queue.length > 0
      // Before the first discovery there is nothing to poll, and after it nothing to wait for.
      await this.pause(queue.length === 0 ? MIN_ROUND_MS : Math.max(intervalMs - this.lastRoundMs, 1))
    }
  }

  /**
   * The batch endpoint asks for a key by its specification. It is tried, and left for good when it fails in a way
   * that asking again does not mend.
   */
  private async batchRound(queue: readonly ServedMarket[]): Promise<void> {
    for (const chunk of chunksOf(queue, TICKERS_PER_REQUEST)) {
      if (this.stopping.signal.aborted) return
      try {
        const found = await this.options.rest.orderBooks(chunk.map(({ market }) => market.symbol))
        for (const served of chunk) {
          const book = found.get(served.market.symbol)
          if (book !== undefined) this.take(served, book)
        }
      } catch (error) {
        if (error instanceof VenueRestError && !error.retryable) {
          this.hasBatches = false
          return
        }
        this.failed(error)
      }
      for (const { slot } of chunk) this.asked.add(slot)
    }
  }

  private async singleRound(queue: readonly ServedMarket[]): Promise<void> {
    const rest = queue.values()
    const work = async () => {
      for (const served of rest) {
        if (this.stopping.signal.aborted) return
        try {
          this.take(served, await this.options.rest.orderBook(served.market.symbol))
        } catch (error) {
          this.failed(error)
        }
        this.asked.add(served.slot)
      }
    }
    await Promise.all(Array.from({ length: WORKERS }, work))
  }

  private take(served: ServedMarket, book: unknown): void {
    const { counters, now, steadyNow, holds, onDrift, onPolled, onTaken, table } = this.options
    const { slot } = served
    // While the answer was under way the market may have gone, and its slot to another.
    if (!holds(served)) return
    counters.frames++
    const isKnown = table.verdicts.has(slot, 'drift')
    const receivedAtMs = now()
    const version = table.versions[slot]
    const result = this.books.apply(slot, book, receivedAtMs)
    if (table.versions[slot] !== version) onTaken(served, book, receivedAtMs)
    if (result === 'drift' && !isKnown) onDrift(served, book)
    if (result === 'changed') counters.applied++
    else counters.ignore(result === 'same' ? 'unchanged' : result)
    if (result !== 'changed' && result !== 'same') return
    onPolled(slot, receivedAtMs, this.books.yes, this.books.no)
    const nowMs = steadyNow()
    this.polledAtMs.set(slot, nowMs)
    const { round } = this
    round.taken++
    round.expectedMs = ((nowMs - round.startedAtMs) * round.books) / round.taken
  }

  private failed(error: unknown): void {
    if (!(error instanceof VenueRestError) && !this.stopping.signal.aborted)
      this.options.log.warn({ error: String(error) }, 'a book could not be polled')
  }

  private flagOverdue(): void {
    const { now, steadyNow, markets, intervalMs, table, onOverdue } = this.options
    // The pace of the books that came tells how long a round takes; where none come, it tells no more.
    const roundMs = Math.max(this.lastRoundMs, this.round.expectedMs)
    const nowMs = steadyNow()
    const oldest = nowMs - Math.max(3 * intervalMs, 2 * roundMs)
    const overdue: number[] = []
    let heardMs = oldest
    for (const { slot } of markets()) {
      const polledAtMs = this.polledAtMs.get(slot)
      if (polledAtMs === undefined || polledAtMs >= oldest || table.verdicts.has(slot, 'poll_overdue'))
        continue
      heardMs = Math.min(heardMs, polledAtMs)
      overdue.push(slot)
      table.raise(slot, 'poll_overdue')
    }
    if (overdue.length > 0) onOverdue(overdue, now() - Math.round(nowMs - heardMs))
  }

  private forgetOthers(queue: readonly ServedMarket[]): void {
    const slots = new Set(queue.map(({ slot }) => slot))
    for (const slot of this.polledAtMs.keys()) if (!slots.has(slot)) this.polledAtMs.delete(slot)
    for (const slot of this.asked) if (!slots.has(slot)) this.asked.delete(slot)
  }

  private pause(ms: number): Promise<void> {
    const { signal } = this.stopping
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
    })
  }
}

/** Only an order: a double is enough to rank volumes. */
function volumeOf({ market }: ServedMarket): number {
  return Number(market.volume24h ?? -1)
}
