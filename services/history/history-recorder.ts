import type { FastifyBaseLogger } from 'fastify'
import type { Venue } from '../../schemas/common.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { GapNote, TradeNote } from '../venue/wire-tap.ts'
import type { FetchCandles } from './candle-filler.ts'
import { CoverageTracker } from './coverage-tracker.ts'
import { type FetchTrades, GapFiller, type GapFillerStatus } from './gap-filler.ts'
import { GapLog } from './gap-log.ts'
import type { JournalHole } from './journal/record.ts'
import { LostRows } from './lost-rows.ts'
import { MarketMetaRecorder } from './market-meta.ts'
import { Recorder, SLICE_ROWS } from './recorder.ts'
import { journalGaps, StorageGap } from './recorder-gaps.ts'
import type { GapRecord, HistoryStore, RecyclerRunRecord, SnapshotCause } from './records.ts'
import { RowQueue, type RowQueueStatus } from './row-queue.ts'
import { Sessions } from './sessions.ts'
import type { PolledSide } from './snapshot-rows.ts'
import { StandstillWatch } from './standstill.ts'

const CHECK_MS = 1_000
const STOP_MAX_MS = 5_000
const GIVE_UP_AFTER_MS = 3_600_000

export interface HistoryRecorderOptions {
  store: SnapshotStore
  /** The database may take a while to open: rows wait for it. */
  history: HistoryStore | Promise<HistoryStore>
  /** What was recorded is written after this time at the latest, milliseconds. */
  flushMs: number
  /** Snapshots and trades that may wait. */
  queueMax: number
  gapFillIntervalMs: number
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  now: () => number
  steadyNow: () => number
  random: () => number
  fetchTrades?: FetchTrades | null
  fetchCandles?: FetchCandles | null
}

export interface HistoryRecorderStatus extends RowQueueStatus {
  sessionId: string
  /** Changes that no row was built of yet. */
  pending: number
  rows: Record<SnapshotCause, number>
  openGaps: number
  gapFiller: GapFillerStatus
}

/**
 * Records what the gateway serves: rows of books and trades, coverage, gaps and metadata, all of one run. What venues
 * and journals tell comes in through the methods named `on…`, which return at once and do not throw.
 */
export class HistoryRecorder {
  private readonly options: HistoryRecorderOptions
  private readonly sessions: Sessions
  private readonly queue: RowQueue
  private readonly recorder: Recorder
  private readonly coverage: CoverageTracker
  private readonly meta: MarketMetaRecorder
  private readonly gaps: GapLog
  private readonly filler: GapFiller
  private readonly losses: LostRows
  private readonly storageGap: StorageGap
  private standstills: StandstillWatch | null = null
  private lostWhileAway = 0
  private timers: NodeJS.Timeout[] = []
  private endWatch: (() => void) | null = null
  private stopping: Promise<number> | null = null

  constructor(options: HistoryRecorderOptions) {
    this.options = options
    const { store, now, steadyNow, random, log, queueMax: max } = options
    const history = Promise.resolve(options.history)
    // Whoever opens the database reports that; here its rejection shows as `away`.
    history.catch(() => {})
    const addGap = (gap: GapRecord) => this.queue.addGap(gap)
    this.sessions = new Sessions({ onGap: addGap, now })
    const sessionId = this.sessions.id
    this.losses = new LostRows({ sessionId, queueMax: max, write: addGap, now })
    this.storageGap = new StorageGap(addGap)
    this.queue = new RowQueue({
      history,
      prepare: (opened) => this.sessions.open(opened),
      max,
      session: (recordedToMs) => this.sessions.beat(recordedToMs),
      onLost: (marketId, atMs, how) => {
        this.lostWhileAway++
        this.losses.lost(marketId, atMs, how)
      },
      onAway: (atMs) => {
        this.lostWhileAway = 0
        this.storageGap.went(atMs)
      },
      onBack: (atMs) => this.storageGap.back(atMs, this.lostWhileAway),
      onProgress: (waiting) => this.losses.progress(waiting),
      now,
      steadyNow,
      random,
      log
    })
    this.meta = new MarketMetaRecorder({ store, write: (row) => this.queue.addMarket(row) })
    const onSlot = (slot: number, atMs: number) => this.meta.changed(slot, atMs)
    this.recorder = new Recorder({ store, rows: this.queue, onSlot, now, steadyNow })
    this.coverage = new CoverageTracker({
      store,
      sessionId,
      write: (row) => this.queue.addCoverage(row),
      isPressed: () => this.queue.isPressed
    })
    this.gaps = new GapLog({ store, sessionId, write: addGap })
    this.filler = new GapFiller({
      store,
      history,
      sessionId,
      startedAtMs: this.sessions.startedAtMs,
      write: addGap,
      addTrade: (trade) => this.queue.addTrade(trade),
      fetchTrades: options.fetchTrades ?? null,
      fetchCandles: options.fetchCandles ?? null,
      giveUpAfterMs: GIVE_UP_AFTER_MS,
      now,
      log
    })
  }

