import { ArenaFullError } from '../errors.ts'
import type { BookTable } from '../integrity/book-table.ts'
import { reasonBit } from '../integrity/verdict.ts'
import { ONE_E4, type PriceE4, type SizeE6 } from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import { Counters } from '../venue/counters.ts'
import { BYTES } from '../venue/frame-bytes.ts'
import { AssetIndex } from './asset-index.ts'
import { ChangeList, MAX_CHANGES } from './change-list.ts'
import { Freshness } from './freshness.ts'
import { MatchGroup } from './match-group.ts'
import { type ParsedBook, type ParsedLevel, type ParsedMessage, parseFrame } from './parse.ts'
import { FrameScanner } from './scan.ts'

/** Why the book of one market must be read again. */
export type CorruptReason = 'drift' | 'crossed' | 'snapshot_behind' | 'arena_full'

/** What a message says of a market beyond its book. */
export type Hint =
  | { kind: 'tick_size'; slot: number; tickSize: string }
  | { kind: 'new_market' | 'market_resolved'; conditionId: string }

export interface PolymarketBooksOptions {
  table: BookTable
  /** Called when a fresh book is needed; may be called many times for one. */
  onCorrupt?: (assetId: string, slot: number, reason: CorruptReason) => void
  onHint?: (hint: Hint) => void
  /** Give every asset a slot of its own at its first snapshot: for recordings, where nobody knows the markets. */
  autoFollow?: boolean
  /** Called for a frame that was not understood, with the reason that it is counted under. */
  onRefused?: (reason: string, frame: Buffer) => void
  /** Off only to measure what it is worth. */
  useScanner?: boolean
  /** Milliseconds on a clock that never jumps. */
  steadyNow?: () => number
}

/** What became of a book that was read over REST. */
export type SeedResult = 'taken' | 'older' | 'refused' | 'unknown'

/** A group that got no message for this long has ended; the venue sends the parts of one back to back. */
const GROUP_SILENCE_MS = 100

/** Reasons under which a frame is ignored because we do not know what it says. */
const NOT_UNDERSTOOD = new Set(['malformed', 'not_utf8', 'unknown_event_type', 'drift'])

/** In place of a slot, for an element that is the complement of one before it. */
const COMPLEMENT = -2

const AWAITING = reasonBit('awaiting_snapshot')
const CROSSED = reasonBit('crossed')

/**
 * Applies frames of the market channel to the books of followed markets: the only place that does, for the live feed
 * and for recordings alike. One market has one book, that of its first outcome's token; what the venue says of the
 * complement's is its mirror, so it is counted and left out.
 */
export class PolymarketBooks {
  readonly counters = new Counters()
  private readonly table: BookTable
  private readonly options: Required<Omit<PolymarketBooksOptions, 'table'>>
  private readonly assets: AssetIndex
  private readonly bids = new LevelList()
  private readonly asks = new LevelList()
  /** The message that is being applied. */
  private readonly changes = new ChangeList()
  private readonly scanner = new FrameScanner(this.changes, this.bids, this.asks)
  /** Of each of its elements. */
  private readonly slots = new Int32Array(MAX_CHANGES)
  private readonly held = new Map<number, MatchGroup>()
  private readonly freshness: Freshness
  /** Of the frame that is being applied: whether any element was, and why the first that was not was left out. */
  private applied = false
  private ignored: string | null = null

  constructor({
    table,
    onCorrupt = () => {},
    onHint = () => {},
    onRefused = () => {},
    autoFollow = false,
    useScanner = true,
    steadyNow = performance.now.bind(performance)
  }: PolymarketBooksOptions) {
    this.table = table
    this.options = { onCorrupt, onHint, onRefused, autoFollow, useScanner, steadyNow }
    this.assets = new AssetIndex(table.capacityMarkets)
    this.freshness = new Freshness(table.capacityMarkets)
  }

  /** Applies the frames of a market's first token to the book in `slot`; null where the complement is not known. */
  follow(assetId: string, slot: number, complementId: string | null): void {
    this.assets.follow(assetId, slot, complementId)
    this.freshness.reset(slot)
    this.held.delete(slot)
  }

  unfollow(assetId: string, complementId: string | null): void {
    const slot = this.slotOf(assetId)
    if (slot !== undefined) this.held.delete(slot)
    this.assets.unfollow(assetId, complementId)
  }

  slotOf(assetId: string): number | undefined {
    return this.assets.get(assetId)
  }

  /** Assets with a book of their own and where it is. */
  followed(): IterableIterator<[assetId: string, slot: number]> {
    return this.assets.entries()
  }

