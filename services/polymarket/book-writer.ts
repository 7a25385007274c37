import { ArenaFullError } from '../errors.ts'
import type { BookTable } from '../integrity/book-table.ts'
import { reasonBit } from '../integrity/verdict.ts'
import { ONE_E4, type PriceE4, type SizeE6 } from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import type { LevelList } from '../orderbook/levels.ts'
import type { Counters } from '../venue/counters.ts'
import { type DriftKind, DriftWatch } from '../venue/drift-watch.ts'
import { type ChangeList, NOT_TOLD } from './change-list.ts'
import { Freshness } from './freshness.ts'
import { MatchGroup } from './match-group.ts'
import type { ParsedBook, ParsedLevel } from './parse.ts'
import type { BookProofs } from './proofs.ts'

/** Why the book of one market must be read again. */
export type CorruptReason =
  | 'drift'
  | 'crossed'
  | 'snapshot_behind'
  | 'arena_full'
  | 'hash_mismatch'
  | 'best_price_mismatch'

/** What became of a book that was read over REST. */
export type SeedResult = 'taken' | 'older' | 'refused' | 'unknown'

/** Why a message changed no book; null when it did. */
export type LeftOut =
  | 'awaiting_snapshot'
  | 'before_snapshot'
  | 'snapshot_behind'
  | 'arena_full'
  | 'drift'
  | null

export interface BookWriterOptions {
  table: BookTable
  counters: Counters
  proofs: BookProofs
  /** The message that is being applied. */
  changes: ChangeList
  bids: LevelList
  asks: LevelList
  /** `isNew` is false where the drift or the failed proof of a book was known already. */
  onCorrupt: (slot: number, reason: CorruptReason, isNew: boolean) => void
  steadyNow: () => number
}

/** A group that got no message for this long has ended; the venue sends the parts of one back to back. */
const GROUP_SILENCE_MS = 100

/** What any whole book answers, be it crossed or of a market whose messages are not understood. */
const ANSWERED = [
  'awaiting_snapshot',
  'arena_full',
  'disconnected',
  'hash_mismatch',
  'audit_mismatch'
] as const

const AWAITING = reasonBit('awaiting_snapshot')
const CROSSED = reasonBit('crossed')

/** Writes what messages say into the books, by slot, and says of each book how far it can be trusted. */
export class BookWriter {
  private readonly options: BookWriterOptions
  private readonly table: BookTable
  private readonly changes: ChangeList
  private readonly proofs: BookProofs
  private readonly held = new Map<number, MatchGroup>()
  private readonly freshness: Freshness
  private readonly drifts = new DriftWatch()

  constructor(options: BookWriterOptions) {
    this.options = options
    this.table = options.table
    this.changes = options.changes
    this.proofs = options.proofs
    this.freshness = new Freshness(options.table.capacityMarkets)
  }

  /** A slot is another market's from now on, or nobody's. */
  reset(slot: number): void {
    this.freshness.reset(slot)
    this.held.delete(slot)
    this.drifts.forget(slot)
  }

  /** The subscription of a book starts anew: it waits for its snapshot and keeps its last levels, flagged. */
  awaitSnapshot(slot: number): void {
    this.held.delete(slot)
    this.freshness.subscribed(slot)
    this.proofs.forget(slot)
    this.table.raise(slot, 'awaiting_snapshot')
  }

  /** See `PolymarketBooks.takeOver`. */
  takeOver(slot: number, from: BookWriter): void {
    this.freshness.copy(slot, from.freshness)
    const group = from.held.get(slot)
    if (group === undefined) this.held.delete(slot)
    else this.held.set(slot, group)
  }

  /** True until a book had its snapshot. */
  isAwaiting(slot: number): boolean {
    return this.has(slot, AWAITING)
  }

  /** See `PolymarketBooks.seed`. */
  seed(slot: number, book: ParsedBook, receivedAtMs: number, streaming: boolean): SeedResult {
    const { timestampMs, hash, lastTrade } = book
    const { bids, asks } = this.options
    const isReadable = this.readLevels(book)
    if (isReadable) this.proofs.learn(slot, book, bids, asks)
    if (!streaming && !this.has(slot, AWAITING)) return 'older'
    if (!this.freshness.holdsStream(slot, timestampMs, hash)) return 'older'
    if (!isReadable || !this.replaceLevels(slot, timestampMs, receivedAtMs)) return 'refused'
    let isWhole = true
    if (streaming) {
      this.freshness.seeded(slot, timestampMs, this.options.steadyNow())
      if (lastTrade !== null) this.proofs.toldLastTrade(slot, lastTrade)
      isWhole = this.resynced(slot)
      this.prove(slot, timestampMs, hash)
    } else this.table.setSource(slot, 'poll')
    this.table.touch(slot)
    return isWhole ? 'taken' : 'refused'
  }

