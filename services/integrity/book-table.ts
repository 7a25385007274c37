import { BookArena } from '../orderbook/arena.ts'
import { type BookListener, BookListeners } from './book-listeners.ts'
import {
  NEEDS_SNAPSHOT,
  reasonBit,
  reasonBits,
  SOURCES,
  stateOf,
  type VerdictReason,
  type VerdictSource,
  VerdictTable
} from './verdict.ts'

export interface BookTableOptions {
  capacityMarkets: number
  capacityLevels: number
}

/**
 * All books with their verdicts, by slot: a small integer that stands for a market while it is served. Whoever
 * changes a book says so once with `touch`, after the change is whole.
 */
export class BookTable {
  readonly arena: BookArena
  readonly verdicts: VerdictTable
  /** Raised by every change of a book, its verdict or its market: the one truth for ETags and caches. */
  readonly versions: Uint32Array
  readonly capacityMarkets: number
  /** Called after every change, synchronously; set once by the store. Must not throw. */
  onTouch: (slot: number) => void = () => {}
  /** Called when a change of reasons changed the state. */
  onState: (slot: number) => void = () => {}
  /** Called when the source of a book changed. */
  onSource: (slot: number) => void = () => {}
  /** Who hears of all changes; null costs a compare. */
  private listener: BookListener | null = null
  private listeners: readonly BookListener[] = []
  private readonly freeSlots: number[] = []
  private used = 0
  /** Who is told of a slot's changes besides `onTouch`: an index into `watchers`; 0 for most, who cost a compare. */
  private readonly watched: Uint8Array
  private readonly watchers: ((slot: number) => void)[] = [() => {}]

  constructor({ capacityMarkets, capacityLevels }: BookTableOptions) {
    this.capacityMarkets = capacityMarkets
    this.arena = new BookArena(capacityMarkets, capacityLevels)
    this.verdicts = new VerdictTable(capacityMarkets)
    this.versions = new Uint32Array(capacityMarkets)
    this.watched = new Uint8Array(capacityMarkets)
  }

  /** Returns a slot for a new market, awaiting its snapshot; -1 when the table is full. */
  allocate(): number {
    const slot = this.freeSlots.pop() ?? (this.used < this.capacityMarkets ? this.used++ : -1)
    if (slot >= 0) this.verdicts.reset(slot)
    return slot
  }

  /** Frees the slot of a market that is no longer served. Its version goes on, so that no cache mistakes the next. */
  release(slot: number): void {
    this.arena.release(slot)
    this.touch(slot)
    this.unwatch(slot)
    this.freeSlots.push(slot)
  }

  touch(slot: number): void {
    this.versions[slot] = (this.versions[slot] as number) + 1
    // First: who is told next may change the book again, and the log has the changes in their order.
    if (this.listener !== null) this.listener.touched(slot)
    const watcher = this.watched[slot] as number
    if (watcher !== 0) (this.watchers[watcher] as (slot: number) => void)(slot)
    this.onTouch(slot)
  }

  /** Adds one that hears of every change of every book, synchronously; returns what ends it. */
  listen(listener: BookListener): () => void {
    this.hearWith([...this.listeners, listener])
    return () => this.hearWith(this.listeners.filter((one) => one !== listener))
  }

  /** Returns the number of one that is told of every change of the slots that it watches, synchronously. */
  addWatcher(onTouch: (slot: number) => void): number {
    return this.watchers.push(onTouch) - 1
  }

  /** A slot has one watcher: the one that keeps an eye on its venue. */
  watch(slot: number, watcher: number): void {
    this.watched[slot] = watcher
  }

  unwatch(slot: number): void {
    this.watched[slot] = 0
  }

  /** Records that a message for this market came: our clock, the venue's clock (NaN if it sent none). */
  received(slot: number, receivedAtMs: number, venueTimeMs: number, sequence: number): void {
    this.verdicts.received(slot, receivedAtMs, venueTimeMs, sequence)
  }

  /** Says where the book comes from now. As with a book's levels, whoever calls it touches the slot after. */
  setSource(slot: number, source: VerdictSource): void {
    if (this.verdicts.sourceOf(slot) === source) return
    this.verdicts.source[slot] = SOURCES.indexOf(source)
    this.onSource(slot)
  }

  /** Adds a reason for not being live. */
  raise(slot: number, reason: VerdictReason): void {
    const before = this.verdicts.reasons[slot] as number
    this.become(slot, before, before | reasonBit(reason))
  }

  /** Takes reasons back. */
  clear(slot: number, ...reasons: VerdictReason[]): void {
    const before = this.verdicts.reasons[slot] as number
    let after = before
    for (const reason of reasons) after &= ~reasonBit(reason)
    this.become(slot, before, after)
  }

  /** Takes back every reason that a whole fresh book answers: unsynced, doubtful, disconnected. */
  resynced(slot: number): void {
    const before = this.verdicts.reasons[slot] as number
    this.become(slot, before, before & ~ANSWERED_BY_SNAPSHOT)
  }

  /**
   * Takes over all reasons at once, as a replica does that is told them, and touches the slot whether they are new or not:
   * the change of the book that they belong to is whole then.
   */
  assume(slot: number, reasons: number): void {
    const before = this.verdicts.reasons[slot] as number
    this.verdicts.reasons[slot] = reasons
    if (stateOf(before) !== stateOf(reasons)) this.onState(slot)
    this.touch(slot)
  }

  private hearWith(listeners: readonly BookListener[]): void {
    const [first = null] = listeners
    this.listeners = listeners
    this.listener = listeners.length > 1 ? new BookListeners(listeners) : first
    this.arena.listener = this.listener
  }

  private become(slot: number, before: number, after: number): void {
    if (before === after >>> 0) return
    this.verdicts.reasons[slot] = after
    if (stateOf(before) !== stateOf(after)) this.onState(slot)
    this.touch(slot)
  }
}

const ANSWERED_BY_SNAPSHOT =
  NEEDS_SNAPSHOT | reasonBits(['hash_mismatch', 'audit_mismatch', 'disconnected', 'silent', 'poll_overdue'])