  /** The subscription of a book starts anew: it waits for its snapshot and keeps its last levels, flagged. */
  awaitSnapshot(slot: number): void {
    this.held.delete(slot)
    this.freshness.subscribed(slot)
    this.table.raise(slot, 'awaiting_snapshot')
  }

  /** Goes on with a book where other books, of the same slots, stand: their connection keeps it from now on. */
  takeOver(slot: number, from: PolymarketBooks): void {
    this.freshness.copy(slot, from.freshness)
    const group = from.held.get(slot)
    if (group === undefined) this.held.delete(slot)
    else this.held.set(slot, group)
  }

  /** True until a book had its snapshot. */
  isAwaiting(slot: number): boolean {
    return this.has(slot, AWAITING)
  }

  /**
   * Applies one frame. Never throws: its elements are applied or left out one by one, and the frame is counted once,
   * as applied when any of them was, or as ignored under the first reason.
   */
  apply(frame: Buffer, receivedAtMs: number): void {
    this.applied = false
    this.ignored = null
    this.applyElements(frame, receivedAtMs)
    const { counters } = this
    counters.frames++
    if (!this.applied) counters.ignore(this.ignored ?? 'empty')
    else {
      counters.applied++
      // Half of what is sent: not worth a count of its own.
      if (this.ignored !== null && this.ignored !== 'complement') counters.observe(`element_${this.ignored}`)
    }
  }

  private applyElements(frame: Buffer, receivedAtMs: number): void {
    const { scanner } = this
    if (!this.options.useScanner || !scanner.read(frame)) {
      for (const message of parseFrame(frame)) {
        this.applyMessage(message, receivedAtMs)
        const reason = message.kind === 'ignored' ? message.reason : message.kind
        if (NOT_UNDERSTOOD.has(reason)) this.options.onRefused(reason, frame)
      }
      return
    }
    if (scanner.isBook) this.applyScannedBook(frame, receivedAtMs)
    else this.applyScannedChanges(frame, receivedAtMs)
  }

  /**
   * Takes over a book that was read over REST, unless the stream has already told of something later. With
   * `streaming` it stands in for the snapshot that the stream owes or that was lost; without, it only shows the last
   * known levels until the stream's own snapshot comes.
   */
  seed(book: ParsedBook, receivedAtMs: number, streaming: boolean): SeedResult {
    const slot = this.slotOf(book.assetId)
    if (slot === undefined) return 'unknown'
    if (!streaming && !this.has(slot, AWAITING)) return 'older'
    if (!this.freshness.holdsStream(slot, book.timestampMs, book.hash)) return 'older'
    const { timestampMs } = book
    if (!this.readLevels(book) || !this.replaceLevels(slot, timestampMs, receivedAtMs)) return 'refused'
    let isWhole = true
    if (streaming) {
      this.freshness.seeded(slot, timestampMs)
      isWhole = this.resynced(slot)
    } else this.table.setSource(slot, 'poll')
    this.table.touch(slot)
    return isWhole ? 'taken' : 'refused'
  }

  /** Ends the match groups that got no message for a while; with no time (of the steady clock), all of them. */
  settle(nowMs = Number.POSITIVE_INFINITY): void {
    for (const [slot, group] of this.held)
      if (nowMs - group.heardAtMs >= GROUP_SILENCE_MS) this.endGroup(slot, group)
  }

  private applyScannedBook(frame: Buffer, receivedAtMs: number): void {
    const { assetStart, assetEnd, hash, timestampMs } = this.changes
    const start = assetStart[0] as number
    const end = assetEnd[0] as number
    const slot = this.assets.find(start, end)
    if (slot >= 0) this.replaceBook(slot, timestampMs[0] as number, hash[0] as number, receivedAtMs)
    else {
      const assetId = frame.toString('latin1', start, end)
      this.replaceNew(assetId, timestampMs[0] as number, hash[0] as number, receivedAtMs)
    }
  }

  /** The elements of a message are about one market: its first token, and the complement before or after it. */
  private applyScannedChanges(frame: Buffer, receivedAtMs: number): void {
    const { assets, slots } = this
    const { assetStart, assetEnd, count } = this.changes
    let home = -1
    for (let i = 0; i < count; i++) {
      const start = assetStart[i] as number
      const end = assetEnd[i] as number
      const isTold = home >= 0 && assets.isComplementOf(home, BYTES, start, end)
      const slot = isTold ? COMPLEMENT : assets.find(start, end)
      slots[i] = slot
      if (slot >= 0) home = slot
    }
    for (let i = 0; i < count; i++) {
      const slot = slots[i] as number
      const start = assetStart[i] as number
      const end = assetEnd[i] as number
      if (slot >= 0) this.change(slot, i, receivedAtMs)
      else if (slot === COMPLEMENT || (home >= 0 && assets.isComplementOf(home, BYTES, start, end)))
        this.ignore('complement')
      else this.ignoreUnfollowed(frame.toString('latin1', start, end))
    }
  }

