import type { EventHeader } from '../../schemas/event.ts'
import type { Market } from '../../schemas/market.ts'
import { ArenaFullError } from '../errors.ts'
import {
  NEEDS_SNAPSHOT,
  REASONS,
  reasonBit,
  reasonBits,
  type VerdictReason,
  type VerdictSource
} from '../integrity/verdict.ts'
import { type BookArena, NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { WarmLevels } from './warm-levels.ts'

/** One market as it was last, to begin with after a restart. Times are epoch milliseconds of our clock or the venue's. */
export interface WarmMarket {
  market: Market
  rules: string
  /** The header of the market's event, with the first market of that event only. */
  event: EventHeader | null
  /** Where its levels are among those of its block: so many bids for YES, then bids for NO, best last. */
  levels: { from: number; bids: number; asks: number }
  source: VerdictSource
  sequence: number | null
  venueTimeMs: number | null
  receivedAtMs: number | null
  verifiedAtMs: number | null
  /** Why the book was not live. */
  reasons: VerdictReason[]
}

/** What a restart does not make better: the book was doubtful before, and is so until its next snapshot. */
const LASTING = NEEDS_SNAPSHOT | reasonBits(['hash_mismatch', 'audit_mismatch'])
/** As `REASONS` has them: a file may name others. */
const NAMES: ReadonlySet<string> = new Set(REASONS.map(([name]) => name))
/** Reused from market to market. */
const SIDES = [new LevelList(), new LevelList()] as const

/** Returns what a market is now; its levels are added to `levels`. */
export function warmMarketOf(
  { books }: SnapshotStore,
  record: MarketRecord,
  event: EventHeader | null,
  levels: WarmLevels
): WarmMarket {
  const { arena, verdicts } = books
  const { slot, market, rules } = record
  const { source, sequence, venueTimeMs, receivedAtMs, verifiedAtMs } = verdicts.get(slot)
  return {
    market,
    rules,
    event,
    levels: {
      from: levels.count,
      bids: pushSide(levels, arena, slot, YES),
      asks: pushSide(levels, arena, slot, NO)
    },
    source,
    sequence,
    venueTimeMs,
    receivedAtMs,
    verifiedAtMs,
    reasons: REASONS.flatMap(([name]) => (verdicts.has(slot, name) ? [name] : []))
  }
}

/**
 * Puts a market into the store as it was, flagged: its book is served as `disconnected` until its venue is heard.
 * `refused` when the store has no room for it, or has it already, or its levels are none.
 */
export function putWarmMarket(store: SnapshotStore, warm: WarmMarket, levels: WarmLevels): 'put' | 'refused' {
  const { market, rules, event } = warm
  const { from, bids, asks } = warm.levels
  const [yes, no] = SIDES
  if (store.get(market.id) !== undefined) return 'refused'
  if (!levels.read(yes, from, bids) || !levels.read(no, from + bids, asks)) return 'refused'
  if (event !== null) store.putEvent(event)
  const slot = store.put(market, rules)?.slot
  if (slot === undefined) return 'refused'
  const { books } = store
  const { arena, verdicts } = books
  books.setSource(slot, warm.source)
  books.received(
    slot,
    warm.receivedAtMs ?? Number.NaN,
    warm.venueTimeMs ?? Number.NaN,
    warm.sequence ?? Number.NaN
  )
  verdicts.verified(slot, warm.verifiedAtMs ?? Number.NaN)
  const lasting = reasonBits(warm.reasons.filter((name) => NAMES.has(name))) & LASTING
  for (const [name] of REASONS) if ((lasting & reasonBit(name)) !== 0) books.raise(slot, name)
  try {
    arena.replace(slot, YES, yes)
    arena.replace(slot, NO, no)
  } catch (error) {
    if (!(error instanceof ArenaFullError)) throw error
    // It awaits its first snapshot, as any new market does.
    arena.release(slot)
    books.raise(slot, 'disconnected')
    return 'put'
  }
  books.raise(slot, 'disconnected')
  // Last, so that the book is at no moment live.
  if ((lasting & reasonBit('awaiting_snapshot')) === 0) books.clear(slot, 'awaiting_snapshot')
  return 'put'
}

/** Adds a side's levels, best last; returns how many. */
function pushSide(levels: WarmLevels, arena: BookArena, slot: number, outcome: Outcome): number {
  const count = arena.count(slot, outcome)
  for (let i = count - 1; i >= 0; i--)
    levels.push(arena.priceAt(slot, outcome, i), arena.sizeAt(slot, outcome, i))
  return count
}
