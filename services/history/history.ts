import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import type { Venue } from '../../schemas/common.ts'
import type { Config } from '../../schemas/config.ts'
import type { RecyclerRun } from '../../schemas/recycler.ts'
import { BookUnknownError, HistoryUnavailableError } from '../errors.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { HistoryTaps } from '../venue/wire-tap.ts'
import { BOOKS, readBookLog } from './book-log/journal.ts'
import { assertNotLost } from './book-log/lost-log.ts'
import { BookLogReader } from './book-log/reader.ts'
import { BookLogWriter } from './book-log/writer.ts'
import type { FetchCandles } from './candle-filler.ts'
import type { FetchTrades } from './gap-filler.ts'
import { HistoryRecorder, type HistoryRecorderStatus } from './history-recorder.ts'
import type { JournalReader } from './journal/reader.ts'
import type { JournalHole } from './journal/record.ts'
import { JournalWriter, type JournalWriterStatus } from './journal/writer.ts'
import { JournalTap } from './journal-tap.ts'
import { MarketJournal } from './market-journal.ts'
import { Opening } from './opening.ts'
import { Pruner } from './pruner.ts'
import { provenSince } from './read/late-gaps.ts'
import type { BookAt, HistoryReader, RecordedCoverage } from './read/reader.ts'
import { readRecordedCoverage } from './read/recorded-coverage.ts'
import type { HistoryStore, TimeRange } from './records.ts'
import { assertDataDir, DATABASE_FOLDER, JOURNAL_FOLDER } from './storage/data-dir.ts'
import { lockDataDir } from './storage/data-dir-lock.ts'
import { currentState, type StateBytes } from './warm-file.ts'
import { loadWarmState, type WarmMarkets, WarmStateWriter } from './warm-state.ts'

export type HistorySettings = Pick<
  Config,
  | 'DATA_DIR'
  | 'DATABASE_URL'
  | 'HISTORY_FLUSH_MS'
  | 'HISTORY_QUEUE_MAX'
  | 'GAP_FILL_INTERVAL_MS'
  | 'JOURNAL_RETENTION_HOURS'
  | 'JOURNAL_MAX_MB'
  | 'SNAPSHOT_RETENTION_DAYS'
  | 'SNAPSHOT_THIN_AFTER_HOURS'
>

export interface HistoryOptions {
  store: SnapshotStore
  settings: HistorySettings
  venues: readonly Venue[]
  fetchTrades: FetchTrades
  fetchCandles: FetchCandles
  /** The markets that a venue's feed follows; null before it knows. */
  followed: (venue: Venue) => ReadonlyMap<string, unknown> | null
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>
  now?: () => number
  steadyNow?: () => number
  random?: () => number
}

export interface HistoryStatus {
  engine: HistoryStore['engine'] | null
  /** Why the database is not open; null once it is. */
  openError: string | null
  recorder: HistoryRecorderStatus
  journals: Record<string, JournalWriterStatus>
}

const MEGABYTE = 1_000_000
/** Of which the limit of the journals is made: only whole ones are deleted. */
const SEGMENTS_AT_LEAST = 32
const SEGMENT_BYTES_MAX = 128 << 20
const CLAIMS_EVERY_MS = 1_000

/**
 * Everything that is kept of what passes: the raw journals, the book log and the rows, and how all of it is read. The
 * database is opened in the background, over and over until it is: nothing waits for it but rows and readers.
 */
export class History implements HistoryReader {
  readonly taps: HistoryTaps
  private readonly options: Required<HistoryOptions>
  private readonly journals = new Map<string, JournalWriter>()
  private readonly markets: MarketJournal
  private readonly bookLog: BookLogWriter
  private readonly bookJournal: JournalReader
  private readonly books: BookLogReader
  private readonly recorder: HistoryRecorder
  private readonly warmWriter: WarmStateWriter
  private warm: WarmMarkets | null = null
  private claimTimer: NodeJS.Timeout | null = null
  private readonly unlock: () => void
  private readonly opening: Opening
  private readonly pruner: Pruner

  /** @throws {ConfigError} where another process records in that folder, or it cannot be written */
  constructor(options: HistoryOptions) {
    this.options = {
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      random: Math.random,
      ...options
    }
    const { store, settings, venues, fetchTrades, fetchCandles, log, now, steadyNow, random } = this.options
    const folder = this.journalFolder
    const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = settings
    const journals = ['.', BOOKS, ...venues].map((name) => join(JOURNAL_FOLDER, name))
    assertDataDir(dataDir, databaseUrl === '' ? [...journals, DATABASE_FOLDER] : journals)
    this.unlock = lockDataDir(dataDir, JOURNAL_FOLDER)
    this.opening = new Opening({ databaseUrl, dataDir, log, now, steadyNow })
    this.pruner = new Pruner({ folder, settings, opening: this.opening, log, now })
    const journal = (name: string, venue: Venue | null, onHole = () => {}) => {
      const writer = new JournalWriter({
        folder,
        name,
        flushMs: settings.HISTORY_FLUSH_MS,
        segmentBytes: Math.min(SEGMENT_BYTES_MAX, (settings.JOURNAL_MAX_MB * MEGABYTE) / SEGMENTS_AT_LEAST),
        onHole: (hole: JournalHole) => {
          this.recorder.onJournalHole(hole, venue)
          onHole()
        },
        log,
        now
      })
      this.journals.set(name, writer)
      return writer
    }
    for (const venue of venues) journal(venue, venue)
    // What lies behind a hole builds on nothing: all books are written whole again.
    const bookSink = journal(BOOKS, null, () => this.bookLog.checkpointAll())
    this.bookLog = new BookLogWriter({ store, sink: bookSink, now })
    this.bookJournal = readBookLog(folder)
    this.books = new BookLogReader(this.bookJournal)
    this.markets = new MarketJournal({ store, journals: this.journals, now })
    this.recorder = new HistoryRecorder({
      store,
      history: this.opening.store,
      flushMs: settings.HISTORY_FLUSH_MS,
      queueMax: settings.HISTORY_QUEUE_MAX,
      gapFillIntervalMs: settings.GAP_FILL_INTERVAL_MS,
      fetchTrades,
      fetchCandles,
      log,
      now,
      steadyNow,
      random
    })
    this.warmWriter = new WarmStateWriter({ dataDir: settings.DATA_DIR, store, now, log })
    const { onTrade, onGap, onPolled } = this.recorder
    this.taps = { wire: new JournalTap(this.journals), onTrade, onGap, onPolled }
  }

