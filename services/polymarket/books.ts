import type { BookTable } from '../integrity/book-table.ts'
import { LevelList } from '../orderbook/levels.ts'
import { Counters } from '../venue/counters.ts'
import type { DriftKind } from '../venue/drift-watch.ts'
import { BYTES } from '../venue/frame-bytes.ts'
import { AssetIndex } from './asset-index.ts'
import { BookWriter, type CorruptReason, type SeedResult } from './book-writer.ts'
import { ChangeList, MAX_CHANGES, NOT_TOLD } from './change-list.ts'
import { type ParsedBook, type ParsedMessage, type ParsedTrade, parseFrame } from './parse.ts'
import { BookProofs, type ProofStatus } from './proofs.ts'
import { FrameScanner } from './scan.ts'

/** What a message says of a market beyond its book. */
export type Hint =
  | { kind: 'tick_size'; slot: number; tickSize: string }
  | { kind: 'new_market' | 'market_resolved'; conditionId: string }

export interface PolymarketBooksOptions {
  table: BookTable
  /**
   * Called when a fresh book is needed; may be called many times for one. `frame` is the message that showed it;
   * `isNew` is false where the drift or the failed proof of a book was known already.
   */
  onCorrupt?: (
    assetId: string,
    slot: number,
    reason: CorruptReason,
    frame: Buffer | null,
    isNew: boolean
  ) => void
  /** Called with each trade that can be read; `isMirrored` where it is told of the complement. */
  onTrade?: (slot: number, trade: ParsedTrade, isMirrored: boolean, receivedAtMs: number) => void
  onHint?: (hint: Hint) => void
  /** Give every asset a slot of its own at its first snapshot: for recordings, where nobody knows the markets. */
  autoFollow?: boolean
  /** Called for a frame that was not understood, with the reason that it is counted under. */
  onRefused?: (reason: string, frame: Buffer) => void
  /** Off only to measure what it is worth. */
  useScanner?: boolean
  /** Time for proofs, as a share of one core; 0 turns them off. */
  hashBudgetPercent?: number
  now?: () => number
  /** Milliseconds on a clock that never jumps. */
  steadyNow?: () => number
}

/** Reasons under which a frame is ignored because we do not know what it says. */
const NOT_UNDERSTOOD = new Set(['malformed', 'not_utf8', 'unknown_event_type', 'drift', 'market_drift'])

/** In place of a slot, for an element that is the complement of one before it. */
const COMPLEMENT = -2
const DEFAULT_HASH_BUDGET_PERCENT = 10

/**
 * Applies frames of the market channel to the books of followed markets: the only place that does, for the live feed
 * and for recordings alike. One market has one book, that of its first outcome's token; what the venue says of the
 * complement's is its mirror, so it is counted and left out, save for its hash, which proves the same book.
 */
export class PolymarketBooks {
  readonly counters = new Counters()
  private readonly table: BookTable
  private readonly options: Required<Omit<PolymarketBooksOptions, 'table'>>
  private readonly assets: AssetIndex
  private readonly slotsByMarket = new Map<string, number>()
  private readonly bids = new LevelList()
  private readonly asks = new LevelList()
  /** The message that is being applied. */
  private readonly changes = new ChangeList()
  private readonly scanner = new FrameScanner(this.changes, this.bids, this.asks)
  /** Of each of its elements. */
  private readonly slots = new Int32Array(MAX_CHANGES)
  private readonly proofs: BookProofs
  private readonly writer: BookWriter
  /** The frame that is being applied; whether any element was, and why the first that was not was left out. */
  private frame: Buffer | null = null
  private applied = false
  private ignored: string | null = null

  constructor({
    table,
    onCorrupt = () => {},
    onTrade = () => {},
    onHint = () => {},
    onRefused = () => {},
    autoFollow = false,
    useScanner = true,
    hashBudgetPercent = DEFAULT_HASH_BUDGET_PERCENT,
    now = Date.now,
    steadyNow = performance.now.bind(performance)
  }: PolymarketBooksOptions) {
    const { counters, changes, bids, asks } = this
    this.table = table
    this.options = {
      onCorrupt,
      onTrade,
      onHint,
      onRefused,
      autoFollow,
      useScanner,
      hashBudgetPercent,
      now,
      steadyNow
    }
    this.assets = new AssetIndex(table.capacityMarkets)
    const corrupt = (slot: number, reason: CorruptReason, isNew: boolean) =>
      onCorrupt(this.assets.assetOf(slot), slot, reason, this.frame, isNew)
    this.proofs = new BookProofs({
      table,
      counters,
      budgetPercent: hashBudgetPercent,
      onMismatch: corrupt,
      now,
      steadyNow
    })
    const { proofs } = this
    this.writer = new BookWriter({
      table,
      counters,
      proofs,
      changes,
      bids,
      asks,
      onCorrupt: corrupt,
      steadyNow
    })
  }

