import type { FastifyBaseLogger } from 'fastify'
import { VenueRestError } from '../errors.ts'
import type { AuditStatus } from '../integrity/audit-tally.ts'
import { Auditor, type TakeRead } from '../integrity/auditor.ts'
import type { BookTable } from '../integrity/book-table.ts'
import type { Incidents } from '../integrity/incidents.ts'
import { type LiveConnection, Liveness, type LivenessStatus } from '../integrity/liveness.ts'
import { SidePolls } from '../integrity/side-polls.ts'
import { LevelList } from '../orderbook/levels.ts'
import type { IndependentReads } from '../venue/handover-differences.ts'
import { RecycleLimit } from '../venue/recycle-limit.ts'
import type { HistoryTaps } from '../venue/wire-tap.ts'
import { parseSnapshot } from './parse.ts'
import { marketId } from './parse-market.ts'
import type { KalshiRest } from './rest.ts'
import { TICKERS_PER_REQUEST } from './urls.ts'

/** The stream in what audits need of it. */
export interface AuditedStream {
  /** Null while it is not open. */
  live(): LiveConnection | null
  tickerOf(slot: number): string | undefined
  /** Books that it keeps. */
  slots(): Iterable<number>
  /** Takes this book's market off the subscription and puts it on again. */
  renew(slot: number): void
  /** Cuts the connection and dials again. */
  drop(reason: string): void
}

export interface KalshiAuditsOptions {
  table: BookTable
  rest: Pick<KalshiRest, 'orderBook' | 'orderBooks' | 'hasRoom'>
  /** The stream that keeps the books; null while they are polled, for a polled book is what REST says. */
  stream: () => AuditedStream | null
  incidents: Incidents
  /** Called with each book that was read, before it is compared; null: nobody is told. */
  onPolled?: HistoryTaps['onPolled'] | null
  /** A book was proven wrong, for the `attempt`th time in a row. */
  onWrong?: (slot: number, attempt: number) => void
  periodMs: number
  /** Between two rounds over the streamed books beside the stream. */
  pollIntervalMs: number
  log: Pick<FastifyBaseLogger, 'warn'>
  now: () => number
  steadyNow: () => number
  random: () => number
}

/** A book that was proven wrong so often in a row stayed so although its market was subscribed anew. */
const RECYCLE_AT_ATTEMPT = 2
const CONNECTION = 'kalshi'
/** Where there are no batches, one book each half second: half of what is served without a key. */
const SINGLE = 1
/** What the venue answers, without a book in it, where a market has none. */
const NO_BOOK: ReadonlySet<number> = new Set([200, 404])
/** Batches that were refused are asked for again after this: a key may have come to be taken again. */
const NO_BATCHES_MS = 600_000

/** Reads Kalshi's streamed books over REST beside the stream, proves them by that, and tells quiet markets from dead ones. */
export class KalshiAudits {
  private readonly options: KalshiAuditsOptions
  private readonly auditor: Auditor
  private readonly liveness: Liveness
  private readonly polls: SidePolls
  private readonly yes = new LevelList()
  private readonly no = new LevelList()
  /** The batch endpoint asks for a key by its specification. */
  private batchesAgainAtMs = Number.NEGATIVE_INFINITY
  private readonly limit: RecycleLimit

  constructor(options: KalshiAuditsOptions) {
    this.options = options
    const { table, rest, stream, incidents, periodMs, pollIntervalMs, now, steadyNow, random } = options
    this.limit = new RecycleLimit(steadyNow)
    const shared = { venue: 'kalshi', table, incidents, steadyNow }
    const slots = () => stream()?.slots() ?? []
    this.auditor = new Auditor({
      ...shared,
      slots,
      marketId: (slot) => {
        const ticker = stream()?.tickerOf(slot)
        return ticker === undefined ? null : marketId(ticker)
      },
      read: (slots, take) => this.read(slots, take),
      booksPerRead: () => this.booksPerRead(),
      periodMs,
      repair: (slot, attempt) => this.repair(slot, attempt),
      now,
      random
    })
    this.polls = new SidePolls({
      ...this.reads,
      slots,
      compare: (...read) => this.auditor.polled(...read),
      hasRoom: () => rest.hasRoom,
      intervalMs: pollIntervalMs,
      steadyNow
    })
    this.liveness = new Liveness({
      ...shared,
      leadMs: this.auditor.leadMs,
      connections: () => {
        const live = stream()?.live() ?? null
        return live === null ? [] : [live]
      },
      audit: (slot, unchangedForMs, onDone) => this.auditor.urgent(slot, unchangedForMs, onDone),
      recycle: (key, reason) => {
        if (stream()?.live()?.key === key) this.recycle(reason)
      }
    })
  }

