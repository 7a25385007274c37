import type { FastifyBaseLogger } from 'fastify'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import { CandleFiller, type FetchCandles } from './candle-filler.ts'
import { lastFirstProof, tradesNotIn } from './gap-evidence.ts'
import {
  BOOK_GAP_KINDS,
  type GapKind,
  type GapRecord,
  type GapRecovery,
  type HistoryStore,
  type TradeRecord
} from './records.ts'
import { TriedGaps } from './tried-gaps.ts'
import { describe } from './write-batch.ts'

/** Reads a venue's trades of one market and a range; null where the venue has no such endpoint. */
export type FetchTrades = (
  venue: GapRecord['venue'],
  marketId: string,
  fromMs: number,
  toMs: number
) => Promise<TradeNote[] | null>

export interface GapFillerOptions {
  store: SnapshotStore
  history: Promise<HistoryStore>
  sessionId: string
  /** When this run began. */
  startedAtMs: number
  write: (gap: GapRecord) => void
  addTrade: (trade: TradeRecord) => void
  fetchTrades: FetchTrades | null
  fetchCandles: FetchCandles | null
  /** Without any recovery for so long, a gap is given up. */
  giveUpAfterMs: number
  now: () => number
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
}

export interface GapFillerStatus {
  runs: number
  lookedAt: number
  /** Gaps that this filler closed or mended, by how. */
  closed: Record<Exclude<GapRecovery, 'none'>, number>
  unrecoverable: number
  trades: number
  /** Minutes of gaps that a venue told. */
  candles: number
  failures: number
  /** Closed of all that were decided; null before the first. */
  successRate: number | null
}

/** Gaps that a run looks at. */
const GAPS_MAX = 1_000
/** A gap of more markets is not mended by asking for each of them; candles come for many at once. */
const MARKETS_MAX = 100
const CANDLE_MARKETS_MAX = 1_000
/** Trades that came before a gap's end may be on their way to the database for so long. */
const SETTLED_AFTER_MS = 10_000
/** Where trades may have passed unseen. */
const LOSES_TRADES: readonly GapKind[] = [
  'disconnected',
  'restart',
  'standstill',
  'sequence_gap',
  'recorder_overflow'
]

/**
 * Looks again and again at gaps that nobody closes any more: those that an earlier run left open end with what was
 * recorded since, trades are read again where the venue keeps them, and what nothing mended in time is given up. A book
 * that was not seen stays missing: nothing is ever filled in for it.
 */
export class GapFiller {
  private readonly options: GapFillerOptions
  private readonly tried = new TriedGaps()
  private readonly candles: CandleFiller
  private readonly counts: Omit<GapFillerStatus, 'successRate' | 'candles'> = {
    runs: 0,
    lookedAt: 0,
    closed: { snapshot: 0, rest: 0, trades: 0, candles: 0 },
    unrecoverable: 0,
    trades: 0,
    failures: 0
  }
  private running: Promise<void> | null = null

  constructor(options: GapFillerOptions) {
    this.options = options
    this.candles = new CandleFiller(options.fetchCandles)
  }

  /** Looks once; a call during a run waits for that one. Never rejects: what fails is tried the next time. */
  run(): Promise<void> {
    this.running ??= this.look()
      .catch((error: unknown) => {
        this.counts.failures++
        this.options.log.warn({ error: describe(error) }, 'gaps could not be looked at')
      })
      .finally(() => {
        this.running = null
      })
    return this.running
  }

  status(): GapFillerStatus {
    const { closed, unrecoverable } = this.counts
    const mended = closed.snapshot + closed.rest + closed.trades + closed.candles
    const decided = mended + unrecoverable
    const { candles } = this.candles
    return {
      ...this.counts,
      candles,
      closed: { ...closed },
      successRate: decided === 0 ? null : mended / decided
    }
  }

  private async look(): Promise<void> {
    const history = await this.options.history
    this.counts.runs++
    const nowMs = this.options.now()
    const fromMs = nowMs - 2 * this.options.giveUpAfterMs
    const recent = await history.gaps({ fromMs, toMs: nowMs + 1, marketId: null, limit: GAPS_MAX })
    const gaps = new Map([...(await history.openGaps()), ...recent].map((gap) => [gap.id, gap]))
    const others = await this.othersAlive(history, nowMs)
    for (const gap of gaps.values()) {
      if (gap.endedAtMs === null && !this.isLeftOpen(gap, others)) continue
      this.counts.lookedAt++
      const after = await this.mended(history, gap, nowMs)
      if (after !== gap) this.options.write(after)
    }
  }

  /** Runs that went on beside this one: they end their own gaps. */
  private async othersAlive(history: HistoryStore, nowMs: number): Promise<string[]> {
    const { sessionId, startedAtMs } = this.options
    const sessions = await history.sessions({ fromMs: startedAtMs, toMs: nowMs + 1 })
    return sessions
      .filter((session) => session.sessionId !== sessionId && session.heartbeatAtMs > startedAtMs)
      .map((session) => session.sessionId)
  }

  /** This run's open gaps end by themselves, at the exact time. */
  private isLeftOpen({ id, detectedAtMs }: GapRecord, others: readonly string[]): boolean {
    const { sessionId, startedAtMs } = this.options
    return detectedAtMs < startedAtMs && ![sessionId, ...others].some((session) => id.includes(session))
  }

