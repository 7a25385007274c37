import type { FastifyInstance } from 'fastify'
import { BookUnknownError } from '../services/errors.ts'
import type { BookAt, HistoryReader, RecordedCoverage } from '../services/history/read/reader.ts'
import type {
  CoverageKind,
  CoverageRecord,
  GapRecord,
  SnapshotRecord,
  TimeRange,
  TradeRecord
} from '../services/history/records.ts'
import { MemoryHistoryStore } from './services/history/memory-store.ts'

/** What routes read in tests: rows in memory, coverage as it was written, and the books that a test gives. */
export class FakeHistory implements HistoryReader {
  readonly store = new MemoryHistoryStore()
  readonly books: BookAt[] = []
  /** The reader's clock; null: the real one. */
  nowMs: number | null = null

  now(): number {
    return this.nowMs ?? Date.now()
  }

  async coverage(marketId: string, range: TimeRange): Promise<RecordedCoverage> {
    const recorded = await this.store.recordedSpan(marketId)
    return {
      recordedFromMs: recorded?.fromMs ?? null,
      intervals: await this.store.coverage({ marketId, ...range })
    }
  }

  async bookAt(marketId: string, atMs: number): Promise<BookAt> {
    const book = this.books.filter((one) => one.marketId === marketId && one.atMs <= atMs).at(-1)
    if (book === undefined) throw new BookUnknownError(`nothing was recorded of ${marketId} by then`)
    return { ...book, atMs }
  }
}

/** Gives an app that is not ready yet a history to read. */
export function withHistory(app: FastifyInstance): FakeHistory {
  const history = new FakeHistory()
  app.decorate('historyReader', history)
  return history
}

export function snapshotRow(
  marketId: string,
  atMs: number,
  overrides: Partial<SnapshotRecord> = {}
): SnapshotRecord {
  return {
    marketId,
    source: 'websocket',
    cause: 'change',
    sequence: 7,
    venueTimeMs: atMs - 5,
    atMs,
    receivedAtMs: atMs - 1,
    bestBid: 4_000,
    bestBidSize: 1_500_000,
    bestAsk: 4_500,
    bestAskSize: 2_000_001,
    bids: [
      [4_000, 1_500_000],
      [3_900, 3_000_000]
    ],
    asks: [[4_500, 2_000_001]],
    state: 'live',
    reason: null,
    verifiedAtMs: null,
    mismatches: 0,
    ...overrides
  }
}

export function tradeRow(marketId: string, atMs: number, overrides: Partial<TradeRecord> = {}): TradeRecord {
  return {
    marketId,
    tradeId: `trade-${atMs}`,
    venueTimeMs: atMs,
    atMs,
    receivedAtMs: atMs + 10,
    price: 4_200,
    size: 2_500_000,
    takerSide: 'yes',
    ...overrides
  }
}

export function gapRow(id: string, startedAtMs: number, overrides: Partial<GapRecord> = {}): GapRecord {
  return {
    id,
    venue: 'kalshi',
    kind: 'sequence_gap',
    connection: 'kalshi',
    subscription: '2',
    fromSequence: 812,
    toSequence: 813,
    marketIds: null,
    startedAtMs,
    detectedAtMs: startedAtMs + 50,
    endedAtMs: startedAtMs + 1_500,
    recoveredBy: 'snapshot',
    decidedAtMs: startedAtMs + 1_500,
    detail: 'expected 812, received 814',
    ...overrides
  }
}

export function coverageRow(
  marketId: string,
  fromMs: number,
  toMs: number | null,
  kind: CoverageKind = 'verified',
  reason: string | null = null
): CoverageRecord {
  return { marketId, sessionId: 'one', fromMs, toMs, kind, reason }
}

export function bookRow(marketId: string, atMs: number, overrides: Partial<BookAt> = {}): BookAt {
  return {
    marketId,
    atMs,
    bids: [
      [4_000, 1_500_000],
      [3_900, 3_000_000],
      [3_800, 1]
    ],
    asks: [
      [4_500, 2_000_001],
      [4_600, 1_000_000]
    ],
    state: 'live',
    reason: null,
    version: 90_412,
    base: { atMs: atMs - 60_000, kind: 'checkpoint' },
    deltas: 318,
    digest: '9d3c0e5b71a24f68',
    proven: true,
    hole: null,
    ...overrides
  }
}