  start(): void {
    this.auditor.start()
    this.polls.start()
    this.liveness.start()
  }

  stop(): void {
    this.auditor.stop()
    this.polls.stop()
    this.liveness.stop()
  }

  status(): { audit: AuditStatus; liveness: LivenessStatus } {
    const audit = { ...this.auditor.status(), polls: this.polls.status() }
    return { audit, liveness: this.liveness.status() }
  }

  /** What audits read, for a handover that has to decide between two books of a market. */
  get reads(): IndependentReads {
    return {
      read: (slots, take) => this.read(slots, take),
      booksPerRead: () => this.booksPerRead(),
      leadMs: this.auditor.leadMs
    }
  }

  /** Milliseconds since a book was compared and not found wrong; null before the first time. */
  auditAgeMs(slot: number): number | null {
    return this.auditor.ageMs(slot)
  }

  private async read(slots: readonly number[], take: TakeRead): Promise<void> {
    const { rest, stream, steadyNow } = this.options
    const slotOf = new Map<string, number>()
    for (const slot of slots) {
      const ticker = stream()?.tickerOf(slot)
      if (ticker !== undefined) slotOf.set(ticker, slot)
    }
    if (slotOf.size === 0) return
    if (!this.hasBatches()) {
      for (const [ticker, slot] of slotOf) this.take(slot, ticker, await this.single(ticker), take)
      return
    }
    try {
      const books = await rest.orderBooks([...slotOf.keys()])
      for (const [ticker, slot] of slotOf) this.take(slot, ticker, books.get(ticker), take)
    } catch (error) {
      // Asking again at once does not mend what is refused.
      if (error instanceof VenueRestError && !error.retryable)
        this.batchesAgainAtMs = steadyNow() + NO_BATCHES_MS
      throw error
    }
  }

  /** Null where the venue has no book: asking once more does not bring one, and the others wait behind it. */
  private async single(ticker: string): Promise<unknown> {
    try {
      return await this.options.rest.orderBook(ticker)
    } catch (error) {
      if (error instanceof VenueRestError && NO_BOOK.has(error.status ?? 0) && !error.retryable) return null
      throw error
    }
  }

  private booksPerRead(): number {
    return this.hasBatches() ? TICKERS_PER_REQUEST : SINGLE
  }

  private hasBatches(): boolean {
    return this.options.steadyNow() >= this.batchesAgainAtMs
  }

  /** A book in a form that is not understood proves nothing: it counts as not read. */
  private take(slot: number, ticker: string, book: unknown, take: TakeRead): void {
    // While the answer was under way the market may have gone, and its slot to another.
    if (this.options.stream()?.tickerOf(slot) !== ticker) return
    if (parseSnapshot(book, false, this.yes, this.no) === null) return
    this.options.onPolled?.(slot, this.options.now(), this.yes, this.no)
    take(slot, this.yes, this.no)
  }

  /** A snapshot would make it right for a moment only, where its changes do not come. */
  private repair(slot: number, attempt: number): void {
    this.options.onWrong?.(slot, attempt)
    const stream = this.options.stream()
    const ticker = stream?.tickerOf(slot)
    if (stream === null || ticker === undefined) return
    stream.renew(slot)
    if (attempt >= RECYCLE_AT_ATTEMPT && this.limit.stayedWrong(CONNECTION, ticker))
      this.recycle('two books stayed wrong')
  }

  private recycle(reason: string): void {
    const { stream, incidents, log } = this.options
    incidents.note({ venue: 'kalshi', kind: 'connection_recycled', connection: CONNECTION, detail: reason })
    log.warn({ connection: CONNECTION, reason }, 'the connection is given up')
    stream()?.drop(reason)
  }
}