  /**
   * Applies the frames of a market's first token to the book in `slot`; null where the complement is not known, or
   * the market's condition id.
   */
  follow(
    assetId: string,
    slot: number,
    complementId: string | null,
    conditionId: string | null = null
  ): void {
    this.assets.follow(assetId, slot, complementId)
    this.proofs.follow(slot, assetId, complementId)
    this.writer.reset(slot)
    if (conditionId !== null) this.slotsByMarket.set(conditionId, slot)
  }

  unfollow(assetId: string, complementId: string | null, conditionId: string | null = null): void {
    const slot = this.slotOf(assetId)
    if (slot !== undefined) {
      this.writer.reset(slot)
      this.proofs.unfollow(slot)
    }
    this.assets.unfollow(assetId, complementId)
    if (conditionId !== null) this.slotsByMarket.delete(conditionId)
  }

  slotOf(assetId: string): number | undefined {
    return this.assets.get(assetId)
  }

  assetOf(slot: number): string {
    return this.assets.assetOf(slot)
  }

  /** Returns the complement of the asset in a slot; null where it is not known. */
  complementOf(slot: number): string | null {
    return this.assets.complementOf(slot)
  }

  /** Assets with a book of their own and where it is. */
  followed(): IterableIterator<[assetId: string, slot: number]> {
    return this.assets.entries()
  }

  /** The subscription of a book starts anew: it waits for its snapshot and keeps its last levels, flagged. */
  awaitSnapshot(slot: number): void {
    this.writer.awaitSnapshot(slot)
  }

  /** Goes on with a book where other books, of the same slots, stand: their connection keeps it from now on. */
  takeOver(slot: number, from: PolymarketBooks): void {
    this.writer.takeOver(slot, from.writer)
    this.proofs.forget(slot)
  }

  /** True until a book had its snapshot. */
  isAwaiting(slot: number): boolean {
    return this.writer.isAwaiting(slot)
  }

  /** True when a book cannot be proved for want of what only a REST reading tells. */
  needsFacts(slot: number): boolean {
    return this.proofs.needsFacts(slot)
  }

  proofStatus(): ProofStatus {
    return this.proofs.status()
  }

  /**
   * Applies one frame. Never throws: its elements are applied or left out one by one, and the frame is counted once,
   * as applied when any of them was, or as ignored under the first reason.
   */
  apply(frame: Buffer, receivedAtMs: number): void {
    this.applied = false
    this.ignored = null
    this.frame = frame
    this.applyElements(frame, receivedAtMs)
    this.frame = null
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
    return slot === undefined ? 'unknown' : this.writer.seed(slot, book, receivedAtMs, streaming)
  }

  /**
   * Does what is due when no message comes: ends match groups, proves books that fell silent. With no time (of the
   * steady clock) it ends all groups.
   */
  settle(nowMs = Number.POSITIVE_INFINITY): void {
    this.writer.settle(nowMs)
    this.proofs.settle(nowMs === Number.POSITIVE_INFINITY ? this.options.steadyNow() : nowMs)
  }

  private applyScannedBook(frame: Buffer, receivedAtMs: number): void {
    const { assetStart, assetEnd, hash, timestampMs, lastTradeStart, lastTradeEnd, tickStart, tickEnd } =
      this.changes
    const start = assetStart[0] as number
    const end = assetEnd[0] as number
    const told = timestampMs[0] as number
    let slot = this.assets.find(start, end)
    if (slot < 0) slot = this.slotForNew(frame.toString('latin1', start, end))
    if (slot < 0) return
    const lastTrade =
      lastTradeStart === NOT_TOLD ? null : frame.toString('latin1', lastTradeStart, lastTradeEnd)
    const tickSize = tickStart === NOT_TOLD ? null : frame.toString('latin1', tickStart, tickEnd)
    this.replace(slot, told, hash[0] as number, lastTrade, tickSize, receivedAtMs)
  }

