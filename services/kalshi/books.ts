import { ArenaFullError } from '../errors.ts'
import type { BookTable } from '../integrity/book-table.ts'
import { NEEDS_SNAPSHOT } from '../integrity/verdict.ts'
import { NO, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import { ByteIndex } from '../venue/byte-index.ts'
import { Counters } from '../venue/counters.ts'
import { type DriftKind, DriftWatch } from '../venue/drift-watch.ts'
import { BYTES } from '../venue/frame-bytes.ts'
import { FormerTickers } from './former-tickers.ts'
import { KNOWN_TYPES, NOT_UNDERSTOOD } from './known-types.ts'
import {
  CENTS_FORM,
  Delta,
  type Envelope,
  FIXED_FORM,
  type Form,
  parseDelta,
  parseFrame,
  parseSnapshot,
  parseSubscribed,
  parseTicker,
  UNKNOWN_FORM
} from './parse.ts'
import { DeltaScanner } from './scan.ts'
import { KalshiConnection, type KalshiConnectionOptions, type Subscription } from './subscriptions.ts'

/** What made one book doubtful while its neighbours are right. */
export type CorruptReason = 'sequence_gap' | 'drift' | 'negative_level' | 'crossed' | 'arena_full'

export interface KalshiBooksOptions {
  table: BookTable
  /** A number was skipped: every book of the subscription is doubtful now. */
  onGap?: (connection: KalshiConnection, sid: number, expected: number, got: number) => void
  /** One book is doubtful now and needs a snapshot; `isNew` unless it was doubtful for this reason already. */
  onCorrupt?: (slot: number, reason: CorruptReason, connection: KalshiConnection, isNew: boolean) => void
  /** A message that is not about levels: an answer, an error, a lifecycle message. */
  onControl?: (message: Envelope, connection: KalshiConnection) => void
  /** A change of a market that was never subscribed came on a subscription of ours: another market may lack it. */
  onStray?: (connection: KalshiConnection, sid: number) => void
  /** The venue changed the form of its numbers in mid-session: every book of the subscription is doubtful now. */
  onReformed?: (connection: KalshiConnection, sid: number) => void
  /** A frame that was not understood, with the reason that it is counted under and its book, where it names one. */
  onRefused?: (reason: string, frame: Buffer, slot: number | null) => void
  /** For a replay: a market is followed from its first snapshot on. */
  autoFollow?: boolean
  /** As sent in the subscription: NO prices come on the YES scale. */
  useYesPrice?: boolean
  /** Off only to measure what it is worth. */
  useScanner?: boolean
}

/** What the index and the table say when there is none. */
const NO_SLOT = -1

const APPLIED = null
/** Why a frame changed no book; null when it did. */
type Ignored = string | typeof APPLIED

const ignoreAll = () => {}

/**
 * Applies Kalshi's frames to the books: the one place that does. Each `sid` has one counter over all its messages,
 * so a skipped number makes every book of that `sid` doubtful; a number that does not fit, only its own market.
 */
export class KalshiBooks {
  readonly counters = new Counters()
  private readonly options: Required<KalshiBooksOptions>
  private readonly table: BookTable
  private readonly index = new ByteIndex()
  private readonly connections = new Set<KalshiConnection>()
  private readonly scanner: DeltaScanner
  private readonly delta = new Delta()
  private readonly yes = new LevelList()
  private readonly no = new LevelList()
  private readonly drifts = new DriftWatch()
  /** The venue has written exact numbers: what it says in whole cents and contracts may leave something out. */
  private knowsExact = false
  /** Of the frame that is being applied. */
  private from: KalshiConnection
  private receivedAtMs = 0
  /** The book of the frame that was not understood. */
  private refusedSlot: number | null = null
  private readonly former = new FormerTickers()

  constructor(options: KalshiBooksOptions) {
    this.options = {
      onGap: ignoreAll,
      onCorrupt: ignoreAll,
      onControl: ignoreAll,
      onStray: ignoreAll,
      onReformed: ignoreAll,
      onRefused: ignoreAll,
      autoFollow: false,
      useYesPrice: false,
      useScanner: true,
      ...options
    }
    this.table = options.table
    this.scanner = new DeltaScanner(this.options)
    this.from = new KalshiConnection()
  }

  /** Returns what keeps the counters of one connection; `drop` it when the connection is lost. */
  connection(options?: KalshiConnectionOptions): KalshiConnection {
    const connection = new KalshiConnection(options)
    this.connections.add(connection)
    return connection
  }

  drop(connection: KalshiConnection): void {
    this.connections.delete(connection)
  }

  /** Goes on with a connection where other books, of the same slots, have counted until now. */
  adopt(connection: KalshiConnection): void {
    this.connections.add(connection)
    // These books may know more of the venue's forms than those: the next message of each subscription is judged anew.
    for (const subscription of connection.subscriptions()) subscription.form = UNKNOWN_FORM
  }

  follow(ticker: string, slot: number): void {
    this.index.set(ticker, slot)
  }

  unfollow(ticker: string): void {
    const slot = this.index.get(ticker)
    if (slot === undefined) return
    this.index.delete(ticker)
    this.former.add(ticker)
    this.drifts.forget(slot)
    for (const connection of this.connections) connection.forget(slot)
  }

  slotOf(ticker: string): number | undefined {
    return this.index.get(ticker)
  }

  /** Followed tickers with their slots. */
  followed(): IterableIterator<[string, number]> {
    return this.index.entries()
  }

  /** Returns drifted books whose messages can be read again, once: snapshots may have been useless until now. */
  readableAgain(): number[] {
    return this.drifts.size === 0 ? [] : this.drifts.takeReadable()
  }

  /** Takes one frame of any bytes. Every frame is counted once: as applied, or as ignored under one reason. */
  apply(frame: Buffer, receivedAtMs: number, connection: KalshiConnection): void {
    const { counters, scanner } = this
    this.from = connection
    this.receivedAtMs = receivedAtMs
    counters.frames++
    const ignored =
      this.options.useScanner && scanner.scan(frame) ? this.applyScanned() : this.applyParsed(frame)
    if (ignored === APPLIED) {
      counters.applied++
      return
    }
    counters.ignore(ignored)
    if (NOT_UNDERSTOOD.has(ignored)) this.options.onRefused(ignored, frame, this.refusedSlot)
    this.refusedSlot = null
  }

  private applyScanned(): Ignored {
    const { sid, seq, tickerStart, tickerEnd, delta } = this.scanner
    const subscription = this.from.on(sid, seq)
    const step = this.step(subscription, seq)
    if (step !== 'next') return step
    const slot = this.index.find(tickerStart, tickerEnd)
    if (slot === NO_SLOT) return this.unknown(textOf(tickerStart, tickerEnd), subscription)
    return this.applyDelta(slot, delta, seq, subscription)
  }

  private applyParsed(frame: Buffer): Ignored {
    const message = parseFrame(frame)
    if (typeof message === 'string') return message
    const { type, sid, seq, msg } = message
    const subscription = sid === null || seq === null ? null : this.from.on(sid, seq)
    const step = subscription === null || seq === null ? 'next' : this.step(subscription, seq)
    const isAboutBook = type === 'orderbook_delta' || type === 'orderbook_snapshot'
    // Whether an error takes a number of its own is not sure, and a terminal one must not be missed. An answer that
    // comes late still answers; a book's message that does is in the snapshot that its gap has asked for.
    if (step === 'duplicate' && type !== 'error') return step
    if (!isAboutBook) return this.control(message)
    const ticker = parseTicker(msg)
    if (ticker === null) return this.refuseAll(subscription)
    const slot = this.index.get(ticker) ?? NO_SLOT
    const kind = type === 'orderbook_delta' ? 'change' : 'book'
    if (subscription === null || seq === null) return this.refuse(slot, kind)
    if (step === 'late' && slot !== NO_SLOT) return this.late(type, slot)
    if (type === 'orderbook_snapshot') return this.applySnapshot(ticker, slot, msg, seq, subscription)
    if (slot === NO_SLOT) return this.unknown(ticker, subscription)
    return parseDelta(msg, this.options.useYesPrice, this.delta)
      ? this.applyDelta(slot, this.delta, seq, subscription)
      : this.refuse(slot, kind)
  }

  /** Counts a message: `next` when it is to be taken. A gap makes every book of the subscription doubtful. */
  private step(subscription: Subscription, seq: number): 'next' | 'duplicate' | 'late' {
    const { tracker, sid, slots } = subscription
    if (subscription.mayRestart) this.restart(subscription, seq)
    const { expected } = tracker
    const step = tracker.check(seq)
    if (step !== 'gap') return step
    for (const slot of slots) this.table.raise(slot, 'sequence_gap')
    this.options.onGap(this.from, sid, expected, seq)
    return 'next'
  }

  /** A recording may run on over a reconnect: its books then wait for their snapshots again. */
  private restart(subscription: Subscription, seq: number): void {
    subscription.mayRestart = false
    if (seq !== 1) return
    subscription.tracker.expected = 1
    subscription.missed.clear()
    for (const slot of subscription.slots) this.table.raise(slot, 'awaiting_snapshot')
    subscription.slots.clear()
  }

  private applyDelta(
    slot: number,
    { outcome, price, change, venueTimeMs, form }: Delta,
    seq: number,
    subscription: Subscription
  ): Ignored {
    const { table } = this
    const { arena } = table
    if (form !== subscription.form) this.reform(subscription, form)
    if (form === CENTS_FORM && this.knowsExact) return this.refuse(slot, 'change')
    this.drifts.changes++
    if (this.needsSnapshot(slot)) {
      subscription.missed.set(slot, Math.max(seq, subscription.missed.get(slot) ?? 0))
      return 'awaiting_snapshot'
    }
    let size: number
    try {
      size = arena.changeLevel(slot, outcome, price, change)
    } catch (error) {
      return this.full(slot, error)
    }
    if (size < 0) return this.corrupt(slot, 'negative_level')
    table.received(slot, this.receivedAtMs, venueTimeMs, seq)
    // Only a level that became the best, or grew there, can have crossed the book.
    if (change > 0 && arena.priceAt(slot, outcome, 0) === price && arena.crossed(slot)) {
      this.corrupt(slot, 'crossed')
    }
    table.touch(slot)
    return APPLIED
  }

  private applySnapshot(
    ticker: string,
    known: number,
    msg: unknown,
    seq: number,
    subscription: Subscription
  ): Ignored {
    const { table, options, yes, no } = this
    if (known === NO_SLOT && !options.autoFollow) return 'unknown_market'
    const slot = known === NO_SLOT ? table.allocate() : known
    if (slot === NO_SLOT) return 'no_slot'
    if (known === NO_SLOT) this.follow(ticker, slot)
    subscription.slots.add(slot)
    // A change of this very book has overtaken it.
    if (seq < (subscription.missed.get(slot) ?? 0)) return this.corrupt(slot, 'sequence_gap')
    subscription.missed.delete(slot)
    const form = parseSnapshot(msg, options.useYesPrice, yes, no)
    if (form === null) return this.refuse(slot, 'book')
    // Changes teach which form the venue writes; a book in another one tells first that it has changed.
    if (this.knowsExact && form !== UNKNOWN_FORM && form !== subscription.form)
      this.reform(subscription, form)
    // An empty book has no form of its own: what whole cents cannot say would be missing in it too.
    if (subscription.form === CENTS_FORM && this.knowsExact) return this.refuse(slot, 'book')
    this.drifts.books++
    try {
      table.arena.replace(slot, YES, yes)
      table.arena.replace(slot, NO, no)
    } catch (error) {
      return this.full(slot, error)
    }
    table.received(slot, this.receivedAtMs, Number.NaN, seq)
    // While changes cannot be read, the next one would spoil this book as the last one did: it is asked for again.
    if (this.drifts.size === 0 || this.drifts.replaced(slot)) table.resynced(slot)
    if (table.arena.crossed(slot)) this.corrupt(slot, 'crossed')
    table.touch(slot)
    return APPLIED
  }

  private control(message: Envelope): Ignored {
    const { type, msg, sid } = message
    if (!KNOWN_TYPES.has(type)) return 'unknown_type'
    if (type === 'subscribed') {
      const opened = parseSubscribed(msg)
      if (opened !== null) this.from.subscribed(opened.sid)
    }
    if (type === 'unsubscribed' && sid !== null) this.from.end(sid)
    this.options.onControl(message, this.from)
    return type
  }

  /** The book does not fit: what is left of it is no book, and no delta may build on it. */
  private full(slot: number, error: unknown): Ignored {
    if (!(error instanceof ArenaFullError)) throw error
    this.table.raise(slot, 'awaiting_snapshot')
    return this.corrupt(slot, 'arena_full')
  }

  /**
   * The form has changed: changes of one form may not fit a book of the other. After a fall back to cents, changes
   * that cents cannot say may be missing without a trace, so all books drift until exact numbers come again.
   */
  private reform(subscription: Subscription, form: Form): void {
    const before = subscription.form
    subscription.form = form
    if (form === FIXED_FORM) this.knowsExact = true
    const isFallBack = form === CENTS_FORM && this.knowsExact
    if (before === UNKNOWN_FORM && !isFallBack) return
    for (const slot of subscription.slots) {
      this.table.raise(slot, 'drift')
      if (isFallBack) this.drifts.note(slot, 'change')
    }
    this.options.onReformed(this.from, subscription.sid)
  }

  /** What is behind the counter is no base: a change that stood behind it may be lost. */
  private late(type: string, slot: number): Ignored {
    if (type === 'orderbook_snapshot' && this.needsSnapshot(slot)) this.corrupt(slot, 'sequence_gap')
    return 'late'
  }

  private needsSnapshot(slot: number): boolean {
    return ((this.table.verdicts.reasons[slot] as number) & NEEDS_SNAPSHOT) !== 0
  }

  private unknown(ticker: string, { sid }: Subscription): Ignored {
    // In a replay a market is known from its first snapshot on.
    if (this.options.autoFollow) return 'awaiting_snapshot'
    if (!this.former.has(ticker)) this.options.onStray(this.from, sid)
    return 'unknown_market'
  }

  private corrupt(slot: number, reason: CorruptReason): Ignored {
    const isNew = !this.table.verdicts.has(slot, reason)
    this.table.raise(slot, reason)
    this.options.onCorrupt(slot, reason, this.from, isNew)
    return reason
  }

  /** A message about one book was not understood: that book may have lost a change. */
  private refuse(slot: number, kind: DriftKind): Ignored {
    if (slot === NO_SLOT) return 'unknown_market'
    this.drifts.note(slot, kind)
    this.refusedSlot = slot
    return this.corrupt(slot, 'drift')
  }

  /** A message about a book names no market: any book of the subscription may have lost a change. */
  private refuseAll(subscription: Subscription | null): Ignored {
    for (const slot of subscription?.slots ?? []) {
      this.drifts.note(slot, 'change')
      this.corrupt(slot, 'drift')
    }
    return 'drift'
  }
}

/** The ASCII text that stands in the held frame. */
function textOf(start: number, end: number): string {
  return String.fromCharCode(...BYTES.subarray(start, end))
}