  private async mended(history: HistoryStore, gap: GapRecord, nowMs: number): Promise<GapRecord> {
    const closed = gap.endedAtMs === null ? await this.ended(history, gap, nowMs) : gap
    if (closed.endedAtMs === null) return closed
    const hasTrades = await this.fillTrades(history, closed, nowMs)
    const hasCandles = await this.fillCandles(history, closed, nowMs)
    if (closed.recoveredBy !== null) return closed
    if (hasTrades || hasCandles) {
      const recoveredBy = hasTrades ? 'trades' : 'candles'
      this.counts.closed[recoveredBy]++
      return { ...closed, recoveredBy, decidedAtMs: nowMs }
    }
    if (nowMs - closed.endedAtMs < this.options.giveUpAfterMs) return closed
    this.counts.unrecoverable++
    return { ...closed, recoveredBy: 'none', decidedAtMs: nowMs }
  }

  /**
   * Ends a gap that an earlier run left open: when the last of its books was recorded whole again. For books that
   * are followed no more, or stay in doubt for too long, it ends with the start of this run: up to there nothing was
   * recorded, which is a gap of its own, and from there this run tells what it has of them.
   */
  private async ended(history: HistoryStore, gap: GapRecord, nowMs: number): Promise<GapRecord> {
    const { store, startedAtMs, giveUpAfterMs } = this.options
    const isOfBooks = BOOK_GAP_KINDS.includes(gap.kind)
    const marketIds = isOfBooks ? await concernedBy(history, gap) : []
    const isPatient = nowMs - startedAtMs < giveUpAfterMs
    const range = { fromMs: gap.detectedAtMs + 1, toMs: nowMs + 1 }
    const isMissing = new Set<string>()
    const { proof, awaited } = await lastFirstProof(history, marketIds, range, (id) => {
      isMissing.add(id)
      return isPatient && store.get(id) !== undefined
    })
    if (awaited) return gap
    if (proof !== null) this.counts.closed[proof.recoveredBy]++
    const provenAtMs = proof?.atMs ?? startedAtMs
    return {
      ...gap,
      endedAtMs: isMissing.size > 0 ? Math.max(provenAtMs, startedAtMs) : provenAtMs,
      recoveredBy: proof?.recoveredBy ?? null,
      decidedAtMs: proof === null ? null : nowMs
    }
  }

  /** Returns true when the venue told every trade of the gap's time. */
  private async fillTrades(history: HistoryStore, gap: GapRecord, nowMs: number): Promise<boolean> {
    const { fetchTrades, addTrade } = this.options
    const { endedAtMs, startedAtMs } = gap
    if (fetchTrades === null || endedAtMs === null || nowMs - endedAtMs < SETTLED_AFTER_MS) return false
    if (!LOSES_TRADES.includes(gap.kind) || endedAtMs <= startedAtMs || this.tried.has(gap.id)) return false
    const range = { fromMs: startedAtMs, toMs: endedAtMs }
    try {
      const marketIds = await this.marketsOf(history, gap, MARKETS_MAX)
      if (marketIds === null || marketIds.length === 0) {
        this.tried.add(gap.id)
        return false
      }
      for (const marketId of marketIds) {
        const told = await fetchTrades(gap.venue, marketId, range.fromMs, range.toMs)
        if (told === null) {
          this.tried.add(gap.id)
          return false
        }
        for (const trade of await tradesNotIn(history, marketId, range, told)) {
          addTrade(trade)
          this.counts.trades++
        }
      }
    } catch (error) {
      this.counts.failures++
      this.options.log.warn({ gap: gap.id, error: describe(error) }, 'trades of a gap could not be read')
      return false
    }
    this.tried.add(gap.id)
    return true
  }

  /** Returns true when the venue told every minute of the gap. */
  private async fillCandles(history: HistoryStore, gap: GapRecord, nowMs: number): Promise<boolean> {
    if (!LOSES_TRADES.includes(gap.kind)) return false
    try {
      const marketsOf = () => this.marketsOf(history, gap, CANDLE_MARKETS_MAX)
      return await this.candles.fill(history, gap, marketsOf, nowMs)
    } catch (error) {
      this.counts.failures++
      this.options.log.warn({ gap: gap.id, error: describe(error) }, 'candles of a gap could not be read')
      return false
    }
  }

  /**
   * Markets of which something may have passed unseen; null where there are more. Of a whole venue those that were
   * recorded then, served still or not, and those that are served now: some came while nobody looked.
   */
  private async marketsOf(
    history: HistoryStore,
    gap: GapRecord,
    max: number
  ): Promise<readonly string[] | null> {
    const ids = new Set(await concernedBy(history, gap))
    if (gap.marketIds === null) {
      for (const { id, market } of this.options.store.records()) if (market.venue === gap.venue) ids.add(id)
    }
    return ids.size <= max ? [...ids] : null
  }
}

/** Markets that a gap is about: of a whole venue those that were recorded then. */
async function concernedBy(history: HistoryStore, gap: GapRecord): Promise<readonly string[]> {
  const { marketIds, venue, startedAtMs, detectedAtMs, endedAtMs } = gap
  if (marketIds !== null) return marketIds
  const ids = await history.coveredMarkets({ fromMs: startedAtMs, toMs: (endedAtMs ?? detectedAtMs) + 1 })
  return ids.filter((id) => id.startsWith(`${venue}:`))
}
