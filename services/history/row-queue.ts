import type { FastifyBaseLogger } from 'fastify'
import { HistoryUnavailableError } from '../errors.ts'
import { backoffMs } from '../venue/backoff.ts'
import type {
  CoverageRecord,
  GapRecord,
  HistoryStore,
  MarketMetaRecord,
  RecyclerRunRecord,
  SessionRecord,
  SnapshotRecord,
  TradeRecord
} from './records.ts'
import { StandingRows } from './standing-rows.ts'
import { type Loss, WaitingRows } from './waiting-rows.ts'
import { type Batch, describe, writeBatch } from './write-batch.ts'

/** Rows a statement writes at most. */
export const BATCH_ROWS = 500
/** Coverage rows that wait above which intervals are merged. */
const COVERAGE_PRESSED = 50_000
const RETRY_MIN_MS = 20
const RETRY_BASE_MS = 100
const RETRY_CAP_MS = 5_000
/** A single row that the database refuses so often, while it answers, will never be taken. */
const REFUSALS_MAX = 3

export interface RowQueueOptions {
  history: Promise<HistoryStore>
  /** Asked once the database is open, before the first write; asked again if it fails. */
  prepare: (history: HistoryStore) => Promise<void>
  /** Snapshots and trades that may wait. */
  max: number
  /** The run's row, with everything before `recordedToMs` written, by our clock. */
  session: (recordedToMs: number) => SessionRecord
  onLost: (marketId: string, atMs: number, how: Loss) => void
  /** The database went away, or answers again; both by our clock. */
  onAway: (atMs: number) => void
  onBack: (atMs: number) => void
  /** Rows were written: how many still wait. */
  onProgress: (waiting: number) => void
  now: () => number
  steadyNow: () => number
  random: () => number
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
}

export interface RowQueueStatus {
  state: 'opening' | 'well' | 'away' | 'stopped'
  waiting: number
  /** Age of the oldest waiting row. */
  lagMs: number
  written: number
  /** Snapshots whose place a newer one of their market took. */
  conflated: number
  dropped: number
  failures: number
  lastError: string | null
}

/**
 * Rows on their way to the database: adding waits for nothing, writing goes on in the background, one batch at a time.
 * A batch leaves when it is full or at the next `flush`; while the database is away rows wait, and are bounded.
 */
export class RowQueue {
  private readonly options: RowQueueOptions
  private readonly waiting: WaitingRows
  private readonly standing = new StandingRows()
  private state: RowQueueStatus['state'] = 'opening'
  private isStopping = false
  private readonly counts = { written: 0, conflated: 0, dropped: 0, failures: 0 }
  private lastError: string | null = null
  private history: HistoryStore | null = null
  private running: Promise<void> | null = null
  /** Everything that came up to here is to be written without waiting for more. */
  private flushTo = Number.NEGATIVE_INFINITY
  private beat: 'none' | 'due' | 'overdue' = 'none'
  /** What is being written; null while that is the session. */
  private inFlight: Batch | null = null
  private failuresInRow = 0
  private refusals = 0
  private batchRows = BATCH_ROWS
  private wake: () => void = () => {}
  private settled: (() => void)[] = []

  constructor(options: RowQueueOptions) {
    this.options = options
    this.waiting = new WaitingRows({
      max: options.max,
      onLost: (marketId, atMs, how) => this.lost(marketId, atMs, how)
    })
  }

  addSnapshot(row: SnapshotRecord): void {
    this.waiting.addSnapshot(row, this.options.steadyNow())
    if (this.waiting.size >= BATCH_ROWS) this.run()
  }

  addTrade(row: TradeRecord): void {
    this.waiting.addTrade(row, this.options.steadyNow())
    if (this.waiting.size >= BATCH_ROWS) this.run()
  }

  /** Inserts, or takes the place of a waiting one with its id. */
  addGap(row: GapRecord): void {
    this.standing.addGap(row)
  }

  addCoverage(row: CoverageRecord): void {
    this.standing.addCoverage(row, this.options.steadyNow())
  }

  addMarket(row: MarketMetaRecord): void {
    this.standing.addMarket(row, this.options.steadyNow())
  }

  addRecyclerRun(row: RecyclerRunRecord): void {
    this.standing.addRecyclerRun(row, this.options.steadyNow())
  }

  /** True while so much coverage waits that it should be told more coarsely. */
  get isPressed(): boolean {
    return this.standing.coverageSize >= COVERAGE_PRESSED
  }

  /** Our clock up to which everything that was added is written. */
  get recordedToMs(): number {
    return Math.floor(this.options.now() - this.lagMs)
  }

  /** Writes all that waits and then the session's sign of life. Resolves when that is done, or the database is away. */
  flush(): Promise<void> {
    if (this.state === 'stopped') return Promise.resolve()
    this.flushTo = this.options.steadyNow()
    this.beat = this.beat === 'none' ? 'due' : 'overdue'
    const done = new Promise<void>((resolve) => this.settled.push(resolve))
    this.run()
    if (this.state === 'away') this.settle()
    return done
  }

  /** From now on a database that is away is no news: there is no later in which it could be back. */
  beginStop(): void {
    this.isStopping = true
  }

