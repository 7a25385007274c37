import type { TradeNote } from '../venue/wire-tap.ts'
import type { HistoryStore, Proof, TimeRange, TradeRecord } from './records.ts'

const PAGE_ROWS = 500
/** Markets that one statement looks for. */
const MARKETS_ASKED = 500

/**
 * Returns the latest of the first proofs of some markets after an instant, null where none was proven, and whether a
 * market without one is `awaited`.
 */
export async function lastFirstProof(
  history: HistoryStore,
  marketIds: readonly string[],
  range: TimeRange,
  awaits: (marketId: string) => boolean
): Promise<{ proof: Proof | null; awaited: boolean }> {
  let last: Proof | null = null
  for (let at = 0; at < marketIds.length; at += MARKETS_ASKED) {
    const asked = marketIds.slice(at, at + MARKETS_ASKED)
    const proofs = await history.firstProofs({ ...range, marketIds: asked })
    if (asked.some((id) => !proofs.has(id) && awaits(id))) return { proof: last, awaited: true }
    for (const proof of proofs.values()) if (last === null || proof.atMs > last.atMs) last = proof
  }
  return { proof: last, awaited: false }
}

/** Returns the trades of a range that are not recorded yet, each at the time that the venue gives. */
export async function tradesNotIn(
  history: HistoryStore,
  marketId: string,
  range: TimeRange,
  told: readonly TradeNote[]
): Promise<TradeRecord[]> {
  const inside = told
    .map((trade) => ({ ...trade, atMs: trade.venueTimeMs ?? trade.receivedAtMs }))
    .filter(({ atMs }) => atMs >= range.fromMs && atMs < range.toMs)
  if (inside.length === 0) return []
  const known = new Set<string>()
  let cursor: string | null = null
  do {
    // A trade that came by itself has its place at that time, which is after the venue's.
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

function keyOf(trade: TradeRecord): string {
  const { tradeId, venueTimeMs, price, size, takerSide } = trade
  return tradeId ?? `${venueTimeMs} ${price} ${size} ${takerSide}`
}
