import type { VenueCandle } from '../venue/port.ts'
import type { GapRecord, HistoryStore } from './records.ts'
import { TriedGaps } from './tried-gaps.ts'

/** Reads a venue's own candles of the minutes that a range touches; null where the venue keeps none. */
export type FetchCandles = (
  venue: GapRecord['venue'],
  marketIds: readonly string[],
  fromMs: number,
  toMs: number
) => Promise<VenueCandle[] | null>

const MINUTE_MS = 60_000
/** The minutes of all markets of a gap; a gap of more is not asked for. */
const MINUTES_MAX = 50_000
/** A candle may be on its way so long after its minute. */
const SETTLED_AFTER_MS = 30_000

/**
 * Keeps the venue's own candles of the minutes that gaps touch, beside what was recorded and never in its place. They
 * close a gap only where every minute of every market is told: a minute that is left out may have been quiet, or not.
 */
export class CandleFiller {
  private readonly fetchCandles: FetchCandles | null
  private readonly tried = new TriedGaps()
  /** Candles kept. */
  candles = 0

  constructor(fetchCandles: FetchCandles | null) {
    this.fetchCandles = fetchCandles
  }

  /**
   * Returns true when the candles that were read now tell all of a gap; false also where it is not the time, was tried
   * before, or has too many markets to ask for, of which `marketsOf` may be null.
   *
   * @throws what reading or writing throws; it is then not taken as tried
   */
  async fill(
    history: HistoryStore,
    { id, venue, startedAtMs, endedAtMs }: GapRecord,
    marketsOf: () => Promise<readonly string[] | null>,
    nowMs: number
  ): Promise<boolean> {
    if (this.fetchCandles === null || endedAtMs === null || this.tried.has(id)) return false
    const fromMs = Math.floor(startedAtMs / MINUTE_MS) * MINUTE_MS
    const toMs = Math.ceil(endedAtMs / MINUTE_MS) * MINUTE_MS
    if (nowMs - toMs < SETTLED_AFTER_MS) return false
    const marketIds = (await marketsOf()) ?? []
    const minutes = ((toMs - fromMs) / MINUTE_MS) * marketIds.length
    if (minutes === 0 || minutes > MINUTES_MAX) {
      this.tried.add(id)
      return false
    }
    const told = await this.fetchCandles(venue, marketIds, fromMs, toMs)
    const inside = (told ?? []).filter((one) => one.fromMs >= fromMs && one.fromMs < toMs)
    await history.writeVenueCandles(inside, nowMs)
    this.candles += inside.length
    this.tried.add(id)
    return new Set(inside.map((one) => `${one.fromMs} ${one.marketId}`)).size === minutes
  }
}
