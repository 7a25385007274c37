import {
  REASONS,
  SOURCES,
  stateOf,
  type VerdictReason,
  type VerdictSource,
  type VerdictState
} from '../../integrity/verdict.ts'
import { NO, YES } from '../../orderbook/arena.ts'
import { coverageOf } from '../coverage.ts'
import type { JournalHole, JournalRecord } from '../journal/record.ts'
import type { ProofHole } from '../read/reader.ts'
import { standstillBetween } from '../standstill.ts'
import { ALIVE, ChangeCursor, type ChangeHead, SIGN_SLOT, STARTED } from './change-buffer.ts'
import { type BookCheckpoint, numberOf, parseCheckpoint } from './checkpoint.ts'
import { RebuiltBook } from './rebuilt-book.ts'

/** A record's place in the log. */
export interface LogEntry {
  number: number
  /** It says that a run began. */
  isStart: boolean
}

/** Follows one market through the log. */
export class BookReplay {
  readonly book = new RebuiltBook()
  /** Time of the last checkpoint; null before the first, and while the market is not served. */
  baseAtMs: number | null = null
  /** Changes since the last checkpoint. */
  deltas = 0
  /** What the last change or checkpoint said. */
  head: ChangeHead | null = null
  /** Why the book is none that the log proves, since the last checkpoint. */
  private broken: ProofHole | null = null
  /** Since when the book's own verdict says that it may be wrong, or that it is only polled. */
  private doubtfulSinceMs: number | null = null
  /** The last time in which whoever keeps the log stood still. */
  private standstill: ProofHole | null = null
  /** Up to when the log tells something, be it a hole. */
  lastAtMs = Number.NEGATIVE_INFINITY
  /** Of the last record; null before the first. */
  private number: number | null = null
  private readonly marketId: string

  constructor(marketId: string) {
    this.marketId = marketId
  }

  get state(): VerdictState {
    return stateOf(this.head?.reasons ?? 0)
  }

  get reason(): VerdictReason | null {
    const reasons = this.head?.reasons ?? 0
    return reasons === 0 ? null : firstReason(reasons)
  }

  /** Takes the next record of the log, and calls `onChange` for what it changes of this market. */
  take(record: JournalRecord, onChange: () => void = () => {}): void {
    const { kind, atMs, body } = record
    if (kind === 'hole') {
      this.takeHole(JSON.parse(body.toString()) as JournalHole)
      return
    }
    const entry = entryOf(record)
    if (entry === null) return
    this.check(entry, atMs)
    if (kind === 'book') this.takeChanges(body, atMs, onChange)
    else this.takeCheckpoint(body, atMs, onChange)
    this.lastAtMs = Math.max(this.lastAtMs, atMs)
  }

  /** Returns the stretch in which records are missing right before this one; null when none are. */
  missingBefore({ number, isStart }: LogEntry, atMs: number): ProofHole | null {
    if (isStart) return { fromMs: this.lastAtMs, toMs: atMs, reason: 'restart' }
    if (this.number !== null && number !== (this.number + 1) >>> 0)
      return { fromMs: this.lastAtMs, toMs: atMs, reason: 'record_lost' }
    return this.standstillBefore(atMs)
  }

  /** Returns the standstill right before an instant at which the log goes on; null when there is none. */
  standstillBefore(atMs: number): ProofHole | null {
    const stretch = Number.isFinite(this.lastAtMs) ? standstillBetween(this.lastAtMs, atMs) : null
    return stretch && { ...stretch, reason: 'standstill' }
  }

  /** What keeps the book of an instant from being proved by what was taken up to then; null when nothing does. */
  holeAt(atMs: number): ProofHole | null {
    const { standstill } = this
    return this.hole ?? (standstill?.toMs != null && atMs < standstill.toMs ? standstill : null)
  }

  private get hole(): ProofHole | null {
    const { head, book, broken, baseAtMs } = this
    if (broken !== null || head === null || baseAtMs === null) return broken
    if (book.print(YES) !== head.yesPrint || book.print(NO) !== head.noPrint)
      return { fromMs: baseAtMs, toMs: null, reason: 'print_mismatch' }
    const doubt = doubtOf(head)
    return doubt === null || this.doubtfulSinceMs === null
      ? null
      : { fromMs: this.doubtfulSinceMs, toMs: null, reason: doubt }
  }

