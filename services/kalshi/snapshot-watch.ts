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
  /** Nothing helped; the book stays flagged. */
  givenUp: string[]
}

interface Wait {
  readonly slot: number
  atMs: number
  next: keyof SnapshotSteps
}

/** One market is not asked for again sooner than this, however often it goes wrong. */
const ASK_PAUSE_MS = 2_000

const NOT_WHOLE = [
  'awaiting_snapshot',
  'sequence_gap',
  'drift',
  'negative_level',
  'crossed',
  'arena_full'
] as const
const NOT_WHOLE_BITS = NOT_WHOLE.reduce((bits, reason) => bits | reasonBit(reason), 0)

/**
 * The books that wait for a snapshot. A subscription to a market that does not exist is not refused but stays
 * silent, so each book has its own time limit and three steps to go through.
 */
export class SnapshotWatch {
  private readonly table: BookTable
  private readonly timeoutMs: number
  private readonly waits = new Map<string, Wait>()
  private readonly askedAtMs = new Map<string, number>()
  private readonly lost = new Set<string>()

  constructor({ table, timeoutMs }: SnapshotWatchOptions) {
    this.table = table
    this.timeoutMs = timeoutMs
  }

  /** True when every book that waits has had its time for a first snapshot. */
  get isSettled(): boolean {
    for (const { next } of this.waits.values()) if (next === 'ask') return false
    return true
  }

  /** Markets that were given up and have had no snapshot since. */
  get givenUp(): number {
    return this.lost.size
  }

  /** A snapshot should come unasked: the market was just subscribed. A wait under way goes on. */
  expect(ticker: string, slot: number, nowMs: number): void {
    if (!this.waits.has(ticker)) this.waits.set(ticker, { slot, atMs: nowMs + this.timeoutMs, next: 'ask' })
  }

  /** A snapshot is needed: the book is doubtful. */
  need(ticker: string, slot: number, nowMs: number): void {
    const atMs = Math.max(nowMs, (this.askedAtMs.get(ticker) ?? Number.NEGATIVE_INFINITY) + ASK_PAUSE_MS)
    const wait = this.waits.get(ticker)
    if (wait === undefined) this.waits.set(ticker, { slot, atMs, next: 'ask' })
    else if (wait.next === 'ask') wait.atMs = Math.min(wait.atMs, atMs)
  }

  forget(ticker: string): void {
    this.waits.delete(ticker)
    this.askedAtMs.delete(ticker)
    this.lost.delete(ticker)
  }

  /** Forgets all: the connection or the subscription is gone. */
  clear(): void {
    this.waits.clear()
    this.askedAtMs.clear()
    this.lost.clear()
  }

  /** Returns what is due, and counts it as done. */
  take(nowMs: number): SnapshotSteps {
    const steps: SnapshotSteps = { ask: [], resubscribe: [], givenUp: [] }
    for (const [ticker, atMs] of this.askedAtMs)
      if (atMs + ASK_PAUSE_MS <= nowMs) this.askedAtMs.delete(ticker)
    for (const [ticker, wait] of this.waits) {
      if (this.isWhole(wait.slot)) {
        this.waits.delete(ticker)
        this.lost.delete(ticker)
        continue
      }
      if (wait.atMs > nowMs) continue
      steps[wait.next].push(ticker)
      wait.atMs = nowMs + this.timeoutMs
      if (wait.next === 'ask') {
        this.askedAtMs.set(ticker, nowMs)
        wait.next = 'resubscribe'
      } else if (wait.next === 'resubscribe') wait.next = 'givenUp'
      else {
        this.waits.delete(ticker)
        this.lost.add(ticker)
      }
    }
    return steps
  }

  private isWhole(slot: number): boolean {
    return ((this.table.verdicts.reasons[slot] as number) & NOT_WHOLE_BITS) === 0
  }
}
