import type { GapRecovery, HistoryStore, TimeRange, TradeRecord } from './records.ts'

const PAGE_ROWS = 500
/** Rows that are read of one market before it counts as not proven. */
const PAGES_MAX = 20

/** When and how a book was recorded whole. */
export interface Proof {
  atMs: number
  recoveredBy: Extract<GapRecovery, 'snapshot' | 'rest'>
}

/** Returns the first recorded snapshot after an instant that was live then; null when none was recorded. */
export async function firstProof(
  history: HistoryStore,
  marketId: string,
  afterMs: number,
  nowMs: number
): Promise<Proof | null> {
  let cursor: string | null = null
  for (let page = 0; page < PAGES_MAX; page++) {
    const range = { fromMs: afterMs + 1, toMs: nowMs + 1 }
    const found = await history.snapshots({ marketId, ...range, source: null, limit: PAGE_ROWS, cursor })
    const row = found.rows.find(({ state }) => state === 'live')
    if (row !== undefined) return { atMs: row.atMs, recoveredBy: row.source === 'poll' ? 'rest' : 'snapshot' }
    cursor = found.cursor
    if (cursor === null) return null
  }
  return null
}

/** Returns the trades of a range that are not recorded yet. */
export async function tradesNotIn(
  history: HistoryStore,
  marketId: string,
  range: TimeRange,
  told: readonly TradeRecord[]
): Promise<TradeRecord[]> {
  const inside = told.filter((trade) => timeOf(trade) >= range.fromMs && timeOf(trade) < range.toMs)
  if (inside.length === 0) return []
  const known = new Set<string>()
  let cursor: string | null = null
  do {
    // A trade is recorded with the time at which it came, which is after the venue's.
    const page = await history.trades({ marketId, ...widened(range), limit: PAGE_ROWS, cursor })
    for (const trade of page.rows) known.add(keyOf(trade))
    cursor = page.cursor
  } while (cursor !== null)
  return inside.filter((trade) => {
    const key = keyOf(trade)
    const isNew = !known.has(key)
    known.add(key)
    return isNew
  })
}

/** The clocks of a venue and ours may differ by this much. */
const CLOCKS_DIFFER_MS = 60_000

function widened({ fromMs, toMs }: TimeRange): TimeRange {
  return { fromMs: fromMs - CLOCKS_DIFFER_MS, toMs: toMs + CLOCKS_DIFFER_MS }
}

function timeOf({ venueTimeMs, receivedAtMs }: TradeRecord): number {
  return venueTimeMs ?? receivedAtMs
}

function keyOf(trade: TradeRecord): string {
  const { tradeId, venueTimeMs, price, size, takerSide } = trade
  return tradeId ?? `${venueTimeMs} ${price} ${size} ${takerSide}`
}