  /** Ends the match groups that got no message for a while; with no time (of the steady clock), all of them. */
  settle(nowMs: number): void {
    for (const [slot, group] of this.held)
      if (nowMs - group.heardAtMs >= GROUP_SILENCE_MS) this.endGroup(slot, group)
    if (this.drifts.size === 0) return
    for (const slot of this.drifts.takeOver()) this.table.clear(slot, 'drift')
  }

  /** Replaces a book by the levels in `bids` and `asks`. */
  replace(slot: number, timestampMs: number, hash: number, receivedAtMs: number): LeftOut {
    if (this.has(slot, AWAITING)) {
      // A snapshot that lacks changes which were told before it, and left out for want of one, is none.
      if (this.freshness.isBehind(slot, timestampMs, hash)) {
        this.options.onCorrupt(slot, 'snapshot_behind', true)
        return 'snapshot_behind'
      }
    } else if (this.freshness.isInSeed(slot, timestampMs, this.options.steadyNow)) {
      // After a REST book that was ahead of the stream, the stream's own past is not news.
      return 'before_snapshot'
    }
    this.proofs.begin(slot, timestampMs, hash)
    this.freshness.streamed(slot, timestampMs, hash)
    if (!this.replaceLevels(slot, timestampMs, receivedAtMs)) {
      this.options.onCorrupt(slot, 'arena_full', true)
      return 'arena_full'
    }
    this.drifts.books++
    this.freshness.unseeded(slot)
    if (!this.resynced(slot)) this.options.onCorrupt(slot, 'crossed', true)
    this.proofs.told(slot, timestampMs, hash, NOT_TOLD, NOT_TOLD)
    this.table.touch(slot)
    return null
  }

  /** Sets the size at one price of a book as the change at `index` says, or holds it back with its match group. */
  change(slot: number, index: number, receivedAtMs: number): LeftOut {
    const { changes, proofs } = this
    const timestampMs = changes.timestampMs[0] as number
    const hash = changes.hash[index] as number
    this.drifts.changes++
    this.freshness.streamed(slot, timestampMs, hash)
    if (this.has(slot, AWAITING)) return 'awaiting_snapshot'
    if (this.freshness.isInSeed(slot, timestampMs, this.options.steadyNow)) return 'before_snapshot'
    // The arena keeps an ask at p as a bid for the complement at 1 - p.
    const outcome = changes.outcome[index] as Outcome
    const told = changes.price[index] as PriceE4
    const price = outcome === YES ? told : ONE_E4 - told
    const size = changes.size[index] as SizeE6
    let group = this.held.size === 0 ? undefined : this.held.get(slot)
    if (group !== undefined && !group.includes(timestampMs, hash)) {
      this.endGroup(slot, group)
      group = undefined
    }
    proofs.begin(slot, timestampMs, hash)
    try {
      if (group !== undefined || this.wouldCross(slot, outcome, price, size)) {
        group ??= new MatchGroup(timestampMs, hash)
        group.receivedAtMs = receivedAtMs
        group.heardAtMs = this.options.steadyNow()
        if (size < this.table.arena.sizeOf(slot, outcome, price)) proofs.reduced(slot, told)
        group.add(outcome, price, size)
        if (!this.applyWhole(slot, group)) return null
      } else {
        const before = this.table.arena.setLevel(slot, outcome, price, size)
        if (size < before) proofs.reduced(slot, told)
        else if (size === 0 && before === 0) this.options.counters.observe('removal_of_no_level')
        this.table.received(slot, receivedAtMs, timestampMs, Number.NaN)
        this.table.touch(slot)
      }
    } catch (error) {
      this.outOfRoom(slot, error)
      this.options.onCorrupt(slot, 'arena_full', true)
      return 'arena_full'
    }
    proofs.told(slot, timestampMs, hash, changes.bestBid[index] as number, changes.bestAsk[index] as number)
    return null
  }

  /** A message about a book was not understood. Time and hash as far as readable, else -1. */
  drift(slot: number, kind: DriftKind, timestampMs: number, hash: number): void {
    if (timestampMs >= 0) this.freshness.streamed(slot, timestampMs, hash)
    this.drifts.note(slot, kind)
    this.corrupt(slot, 'drift')
  }

