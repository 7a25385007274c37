import type { Venue } from '../../../schemas/common.ts'
import type { ReplayHealth } from '../../../schemas/replay-health.ts'
import { isoTime } from '../../snapshots/aggregate.ts'
import type { SnapshotStore } from '../../snapshots/store.ts'
import type { JournalHole, JournalRecord } from '../journal/record.ts'
import { BookDigest } from './book-digest.ts'
import { openJournal } from './journal-source.ts'
import { KalshiReplay } from './kalshi-replay.ts'
import { parseMarketBody } from './market-record.ts'
import { MarketsFirst } from './markets-first.ts'
import { type MergedRecord, mergeRecords, type RecordSource } from './merge.ts'
import { Pace } from './pace.ts'
import { PolymarketReplay } from './polymarket-replay.ts'
import { ReplayClock } from './replay-clock.ts'
import type { VenueReplay } from './venue-replay.ts'

export interface ReplayProgress {
  /** Time of the last record. */
  atMs: number
  records: number
}

export interface ReplayOptions {
  /** Where the journals are. */
  folder: string
  /**
   * The pace begins here. What is before is applied as fast as it goes, for books are made of all that came since
   * their snapshots.
   */
  fromMs: number
  /** Half-open: a record of this time is not applied. */
  toMs: number
  /** Empty; nobody else writes to it. */
  store: SnapshotStore
  /** Seconds of record in one of wall time; null: as fast as it goes. */
  speed: number | null
  onProgress?: (progress: ReplayProgress) => void
  /** Told of each stretch of which records are lost, as the replay comes to it: its books wait for snapshots. */
  onHole?: (hole: JournalHole) => void
  /** Ends the replay where it is. */
  signal?: AbortSignal
  /** Where to begin to read; the start of the journals. Later saves time and leaves out what was known then. */
  baseMs?: number
  /** 0: Polymarket's books are not proved by their hashes, which takes most of the time. */
  hashBudgetPercent?: number
  /** What a venue's journal is read from. */
  open?: (venue: Venue) => RecordSource
}

export interface ReplayReport extends ReplayProgress {
  frames: number
  /** Stretches of which records are lost: those that the journals tell of, and what is damaged or missing in them. */
  holes: number
  /** Whether all of the range was applied: the replay was not aborted, and nothing was lost. */
  isComplete: boolean
  /** See `BookDigest`. */
  digest: string
}

/** In the order in which records of one moment are applied. */
const JOURNALS = ['kalshi', 'polymarket'] as const satisfies readonly Venue[]
const HASH_BUDGET_PERCENT = 10

/**
 * Does to an empty store what the recorded feeds did to theirs, from the raw journals of the venues. All clocks are
 * those of the records, so that two replays of one journal give the same books at every record.
 */
export class JournalReplay {
  private readonly options: ReplayOptions
  private readonly clock = new ReplayClock()
  private readonly changes: BookDigest
  private readonly venues: Record<Venue, VenueReplay>
  private records = 0
  private frames = 0
  private holes = 0
  /** Time of the last record; 0 before the first. */
  private lastAtMs = 0
  /** Once all of the range is applied. */
  private lastDigest: string | null = null

  constructor(options: ReplayOptions) {
    this.options = options
    const { store, hashBudgetPercent = HASH_BUDGET_PERCENT } = options
    this.changes = new BookDigest(store)
    const { now } = this.clock
    this.venues = {
      kalshi: new KalshiReplay(store.books),
      polymarket: new PolymarketReplay({ table: store.books, hashBudgetPercent, now })
    }
  }

  /** The time that it has come to: of the record under way and, where a range ends, its end; 0 before the first. */
  get now(): () => number {
    return this.clock.now
  }

  /** SHA-256 over every change of every book so far, hexadecimal: see `BookDigest`. */
  digest(): string {
    return this.changes.value()
  }

  /** How far it is, as health tells it. */
  health(): ReplayHealth {
    const { records, holes, lastAtMs, lastDigest } = this
    return {
      state: lastDigest === null ? 'running' : 'finished',
      records,
      holes,
      receivedAt: records === 0 ? null : isoTime(lastAtMs),
      digest: lastDigest
    }
  }

  /** Applies the whole range, once. */
  async run(): Promise<ReplayReport> {
    const { fromMs, toMs, speed, onProgress, signal = new AbortController().signal } = this.options
    const { baseMs = Number.NEGATIVE_INFINITY } = this.options
    const pace = new Pace({ speed, fromMs, signal })
    const ordered = new MarketsFirst<Venue>()
    /** Returns false when it was ended. */
    const applyAll = async (run: readonly MergedRecord<Venue>[]) => {
      for (const merged of run) {
        const wait = pace.before(merged.record.atMs)
        if (wait !== null) await wait
        if (signal.aborted) return false
        this.apply(merged)
      }
      onProgress?.({ atMs: this.lastAtMs, records: this.records })
      return true
    }
    const sources = JOURNALS.map((venue) => [venue, this.open(venue)] as const)
    try {
      for await (const run of mergeRecords(sources, { fromMs: baseMs, toMs })) {
        if (!(await applyAll(ordered.take(run)))) return this.report(false)
      }
      if (!(await applyAll(ordered.finish()))) return this.report(false)
      if (Number.isFinite(toMs)) this.settle(toMs)
      return this.report(true)
    } finally {
      this.changes.stop()
    }
  }

  private open(venue: Venue): RecordSource {
    const { folder, open } = this.options
    return open === undefined ? openJournal(folder, venue) : open(venue)
  }

  private apply({ from, record }: MergedRecord<Venue>): void {
    // What was due before, such as the end of a match, comes first.
    if (record.atMs > this.clock.now()) this.settle(record.atMs)
    this.lastAtMs = record.atMs
    if (record.kind === 'hole') this.tellHole(record)
    else this.records++
    if (record.kind === 'frame') this.frames++
    if (record.kind === 'market') this.market(record)
    else this.venues[from].take(record)
  }

  private tellHole({ body }: JournalRecord): void {
    this.holes++
    this.options.onHole?.(JSON.parse(body.toString()) as JournalHole)
  }

  private settle(atMs: number): void {
    this.clock.advance(atMs)
    for (const venue of JOURNALS) this.venues[venue].settle(atMs)
  }

  private market({ body }: JournalRecord): void {
    const { store } = this.options
    const { market, rules, event, removed } = parseMarketBody(body.toString())
    const venue = this.venues[market.venue]
    if (removed === true) {
      const known = store.get(market.id)
      if (known !== undefined) venue.remove(known)
      store.remove(market.id)
      return
    }
    if (event !== null) store.putEvent(event)
    const record = store.put(market, rules)
    if (record !== null) venue.put(record)
  }

  private report(isFinished: boolean): ReplayReport {
    const digest = this.digest()
    if (isFinished) this.lastDigest = digest
    return {
      atMs: this.lastAtMs,
      records: this.records,
      frames: this.frames,
      holes: this.holes,
      isComplete: isFinished && this.holes === 0,
      digest
    }
  }
}

/** Replays the journals of a folder into a store; see `JournalReplay`. */
export function replayJournal(options: ReplayOptions): Promise<ReplayReport> {
  return new JournalReplay(options).run()
}
