import type { VerdictState } from '../../integrity/verdict.ts'
import type { CoverageRecord, HistoryRows, RecordedLevel, TimeRange } from '../records.ts'

/** A stretch of which a book cannot be proved; `toMs` is null while it goes on. */
export interface ProofHole {
  fromMs: number
  toMs: number | null
  reason: string
}

/** A book at an instant, rebuilt from the book log. */
export interface BookAt {
  marketId: string
  atMs: number
  /** All levels in YES terms, best first. */
  bids: RecordedLevel[]
  asks: RecordedLevel[]
  /** The verdict of that instant. */
  state: VerdictState
  reason: string | null
  /** Of the book, as the log counts its changes. */
  version: number
  base: { atMs: number; kind: 'checkpoint' | 'snapshot' }
  /** Changes applied since the base. */
  deltas: number
  /** Of all levels; hexadecimal. */
  digest: string
  proven: boolean
  /** What keeps it from being proved; null when it is. */
  hole: ProofHole | null
}

/** A stretch of a market's coverage; `toMs` is null where it goes on. */
export type RecordedInterval = Pick<CoverageRecord, 'fromMs' | 'toMs' | 'kind' | 'reason'>

/** Coverage of the recorded part of a range, gapless and in order. */
export interface RecordedCoverage {
  /** When recording of the market began, as far as it is kept; null when nothing of it is. */
  recordedFromMs: number | null
  intervals: RecordedInterval[]
}

/** What the routes read history through. Everything rejects with `HistoryUnavailableError` while it cannot be read. */
export interface HistoryReader {
  /** Epoch milliseconds: ours or, of a replay, the time that it has come to. What is later is the future. */
  now(): number
  /** @throws {HistoryUnavailableError} while it cannot be read */
  readonly store: HistoryRows
  /** @throws {RangeInvalidError} for more holes in the recording than are looked at */
  coverage(marketId: string, range: TimeRange): Promise<RecordedCoverage>
  /**
   * Returns a book as it was, proved or not.
   *
   * @throws {BookUnknownError} where nothing of that market was recorded by then; {BookUnprovenError} where it was, and
   *   nothing is left to rebuild it from
   */
  bookAt(marketId: string, atMs: number): Promise<BookAt>
}