  now(): number {
    return this.options.now()
  }

  /** @throws {HistoryUnavailableError} while the database is not open */
  get store(): HistoryStore {
    const { opened, error } = this.opening
    if (opened === null) throw new HistoryUnavailableError(error ?? 'it is being opened')
    return opened
  }

  /** False until the database was reached for the first time, or has been waited for long enough. */
  get isReady(): boolean {
    return this.opening.isReady
  }

  /**
   * Puts the last state of the run before into the store, to be served as stale until the feeds know better. Where
   * somebody reads it already, that is waited for.
   */
  async warmUp(reading?: Promise<StateBytes>): Promise<WarmMarkets> {
    const { store, settings, log, now } = this.options
    this.warm = await loadWarmState({
      state: await currentState(settings.DATA_DIR, await reading),
      store,
      nowMs: now(),
      log
    })
    return this.warm
  }

  /** Records from now on. */
  async start(): Promise<void> {
    this.warmWriter.start()
    if (this.warm !== null && this.warm.size > 0)
      this.claimTimer = setInterval(() => this.claim(), CLAIMS_EVERY_MS).unref()
    await Promise.all([...this.journals.values()].map((journal) => journal.start()))
    this.bookLog.start()
    this.markets.start()
    this.recorder.start()
    this.opening.start()
    this.pruner.start()
  }

  /** Writes what is there, within a bounded time, and gives the folder back. */
  async stop(): Promise<void> {
    this.pruner.stop()
    if (this.claimTimer !== null) clearInterval(this.claimTimer)
    await this.warmWriter.stop()
    this.markets.stop()
    await this.bookLog.stop()
    const stopped = this.recorder.stop()
    // Not before: to the recorder that would be a database that went away.
    this.opening.abandon()
    this.tellUnwritten(await stopped)
    await Promise.all([...this.journals.values()].map((journal) => journal.stop()))
    await this.opening.close()
    this.unlock()
  }

  status(): HistoryStatus {
    return {
      engine: this.opening.opened?.engine ?? null,
      openError: this.opening.error,
      recorder: this.recorder.status(),
      journals: Object.fromEntries([...this.journals].map(([name, writer]) => [name, writer.status()]))
    }
  }

  /** Records what a run of the recycler did. */
  recyclerRun(run: RecyclerRun): void {
    this.recorder.onRecyclerRun({
      // Runs are counted from 1 in each process.
      runId: `${this.recorder.sessionId}:${run.id}`,
      startedAtMs: Date.parse(run.startedAt),
      endedAtMs: Date.parse(run.endedAt),
      report: run
    })
  }

  /** Resolves when all that was recorded so far can be read, or at once while the database is away. */
  async flush(): Promise<void> {
    await Promise.all([this.recorder.flush(), ...[...this.journals.values()].map((writer) => writer.flush())])
  }

  async coverage(marketId: string, range: TimeRange): Promise<RecordedCoverage> {
    const { store, recorder } = this
    await recorder.flush()
    return readRecordedCoverage(store, marketId, range, {
      nowMs: () => Math.min(this.now(), recorder.recordedToMs),
      liveSessionId: recorder.sessionId
    })
  }

  async bookAt(marketId: string, atMs: number): Promise<BookAt> {
    this.bookLog.beat()
    await Promise.all([this.journals.get(BOOKS)?.flush(), this.recorder.flush()])
    const found = await this.books.bookAt(marketId, atMs).catch(async (error) => {
      if (error instanceof BookUnknownError) await assertNotLost(this.bookJournal, this, marketId, atMs)
      throw error
    })
    return provenSince(found, () => this.store)
  }

  private get journalFolder(): string {
    return join(this.options.settings.DATA_DIR, JOURNAL_FOLDER)
  }

  private tellUnwritten(rows: number): void {
    const { log } = this.options
    if (rows === 0) return
    // A run that ends before its database was open is told as time that was not recorded, like that before it.
    if (this.opening.isUnderWay)
      log.info({ rows }, 'the database was not open yet: this run has no rows in it')
    else log.warn({ rows }, 'the database did not take all rows before the end: they are lost')
  }

  /** Markets of the run before that a venue lists no more leave once it has been asked. */
  private claim(): void {
    const { venues, followed } = this.options
    for (const venue of venues) {
      const known = followed(venue)
      if (known !== null) this.warm?.releaseUnclaimed(venue, (id) => known.has(id))
    }
    if (this.warm?.size !== 0 || this.claimTimer === null) return
    clearInterval(this.claimTimer)
    this.claimTimer = null
  }
}