  private applyMessage(message: ParsedMessage, receivedAtMs: number): void {
    switch (message.kind) {
      case 'book':
        this.applyBook(message, receivedAtMs)
        return
      case 'change': {
        const slot = this.assets.get(message.assetId)
        this.changes.setFirst(message)
        if (slot === undefined) this.ignoreUnfollowed(message.assetId)
        else this.change(slot, 0, receivedAtMs)
        return
      }
      case 'drift':
        this.drift(message.assetId, message.timestampMs, message.hash)
        return
      case 'tick_size': {
        const slot = this.assets.get(message.assetId) ?? this.assets.getComplement(message.assetId)
        if (slot === undefined) this.ignore('unknown_market')
        else {
          this.ignore('tick_size_change')
          // The tick is part of the hash, and the time of the book stays that of its last change.
          this.freshness.rehashed(slot)
          this.options.onHint({ kind: 'tick_size', slot, tickSize: message.tickSize })
        }
        return
      }
      case 'hint':
        this.ignore(message.hint)
        this.options.onHint({ kind: message.hint, conditionId: message.conditionId })
        return
      case 'observed':
        this.counters.observe(message.reading)
        return
      case 'ignored':
        this.ignore(message.reason)
    }
  }

  private applyBook(book: ParsedBook, receivedAtMs: number): void {
    const { assetId, timestampMs, hash } = book
    const slot = this.assets.get(assetId)
    if (!this.readLevels(book)) this.drift(assetId, timestampMs, hash)
    else if (slot !== undefined) this.replaceBook(slot, timestampMs, hash, receivedAtMs)
    else this.replaceNew(assetId, timestampMs, hash, receivedAtMs)
  }

  /** Puts a book into `bids` and `asks` as the arena keeps it: both ascending, asks as bids for the complement. */
  private readLevels({ bids, asks }: ParsedBook): boolean {
    return fill(this.bids, bids, YES) && fill(this.asks, asks, NO)
  }

  /** A book of an asset that is not followed: in a recording, it is from now on. */
  private replaceNew(assetId: string, timestampMs: number, hash: number, receivedAtMs: number): void {
    const slot = this.options.autoFollow ? this.table.allocate() : -1
    if (slot < 0) {
      this.ignoreUnfollowed(assetId)
      return
    }
    this.follow(assetId, slot, null)
    this.replaceBook(slot, timestampMs, hash, receivedAtMs)
  }

  /** Replaces a book by the levels in `bids` and `asks`. */
  private replaceBook(slot: number, timestampMs: number, hash: number, receivedAtMs: number): void {
    if (this.has(slot, AWAITING)) {
      // A snapshot that lacks changes which were told before it, and left out for want of one, is none.
      if (this.freshness.isBehind(slot, timestampMs, hash)) {
        this.ignore('snapshot_behind')
        this.options.onCorrupt(this.assets.assetOf(slot), slot, 'snapshot_behind')
        return
      }
    } else if (this.freshness.isInSeed(slot, timestampMs)) {
      // After a REST book that was ahead of the stream, the stream's own past is not news.
      this.ignore('before_snapshot')
      return
    }
    this.freshness.streamed(slot, timestampMs, hash)
    if (!this.replaceLevels(slot, timestampMs, receivedAtMs)) {
      this.options.onCorrupt(this.assets.assetOf(slot), slot, 'arena_full')
      return
    }
    this.applied = true
    this.freshness.seeded(slot, 0)
    if (!this.resynced(slot)) this.options.onCorrupt(this.assets.assetOf(slot), slot, 'crossed')
    this.table.touch(slot)
  }