  /** The elements of a message are about one market: its first token, and the complement before or after it. */
  private applyScannedChanges(frame: Buffer, receivedAtMs: number): void {
    const { assets, slots } = this
    const { assetStart, assetEnd, hash, count } = this.changes
    let home = -1
    for (let i = 0; i < count; i++) {
      const start = assetStart[i] as number
      const end = assetEnd[i] as number
      const isTold = home >= 0 && assets.isComplementOf(home, BYTES, start, end)
      const slot = isTold ? COMPLEMENT : assets.find(start, end)
      slots[i] = slot
      if (slot >= 0) home = slot
    }
    let mirrored = NOT_TOLD
    for (let i = 0; i < count; i++) {
      const slot = slots[i] as number
      const start = assetStart[i] as number
      const end = assetEnd[i] as number
      if (slot >= 0) this.change(slot, i, receivedAtMs)
      else if (slot === COMPLEMENT || (home >= 0 && assets.isComplementOf(home, BYTES, start, end))) {
        mirrored = hash[i] as number
        this.ignore('complement')
      } else this.ignoreUnfollowed(frame.toString('latin1', start, end))
    }
    if (mirrored !== NOT_TOLD)
      this.proofs.toldComplement(home, this.changes.timestampMs[0] as number, mirrored)
  }

  private change(slot: number, index: number, receivedAtMs: number): void {
    const leftOut = this.writer.change(slot, index, receivedAtMs)
    if (leftOut === null) this.applied = true
    else this.ignore(leftOut)
  }

  private replace(
    slot: number,
    timestampMs: number,
    hash: number,
    lastTrade: string | null,
    tickSize: string | null,
    receivedAtMs: number
  ): void {
    const leftOut = this.writer.replace(slot, timestampMs, hash, receivedAtMs)
    if (leftOut !== null) {
      this.ignore(leftOut)
      return
    }
    this.applied = true
    if (lastTrade !== null) this.proofs.toldLastTrade(slot, lastTrade)
    if (tickSize !== null) this.proofs.toldTick(slot, tickSize)
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
        this.drift(message.of, message.assetId, message.timestampMs, message.hash)
        return
      case 'market_drift':
        this.driftOfMarket(message.of, message.conditionId)
        return
      case 'trade':
        this.ignore('last_trade_price')
        this.trade(message, receivedAtMs)
        return
      case 'tick_size':
        this.changeTick(message.assetId, message.tickSize, message.timestampMs)
        return
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
    const { assetId, timestampMs, hash, lastTrade, tickSize } = book
    if (!this.writer.readLevels(book)) {
      this.drift('book', assetId, timestampMs, hash)
      return
    }
    const slot = this.assets.get(assetId) ?? this.slotForNew(assetId)
    if (slot >= 0) this.replace(slot, timestampMs, hash, lastTrade, tickSize, receivedAtMs)
  }

  /** An asset that is not followed: in a recording, it is from its first book on. Returns its slot, or -1. */
  private slotForNew(assetId: string): number {
    const slot = this.options.autoFollow ? this.table.allocate() : -1
    if (slot < 0) this.ignoreUnfollowed(assetId)
    else this.follow(assetId, slot, null)
    return slot
  }

  private trade(trade: ParsedTrade, receivedAtMs: number): void {
    const own = this.assets.get(trade.assetId)
    const slot = own ?? this.assets.getComplement(trade.assetId)
    if (slot === undefined) return
    this.proofs.traded(slot, trade.price)
    if (!Number.isNaN(trade.size)) this.options.onTrade(slot, trade, own === undefined, receivedAtMs)
  }

  private changeTick(assetId: string, tickSize: string, timestampMs: number): void {
    const slot = this.assets.get(assetId) ?? this.assets.getComplement(assetId)
    if (slot === undefined) {
      this.ignore('unknown_market')
      return
    }
    this.ignore('tick_size_change')
    this.writer.rehashed(slot)
    this.proofs.tickChanged(slot, tickSize, timestampMs)
    this.options.onHint({ kind: 'tick_size', slot, tickSize })
  }

  private drift(kind: DriftKind, assetId: string, timestampMs: number, hash: number): void {
    const slot = this.assets.get(assetId)
    if (slot === undefined) {
      this.ignoreUnfollowed(assetId)
      return
    }
    this.ignore('drift')
    this.writer.drift(slot, kind, timestampMs, hash)
  }

  private driftOfMarket(kind: DriftKind, conditionId: string): void {
    const slot = this.slotsByMarket.get(conditionId)
    this.ignore(slot === undefined ? 'malformed' : 'drift')
    if (slot !== undefined) this.writer.drift(slot, kind, NOT_TOLD, NOT_TOLD)
  }

  /** Takes note of an element that was left out; the frame's reason is the most telling one. */
  private ignore(reason: string): void {
    if (this.ignored === null || this.ignored === 'complement' || reason === 'drift') this.ignored = reason
  }

  private ignoreUnfollowed(assetId: string): void {
    this.ignore(this.assets.getComplement(assetId) === undefined ? 'unknown_market' : 'complement')
  }
}
