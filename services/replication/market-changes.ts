import type { BookListener } from '../integrity/book-listeners.ts'
import type { BookTable } from '../integrity/book-table.ts'
import type { PriceE4 } from '../numbers/decimal.ts'
import { type BookArena, NO, type Outcome, YES } from '../orderbook/arena.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import {
  type MarketChange,
  type Metadata,
  OUTCOME_STEP,
  type VerdictFields,
  type WholeBook
} from './codec.ts'

/** With more changed levels than this a book is told whole: it is hardly longer, and costs no list. */
const LEVELS_MAX = 48
/** What a slot's version cannot be: it was never told, or has to be told whole. */
const UNTOLD = -1

interface SlotChanges {
  /** What was last told: its version, or `UNTOLD`. */
  told: number
  toldMeta: number
  levels: number[]
  isWhole: boolean
}

/**
 * Hears every change of every book and keeps, conflated by market, what has not been told of it yet: which levels
 * changed, never how often.
 */
export class MarketChanges implements BookListener {
  private readonly store: SnapshotStore
  private readonly table: BookTable
  private readonly slots: (SlotChanges | undefined)[] = []

  constructor(store: SnapshotStore) {
    this.store = store
    this.table = store.books
  }

  levelChanged(slot: number, outcome: Outcome, price: PriceE4): void {
    const changes = this.slots[slot]
    if (changes === undefined || changes.isWhole) return
    if (changes.levels.push(outcome * OUTCOME_STEP + price) > LEVELS_MAX) this.whole(changes)
  }

  sideReplaced(slot: number): void {
    this.released(slot)
  }

  released(slot: number): void {
    const changes = this.slots[slot]
    if (changes !== undefined) this.whole(changes)
  }

  touched(): void {}

  /** From now on a slot's changes are kept; it is told whole first. */
  follow(slot: number): void {
    this.slots[slot] = { told: UNTOLD, toldMeta: UNTOLD, levels: [], isWhole: true }
  }

  forget(slot: number): void {
    this.slots[slot] = undefined
  }

  /** What is known of the market's event is new: it is told with the next change. */
  retellMetadata(slot: number): void {
    const changes = this.slots[slot]
    if (changes !== undefined) changes.toldMeta = UNTOLD
  }

  /** Returns what a market became since it was last told, and counts it as told; null when nothing. */
  take(record: MarketRecord): MarketChange | null {
    const { slot, id, metaVersion } = record
    const changes = this.slots[slot]
    if (changes === undefined) return null
    const to = this.table.versions[slot] as number
    const from = changes.told
    const isMetaNew = changes.toldMeta !== metaVersion
    if (from === to && !isMetaNew) return null
    const { isWhole } = changes
    const change: MarketChange = [
      id,
      from,
      to,
      this.verdict(slot),
      isWhole || changes.levels.length === 0 ? null : this.levels(slot, changes.levels),
      isWhole ? wholeBook(this.table.arena, slot) : null,
      isMetaNew ? this.metadata(record) : null
    ]
    changes.told = to
    changes.toldMeta = metaVersion
    changes.isWhole = false
    changes.levels = []
    return change
  }

  /** Returns a market whole, whatever was told of it. */
  snapshot(record: MarketRecord): MarketChange {
    const { slot, id } = record
    const to = this.table.versions[slot] as number
    return [
      id,
      UNTOLD,
      to,
      this.verdict(slot),
      null,
      wholeBook(this.table.arena, slot),
      this.metadata(record)
    ]
  }

  private whole(changes: SlotChanges): void {
    changes.isWhole = true
    changes.levels = []
  }

  private levels(slot: number, changed: number[]): [number[], number[]] {
    const levels = changed.length === 1 ? changed : [...new Set(changed)]
    const { arena } = this.table
    const sizes = levels.map((level) =>
      level < OUTCOME_STEP ? arena.sizeOf(slot, YES, level) : arena.sizeOf(slot, NO, level - OUTCOME_STEP)
    )
    return [levels, sizes]
  }

  private metadata({ id, market, rules }: MarketRecord): Metadata {
    return [market, rules, this.store.discovered(id)?.event ?? null]
  }

  private verdict(slot: number): VerdictFields {
    const { verdicts } = this.table
    const { sequence, venueTimeMs, receivedAtMs, verifiedAtMs } = verdicts.get(slot)
    return [
      verdicts.reasons[slot] as number,
      verdicts.source[slot] as number,
      verdicts.mismatches[slot] as number,
      sequence,
      venueTimeMs,
      receivedAtMs,
      verifiedAtMs
    ]
  }
}

function wholeBook(arena: BookArena, slot: number): WholeBook {
  return [...side(arena, slot, YES), ...side(arena, slot, NO)]
}

function side(arena: BookArena, slot: number, outcome: Outcome): [number[], number[]] {
  const prices: number[] = []
  const sizes: number[] = []
  for (let i = arena.count(slot, outcome) - 1; i >= 0; i--) {
    prices.push(arena.priceAt(slot, outcome, i))
    sizes.push(arena.sizeAt(slot, outcome, i))
  }
  return [prices, sizes]
}