  /** The tick is part of the hash, and the time of the book stays that of its last change. */
  rehashed(slot: number): void {
    this.freshness.rehashed(slot)
  }

  /** Puts a book into `bids` and `asks` as the arena keeps it: both ascending, asks as bids for the complement. */
  readLevels(book: ParsedBook): boolean {
    return fillBook(book, this.options.bids, this.options.asks)
  }

  private prove(slot: number, timestampMs: number, hash: number): void {
    this.proofs.forget(slot)
    this.proofs.told(slot, timestampMs, hash, NOT_TOLD, NOT_TOLD)
    this.proofs.prove(slot)
  }

  private replaceLevels(slot: number, timestampMs: number, receivedAtMs: number): boolean {
    const { table } = this
    const { bids, asks } = this.options
    this.held.delete(slot)
    try {
      table.arena.replace(slot, YES, bids)
      table.arena.replace(slot, NO, asks)
    } catch (error) {
      // One side may be of the new book and the other of the old one.
      table.arena.release(slot)
      this.outOfRoom(slot, error)
      return false
    }
    table.received(slot, receivedAtMs, timestampMs, Number.NaN)
    return true
  }

  /** Takes back what a whole book answers; false for one that is crossed by itself. */
  private resynced(slot: number): boolean {
    const { table } = this
    table.setSource(slot, 'websocket')
    const isUnderstood = this.drifts.size === 0 || this.drifts.replaced(slot)
    const isWhole = !table.arena.crossed(slot)
    if (isWhole && isUnderstood) table.resynced(slot)
    else {
      // Raised before the others are taken back, so that the book is at no moment live.
      if (!isWhole) table.raise(slot, 'crossed')
      table.clear(slot, ...ANSWERED)
      if (isUnderstood) table.clear(slot, 'drift')
      if (isWhole) table.clear(slot, 'crossed')
    }
    return isWhole
  }

  /** A book that is already known to be crossed has no state worth keeping: changes go straight in. */
  private wouldCross(slot: number, outcome: Outcome, price: PriceE4, size: SizeE6): boolean {
    if (size === 0) return false
    const opposite = this.table.arena.priceAt(slot, outcome === YES ? NO : YES, 0)
    return opposite >= 0 && price + opposite >= ONE_E4 && !this.has(slot, CROSSED)
  }

  private applyWhole(slot: number, group: MatchGroup): boolean {
    this.held.set(slot, group)
    if (!group.applyIfWhole(this.table.arena, slot)) return false
    this.held.delete(slot)
    this.table.received(slot, group.receivedAtMs, group.timestampMs, Number.NaN)
    this.table.touch(slot)
    return true
  }

  /** The group got no more messages and still crosses the book: one of them was lost. */
  private endGroup(slot: number, group: MatchGroup): void {
    this.held.delete(slot)
    try {
      group.apply(this.table.arena, slot)
    } catch (error) {
      this.outOfRoom(slot, error)
      this.options.onCorrupt(slot, 'arena_full', true)
      return
    }
    this.table.received(slot, group.receivedAtMs, group.timestampMs, Number.NaN)
    this.corrupt(slot, 'crossed')
    this.table.touch(slot)
  }

  private corrupt(slot: number, reason: 'drift' | 'crossed'): void {
    const isNew = !this.table.verdicts.has(slot, reason)
    this.table.raise(slot, reason)
    this.options.onCorrupt(slot, reason, isNew)
  }

  /** The book does not fit: what is left of it is no book, and no change may build on it. */
  private outOfRoom(slot: number, error: unknown): void {
    if (!(error instanceof ArenaFullError)) throw error
    this.held.delete(slot)
    this.table.raise(slot, 'awaiting_snapshot')
    this.table.raise(slot, 'arena_full')
  }

  private has(slot: number, bit: number): boolean {
    return ((this.table.verdicts.reasons[slot] as number) & bit) !== 0
  }
}

/** Puts a book into two lists of ascending prices: bids, and asks as bids for the complement; false if it is none. */
export function fillBook({ bids, asks }: ParsedBook, yes: LevelList, no: LevelList): boolean {
  return fill(yes, bids, YES) && fill(no, asks, NO)
}

function fill(list: LevelList, levels: readonly ParsedLevel[], outcome: Outcome): boolean {
  list.clear()
  for (const { price, size } of levels)
    if (!list.push(outcome === YES ? price : ONE_E4 - price, size)) return false
  return list.sort()
}
