import type { BookTable } from '../integrity/book-table.ts'
import { reasonBit } from '../integrity/verdict.ts'

export interface SnapshotWatchOptions {
  table: BookTable
  /** How long a snapshot that was asked for may take. */
  timeoutMs: number
}

/** What to do now, by ticker. */
export interface SnapshotSteps {
  /** Ask for a snapshot. */
  ask: string[]
  /** Asking did not help: take the market off the subscription and put it on again. */
  resubscribe: string[]
  /** Nothing helped: the book stays flagged, and all begins again later. */
  report: string[]
}

interface Wait {
  readonly slot: number
  atMs: number
  next: keyof SnapshotSteps
  /** How often all steps were gone through in vain. */
  rounds: number
}

/** When a market was asked for, and how soon it may be again. */
interface Asked {
  readonly atMs: number
  readonly pauseMs: number
}

/** One market is not asked for again sooner than this, however often it goes wrong. */
const ASK_PAUSE_MS = 2_000
/** Changes that we cannot read spoil each snapshot at once: while they come, twice as long each time, up to this. */
const DRIFT_PAUSE_CAP_MS = 60_000
/** After so many pauses without a new doubt the next one is the first again. */
const FORGET_AFTER_PAUSES = 2
/** After the first round in vain, and twice as long after each one more. */
const ROUND_PAUSE_MS = 30_000
const ROUND_PAUSE_CAP_MS = 600_000

const NOT_WHOLE = [
  'awaiting_snapshot',
  'sequence_gap',
  'drift',
  'negative_level',
  'crossed',
  'audit_mismatch',
  'arena_full'
] as const
const NOT_WHOLE_BITS = NOT_WHOLE.reduce((bits, reason) => bits | reasonBit(reason), 0)

/**
 * The books that wait for a snapshot. A subscription to a market that does not exist is not refused but stays
 * silent, so each book has its own time limit and three steps to go through, over and over, ever less often. Times
 * are those of one monotonic clock, in milliseconds.
 */
export class SnapshotWatch {
  private table: BookTable
  private readonly timeoutMs: number
  private readonly waits = new Map<string, Wait>()
  private readonly asked = new Map<string, Asked>()

  constructor({ table, timeoutMs }: SnapshotWatchOptions) {
    this.table = table
    this.timeoutMs = timeoutMs
  }

  /** True when every book that waits has had its time for a first snapshot. */
  get isSettled(): boolean {
    for (const { next, rounds } of this.waits.values()) if (next === 'ask' && rounds === 0) return false
    return true
  }

  /** Markets for which all steps were in vain, and that have had no snapshot since. */
  get overdue(): number {
    let count = 0
    for (const { rounds, slot } of this.waits.values()) if (rounds > 0 && !this.isWhole(slot)) count++
    return count
  }

  /** From now on the books are those of another table, in the same slots. */
  moveTo(table: BookTable): void {
    this.table = table
  }

  /** A snapshot should come unasked: the market was just subscribed. A wait under way goes on. */
  expect(ticker: string, slot: number, nowMs: number): void {
    if (!this.waits.has(ticker))
      this.waits.set(ticker, { slot, atMs: nowMs + this.timeoutMs, next: 'ask', rounds: 0 })
  }

  /** A snapshot is needed: the book is doubtful. */
  need(ticker: string, slot: number, nowMs: number): void {
    const asked = this.asked.get(ticker)
    const atMs = asked === undefined ? nowMs : Math.max(nowMs, asked.atMs + asked.pauseMs)
    const wait = this.waits.get(ticker)
    if (wait === undefined) this.waits.set(ticker, { slot, atMs, next: 'ask', rounds: 0 })
    else if (wait.next === 'ask') wait.atMs = Math.min(wait.atMs, atMs)
  }

  /** The stream of a market is doubtful: asking for a snapshot would not mend it. A new start under way goes on. */
  renew(ticker: string, slot: number, nowMs: number): void {
    const { next = 'ask', rounds = 0 } = this.waits.get(ticker) ?? {}
    if (next === 'ask') this.waits.set(ticker, { slot, atMs: nowMs, next: 'resubscribe', rounds })
  }

  /** What made snapshots useless is over: the next one counts, and is asked for whatever step was next. */
  needAfresh(ticker: string, slot: number, nowMs: number): void {
    this.waits.delete(ticker)
    const asked = this.asked.get(ticker)
    if (asked !== undefined) this.asked.set(ticker, { ...asked, pauseMs: ASK_PAUSE_MS })
    this.need(ticker, slot, nowMs)
  }

  forget(ticker: string): void {
    this.waits.delete(ticker)
    this.asked.delete(ticker)
  }

  /** Forgets all: the connection or the subscription is gone. */
  clear(): void {
    this.waits.clear()
    this.asked.clear()
  }

  /** Returns what is due, and counts it as done. */
  take(nowMs: number): SnapshotSteps {
    const steps: SnapshotSteps = { ask: [], resubscribe: [], report: [] }
    for (const [ticker, { atMs, pauseMs }] of this.asked)
      if (atMs + FORGET_AFTER_PAUSES * pauseMs <= nowMs) this.asked.delete(ticker)
    for (const [ticker, wait] of this.waits) {
      if (this.isWhole(wait.slot)) this.waits.delete(ticker)
      else if (wait.atMs <= nowMs) {
        steps[wait.next].push(ticker)
        if (wait.next === 'ask')
          this.asked.set(ticker, { atMs: nowMs, pauseMs: this.pauseOf(ticker, wait.slot) })
        this.advance(wait, nowMs)
      }
    }
    return steps
  }

  private pauseOf(ticker: string, slot: number): number {
    const before = this.asked.get(ticker)
    return before !== undefined && this.table.verdicts.has(slot, 'drift')
      ? Math.min(2 * before.pauseMs, DRIFT_PAUSE_CAP_MS)
      : ASK_PAUSE_MS
  }

  private advance(wait: Wait, nowMs: number): void {
    wait.atMs = nowMs + this.timeoutMs
    switch (wait.next) {
      case 'ask':
        wait.next = 'resubscribe'
        break
      case 'resubscribe':
        wait.next = 'report'
        break
      case 'report':
        wait.next = 'ask'
        wait.atMs = nowMs + Math.min(ROUND_PAUSE_CAP_MS, ROUND_PAUSE_MS * 2 ** Math.min(wait.rounds++, 30))
    }
  }

  private isWhole(slot: number): boolean {
    return ((this.table.verdicts.reasons[slot] as number) & NOT_WHOLE_BITS) === 0
  }
}