  get sessionId(): string {
    return this.sessions.id
  }

  /** Our clock up to which everything is in the database: the `nowMs` that `assembleCoverage` can answer for. */
  get recordedToMs(): number {
    return this.queue.recordedToMs
  }

  start(): void {
    const { store, now, steadyNow, flushMs, gapFillIntervalMs, log } = this.options
    const every = (ms: number, task: () => void) => this.timers.push(setInterval(task, ms).unref())
    this.endWatch = store.watchVerdicts((slot) => this.changed(slot, now()))
    this.recorder.start()
    this.standstills = new StandstillWatch({ onGap: (gap) => this.queue.addGap(gap), log, now, steadyNow })
    every(flushMs, () => {
      this.standstills?.beat()
      void this.queue.flush()
    })
    every(CHECK_MS, () => {
      this.standstills?.beat()
      this.gaps.check(now())
      this.coverage.refresh(now())
    })
    every(gapFillIntervalMs, () => void this.filler.run())
    void this.queue.flush()
    this.takeIn([...store.records()].map(({ slot }) => slot))
  }

  /**
   * Records the last of what happened, writes it within a bounded time, and ends the run in order if all is written.
   * Resolves to the rows that were not.
   */
  stop(): Promise<number> {
    this.stopping ??= this.end()
    return this.stopping
  }

  /** Resolves when everything recorded so far is written, or at once while the database is away. */
  async flush(): Promise<void> {
    // Who asks may be heard before the timers are.
    this.standstills?.beat()
    this.recorder.work()
    await this.queue.flush()
  }

  /** Looks at the gaps now rather than at the next interval. */
  fillGaps(): Promise<void> {
    return this.filler.run()
  }

  status(): HistoryRecorderStatus {
    return {
      ...this.queue.status(),
      sessionId: this.sessionId,
      pending: this.recorder.pending,
      rows: { ...this.recorder.counts },
      openGaps: this.gaps.size,
      gapFiller: this.filler.status()
    }
  }

  readonly onTrade = (trade: TradeNote): void => {
    if (this.stopping === null) this.recorder.trade(trade)
  }

  readonly onGap = (gap: GapNote): void => {
    if (this.stopping === null) this.gaps.note(gap)
  }

  readonly onPolled = (slot: number, receivedAtMs: number, yes: PolledSide, no: PolledSide): void => {
    if (this.stopping === null) this.recorder.polled(slot, receivedAtMs, yes, no)
  }

  /** `venue` null: the journal is of both. */
  readonly onJournalHole = (hole: JournalHole, venue: Venue | null): void => {
    for (const gap of journalGaps(hole, venue, this.options.now())) this.queue.addGap(gap)
  }

  readonly onRecyclerRun = (run: RecyclerRunRecord): void => {
    this.queue.addRecyclerRun(run)
  }

  private changed(slot: number, atMs: number): void {
    this.recorder.verdictChanged(slot, atMs)
    this.coverage.changed(slot, atMs)
    this.gaps.changed(slot, atMs)
  }

  /** Markets that were served before the start, in slices. */
  private takeIn(slots: number[]): void {
    if (this.stopping !== null) return
    const atMs = this.options.now()
    for (const slot of slots.slice(0, SLICE_ROWS)) {
      this.changed(slot, atMs)
      this.meta.changed(slot, atMs)
    }
    if (slots.length > SLICE_ROWS) setImmediate(() => this.takeIn(slots.slice(SLICE_ROWS)))
  }

  private async end(): Promise<number> {
    this.standstills?.beat()
    this.queue.beginStop()
    for (const timer of this.timers) clearInterval(timer)
    this.timers = []
    this.endWatch?.()
    await this.recorder.stop()
    const endedAtMs = this.options.now()
    this.gaps.stop(endedAtMs)
    this.losses.end()
    await this.queue.stop(() => this.sessions.end(endedAtMs), STOP_MAX_MS)
    return this.queue.status().waiting
  }
}
