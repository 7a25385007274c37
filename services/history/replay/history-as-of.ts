import { BookUnknownError } from '../../errors.ts'
import { assertNotLost } from '../book-log/lost-log.ts'
import type { BookLogSource } from '../book-log/ports.ts'
import type { BookLogReader } from '../book-log/reader.ts'
import { provenSince } from '../read/late-gaps.ts'
import type { BookAt, HistoryReader, RecordedCoverage } from '../read/reader.ts'
import { readRecordedCoverage } from '../read/recorded-coverage.ts'
import type { HistoryRows, HistoryStore, TimeRange } from '../records.ts'

/** What a folder holds of its time, whole. */
export interface RecordedPast {
  /** @throws {HistoryUnavailableError} while it cannot be read */
  readonly store: HistoryStore
  readonly log: BookLogSource
  readonly books: BookLogReader
}

/** What was recorded, as it could be read at an instant: nothing of it lies ahead, and the clock stands still. */
export class HistoryAsOf implements HistoryReader {
  private readonly past: RecordedPast
  private readonly atMs: number

  constructor(past: RecordedPast, atMs: number) {
    this.past = past
    this.atMs = atMs
  }

  now(): number {
    return this.atMs
  }

  get store(): HistoryRows {
    return this.past.store.asOf(this.atMs)
  }

  async coverage(marketId: string, range: TimeRange): Promise<RecordedCoverage> {
    // A run that went on had its last sign of life just then, so that none has to be told as the one that lives.
    return readRecordedCoverage(this.store, marketId, range, {
      nowMs: () => this.atMs,
      liveSessionId: null
    })
  }

  async bookAt(marketId: string, atMs: number): Promise<BookAt> {
    const { books, log } = this.past
    const logged = await books.bookAt(marketId, atMs).catch(async (error) => {
      if (error instanceof BookUnknownError) await assertNotLost(log, this, marketId, atMs)
      throw error
    })
    const found = await provenSince(logged, () => this.store)
    const { hole } = found
    if (hole === null || hole.toMs === null || hole.toMs <= this.atMs) return found
    return { ...found, hole: { ...hole, toMs: null } }
  }
}