  /** Writes what waits for at most `timeoutMs`, then nothing more; resolves to whether everything was written. */
  async stop(last: () => SessionRecord, timeoutMs: number): Promise<boolean> {
    this.beginStop()
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref())
    await Promise.race([this.flush(), timeout])
    const isWhole =
      this.history !== null && this.state === 'well' && this.waiting.size + this.standing.size === 0
    this.state = 'stopped'
    this.wake()
    if (!isWhole || this.history === null) return false
    const ended = this.history.writeSession(last()).then(
      () => true,
      () => false
    )
    return Promise.race([ended, timeout.then(() => false)])
  }

  status(): RowQueueStatus {
    const waiting = this.waiting.size + this.standing.size
    return { state: this.state, waiting, lagMs: this.lagMs, ...this.counts, lastError: this.lastError }
  }

  private get lagMs(): number {
    const oldest = [this.waiting.oldestAt, this.standing.oldestAt].filter((at) => !Number.isNaN(at))
    return oldest.length === 0 ? 0 : Math.max(0, this.options.steadyNow() - Math.min(...oldest))
  }

  private run(): void {
    if (this.running !== null || this.state === 'stopped') return
    this.running = this.work().finally(() => {
      this.running = null
      this.settle()
    })
  }

  private settle(): void {
    const settled = this.settled
    this.settled = []
    for (const resolve of settled) resolve()
  }

  private async work(): Promise<void> {
    while (this.state !== 'stopped' && (this.history === null || this.beat !== 'none' || this.isDue())) {
      try {
        if (this.history === null) await this.open()
        else await this.writeNext(this.history)
      } catch (error) {
        await this.failed(error)
      }
    }
  }

  private isDue(): boolean {
    return this.waiting.size >= BATCH_ROWS || this.standing.size >= BATCH_ROWS || this.hasFlushed()
  }

  /** True while something waits that came before the last `flush`. */
  private hasFlushed(): boolean {
    return this.waiting.oldestAt <= this.flushTo || this.standing.oldestAt <= this.flushTo
  }

  private async open(): Promise<void> {
    const history = await this.options.history
    await this.options.prepare(history)
    this.history = history
    this.succeeded()
  }

  private async writeNext(history: HistoryStore): Promise<void> {
    const isMoreFirst = this.beat !== 'overdue' && (this.standing.size > 0 || this.isDue())
    if (this.beat !== 'none' && !isMoreFirst) {
      this.inFlight = null
      await history.writeSession(this.options.session(this.recordedToMs))
      this.beat = 'none'
      this.succeeded()
      return
    }
    this.inFlight = this.standing.claim(this.batchRows) ?? this.waiting.claim(this.batchRows)
    if (this.inFlight === null) return
    await writeBatch(history, this.inFlight)
    this.counts.written += this.inFlight.rows.length
    this.finish(this.inFlight)
    this.succeeded()
    this.options.onProgress(this.waiting.size)
  }

  private finish(batch: Batch): void {
    if (batch.kind === 'snapshots' || batch.kind === 'trades') this.waiting.finish(batch)
    else this.standing.finish(batch)
  }

  private succeeded(): void {
    this.failuresInRow = 0
    this.refusals = 0
    this.batchRows = Math.min(BATCH_ROWS, this.batchRows * 2)
    if (this.state === 'away') this.options.onBack(this.options.now())
    if (this.state !== 'stopped') this.state = 'well'
  }

  private async failed(error: unknown): Promise<void> {
    this.counts.failures++
    this.lastError = describe(error)
    const isRefusal = this.history !== null && !(error instanceof HistoryUnavailableError)
    if (isRefusal) this.refused(this.inFlight)
    else if (this.state === 'well' || this.state === 'opening') {
      this.state = 'away'
      if (!this.isStopping) this.tellAway()
    }
    this.waiting.release()
    if (!isRefusal) this.settle()
    const { random } = this.options
    await this.pause(RETRY_MIN_MS + backoffMs(this.failuresInRow++, RETRY_BASE_MS, RETRY_CAP_MS, random))
  }

  private tellAway(): void {
    this.options.onAway(this.options.now())
    this.options.log.warn({ error: this.lastError }, 'history cannot be written for now')
  }

  /** A database that answers and refuses a batch refuses a row of it: ever smaller batches find which. */
  private refused(batch: Batch | null): void {
    if (batch === null) this.beat = 'none'
    else if (batch.rows.length > 1) this.batchRows = Math.ceil(batch.rows.length / 4)
    else if (++this.refusals === REFUSALS_MAX) this.giveUp(batch)
  }

  private giveUp(batch: Batch): void {
    this.refusals = 0
    this.finish(batch)
    this.options.log.warn(
      { kind: batch.kind, rows: batch.rows, error: this.lastError },
      'refused by the database'
    )
    if (batch.kind === 'snapshots' || batch.kind === 'trades') {
      for (const { marketId, atMs } of batch.rows) this.lost(marketId, atMs, 'dropped')
    } else this.counts.dropped++
  }

  private lost(marketId: string, atMs: number, how: Loss): void {
    this.counts[how]++
    this.options.onLost(marketId, atMs, how)
  }

  private async pause(ms: number): Promise<void> {
    if (this.state === 'stopped') return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      timer.unref()
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