  private takeChanges(body: Buffer, atMs: number, onChange: () => void): void {
    const cursor = new ChangeCursor(body)
    while (cursor.next()) {
      const { slot } = cursor.head
      if (slot === SIGN_SLOT) this.takeSign(cursor.head.version)
      else if (slot === this.head?.slot) this.takeChange(cursor, atMs, onChange)
    }
  }

  private check(entry: LogEntry, atMs: number): void {
    const missing = entry.isStart ? null : this.missingBefore(entry, atMs)
    // What waited during a standstill is read after it: nothing is lost for good.
    if (missing?.reason === 'standstill') this.standstill = missing
    else if (missing !== null) this.breaks(missing.fromMs, missing.toMs, missing.reason)
    this.number = entry.number
  }

  private takeChange(cursor: ChangeCursor, atMs: number, onChange: () => void): void {
    this.book.apply(cursor)
    this.deltas++
    this.become({ ...cursor.head }, atMs)
    onChange()
  }

  private takeCheckpoint(body: Buffer, atMs: number, onChange: () => void): void {
    // Others' are many; reading them costs more than finding the name.
    if (!body.includes(this.marketId)) return
    const checkpoint = parseCheckpoint(body)
    if (checkpoint.marketId !== this.marketId) return
    if ('released' in checkpoint) {
      this.leave()
      return
    }
    const isNews = this.baseAtMs === null || this.broken !== null
    this.book.replace(checkpoint)
    this.baseAtMs = atMs
    this.deltas = 0
    this.broken = null
    this.become(headOf(checkpoint), atMs)
    if (isNews) onChange()
  }

  private takeHole({ fromMs, toMs, reason }: JournalHole): void {
    this.standstill = this.standstillBefore(fromMs) ?? this.standstill
    if (this.baseAtMs !== null && toMs >= this.baseAtMs) this.breaks(fromMs, toMs, reason)
    this.lastAtMs = Math.max(this.lastAtMs, toMs)
  }

  /** The slots of another run are other markets'. */
  private takeSign(sign: number): void {
    if (sign === ALIVE) return
    this.breaks(this.lastAtMs, null, sign === STARTED ? 'restart' : 'stopped')
    if (this.head !== null) this.head = { ...this.head, slot: SIGN_SLOT }
  }

  private become(head: ChangeHead, atMs: number): void {
    this.head = head
    if (doubtOf(head) === null) this.doubtfulSinceMs = null
    else this.doubtfulSinceMs ??= atMs
  }

  private breaks(fromMs: number, toMs: number | null, reason: string): void {
    if (this.baseAtMs !== null) this.broken ??= { fromMs, toMs, reason }
  }

  private leave(): void {
    this.baseAtMs = null
    this.head = null
    this.broken = null
    this.doubtfulSinceMs = null
  }
}

/** Returns what a record is in the log; null if it is no part of it. */
export function entryOf({ kind, body }: JournalRecord): LogEntry | null {
  if (kind === 'checkpoint') return { number: numberOf(body), isStart: false }
  if (kind !== 'book') return null
  const cursor = new ChangeCursor(body)
  const isStart = cursor.next() && cursor.head.slot === SIGN_SLOT && cursor.head.version === STARTED
  return { number: cursor.number, isStart }
}

/** The most important of some reasons. */
function firstReason(reasons: number): VerdictReason {
  return (REASONS[31 - Math.clz32(reasons & -reasons)] as (typeof REASONS)[number])[0]
}

/** Returns why coverage does not count a book as verified, so that both say the same of one instant; null if it does. */
function doubtOf({ reasons, source }: ChangeHead): string | null {
  return coverageOf(reasons, SOURCES[source] as VerdictSource, true).reason
}

function headOf({ slot, version, reasons, source, yesPrint, noPrint }: BookCheckpoint): ChangeHead {
  return { slot, version, reasons, source, yesPrint, noPrint }
}