  private replaceLevels(slot: number, timestampMs: number, receivedAtMs: number): boolean {
    const { table } = this
    this.held.delete(slot)
    try {
      table.arena.replace(slot, YES, this.bids)
      table.arena.replace(slot, NO, this.asks)
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
    const isWhole = !table.arena.crossed(slot)
    if (isWhole) table.resynced(slot)
    else {
      // Raised before the others are taken back, so that the book is at no moment live.
      table.raise(slot, 'crossed')
      table.clear(slot, 'awaiting_snapshot', 'arena_full', 'disconnected', 'drift')
    }
    return isWhole
  }

  /** Sets the size at one price of a book as the change at `index` says, or holds it back with its match group. */
  private change(slot: number, index: number, receivedAtMs: number): void {
    const timestampMs = this.changes.timestampMs[0] as number
    const hash = this.changes.hash[index] as number
    this.freshness.streamed(slot, timestampMs, hash)
    if (this.has(slot, AWAITING)) {
      this.ignore('awaiting_snapshot')
      return
    }
    if (this.freshness.isInSeed(slot, timestampMs)) {
      this.ignore('before_snapshot')
      return
    }
    // The arena keeps an ask at p as a bid for the complement at 1 - p.
    const outcome = this.changes.outcome[index] as Outcome
    const told = this.changes.price[index] as PriceE4
    const price = outcome === YES ? told : ONE_E4 - told
    const size = this.changes.size[index] as SizeE6
    let group = this.held.size === 0 ? undefined : this.held.get(slot)
    if (group !== undefined && !group.includes(timestampMs, hash)) {
      this.endGroup(slot, group)
      group = undefined
    }
    try {
      if (group !== undefined || this.wouldCross(slot, outcome, price, size)) {
        group ??= new MatchGroup(timestampMs, hash)
        group.receivedAtMs = receivedAtMs
        group.heardAtMs = this.options.steadyNow()
        group.add(outcome, price, size)
        this.hold(slot, group)
      } else {
        const before = this.table.arena.setLevel(slot, outcome, price, size)
        if (size === 0 && before === 0) this.counters.observe('removal_of_no_level')
        this.table.received(slot, receivedAtMs, timestampMs, Number.NaN)
        this.table.touch(slot)
      }
      this.applied = true
    } catch (error) {
      this.outOfRoom(slot, error)
      this.options.onCorrupt(this.assets.assetOf(slot), slot, 'arena_full')
    }
  }

  /** A book that is already known to be crossed has no state worth keeping: changes go straight in. */
  private wouldCross(slot: number, outcome: Outcome, price: PriceE4, size: SizeE6): boolean {
    if (size === 0) return false
    const opposite = this.table.arena.priceAt(slot, outcome === YES ? NO : YES, 0)
    return opposite >= 0 && price + opposite >= ONE_E4 && !this.has(slot, CROSSED)
  }

  private hold(slot: number, group: MatchGroup): void {
    this.held.set(slot, group)
    if (!group.applyIfWhole(this.table.arena, slot)) return
    this.held.delete(slot)
    this.table.received(slot, group.receivedAtMs, group.timestampMs, Number.NaN)
    this.table.touch(slot)
  }

  /** The group got no more messages and still crosses the book: one of them was lost. */
  private endGroup(slot: number, group: MatchGroup): void {
    this.held.delete(slot)
    try {
      group.apply(this.table.arena, slot)
    } catch (error) {
      this.outOfRoom(slot, error)
      this.options.onCorrupt(this.assets.assetOf(slot), slot, 'arena_full')
      return
    }
    this.table.received(slot, group.receivedAtMs, group.timestampMs, Number.NaN)
    this.corrupt(slot, 'crossed')
    this.table.touch(slot)
  }

  private drift(assetId: string, timestampMs: number, hash: number): void {
    const slot = this.assets.get(assetId)
    if (slot === undefined) {
      this.ignoreUnfollowed(assetId)
      return
    }
    if (timestampMs >= 0) this.freshness.streamed(slot, timestampMs, hash)
    this.ignore('drift')
    this.corrupt(slot, 'drift')
  }

  private corrupt(slot: number, reason: 'drift' | 'crossed'): void {
    this.table.raise(slot, reason)
    this.options.onCorrupt(this.assets.assetOf(slot), slot, reason)
  }

  /** The book does not fit: what is left of it is no book, and no change may build on it. */
  private outOfRoom(slot: number, error: unknown): void {
    if (!(error instanceof ArenaFullError)) throw error
    this.ignore('arena_full')
    this.held.delete(slot)
    this.table.raise(slot, 'awaiting_snapshot')
    this.table.raise(slot, 'arena_full')
  }

  /** Takes note of an element that was left out; the frame's reason is the most telling one. */
  private ignore(reason: string): void {
    if (this.ignored === null || this.ignored === 'complement' || reason === 'drift') this.ignored = reason
  }

  private ignoreUnfollowed(assetId: string): void {
    this.ignore(this.assets.getComplement(assetId) === undefined ? 'unknown_market' : 'complement')
  }

  private has(slot: number, bit: number): boolean {
    return ((this.table.verdicts.reasons[slot] as number) & bit) !== 0
  }
}

function fill(list: LevelList, levels: readonly ParsedLevel[], outcome: Outcome): boolean {
  list.clear()
  for (const { price, size } of levels)
    if (!list.push(outcome === YES ? price : ONE_E4 - price, size)) return false
  return list.sort()
}
