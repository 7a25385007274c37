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
import { MAX_SIZE_E6, ONE_E4 } from '../numbers/decimal.ts'
import { type BookArena, NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'

/** One market as it was last, to begin with after a restart. Times are epoch milliseconds of our clock or the venue's. */
export interface WarmMarket {
  market: Market
  rules: string
  /** The header of the market's event, with the first market of that event only. */
  event: EventHeader | null
  /**
   * Bids for YES and bids for NO, each at its own price: price, size, price, size, best last. Numbers in one row are
   * read in half the time of pairs, and this is most of what a start reads.
   */
  bids: number[]
  asks: number[]
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
const LEVELS = [new LevelList(), new LevelList()] as const

/** Returns what a market is now. */
export function warmMarketOf(
  { books }: SnapshotStore,
  record: MarketRecord,
  event: EventHeader | null
): WarmMarket {
  const { arena, verdicts } = books
  const { slot, market, rules } = record
  const { source, sequence, venueTimeMs, receivedAtMs, verifiedAtMs } = verdicts.get(slot)
  return {
    market,
    rules,
    event,
    bids: levelsOf(arena, slot, YES),
    asks: levelsOf(arena, slot, NO),
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
export function putWarmMarket(store: SnapshotStore, warm: WarmMarket): 'put' | 'refused' {
  const { market, rules, event, bids, asks } = warm
  const [yes, no] = LEVELS
  if (store.get(market.id) !== undefined || !fill(yes, bids) || !fill(no, asks)) return 'refused'
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

function levelsOf(arena: BookArena, slot: number, outcome: Outcome): number[] {
  const levels: number[] = []
  for (let i = arena.count(slot, outcome) - 1; i >= 0; i--)
    levels.push(arena.priceAt(slot, outcome, i), arena.sizeAt(slot, outcome, i))
  return levels
}

/** Puts levels into a list of ascending prices; false if they are none. */
function fill(list: LevelList, levels: readonly number[]): boolean {
  list.clear()
  for (let i = 0; i < levels.length; i += 2) {
    const [price, size] = [levels[i] as number, levels[i + 1] as number]
    const isLevel = Number.isInteger(price) && price >= 0 && price <= ONE_E4 && Number.isInteger(size)
    if (!isLevel || size <= 0 || size > MAX_SIZE_E6 || !list.push(price, size)) return false
  }
  return list.sort()
}
