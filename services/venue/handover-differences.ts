import type { AuditorOptions } from '../integrity/auditor-options.ts'
import { type BookDifference, diffBooks } from '../integrity/book-diff.ts'
import type { BookTable } from '../integrity/book-table.ts'
import { fingerprintOf, fingerprintOfLevels } from '../integrity/fingerprint.ts'

/** Books as somebody else than the stream tells them, not older than `leadMs` when they come. */
export type IndependentReads = Pick<Required<AuditorOptions>, 'read' | 'booksPerRead' | 'leadMs'>

export interface DifferencesOptions {
  live: BookTable
  shadow: BookTable
  reads: IndependentReads
  /** From the end of a reading to the next. */
  readEveryMs: number
  steadyNow: () => number
}

/** The two books of a slot since they were first seen to differ. */
interface Pair {
  readonly sinceMs: number
  /** How they differed last. */
  difference: BookDifference
  /** What each of them was at one look or another: fingerprints. They have none in common. */
  readonly live: Set<number>
  readonly shadow: Set<number>
  isExplained: boolean
}

/**
 * The books that a new connection tells otherwise than the one it is to follow, and what explains it: a change in
 * flight, for one book becomes what the other was; or that the old connection had lost one, for an independent read
 * gives what the new one has, and the old one never had while the read can have been made.
 */
export class Differences {
  private readonly options: DifferencesOptions
  private readonly pairs = new Map<number, Pair>()
  private readAgainAtMs = Number.NEGATIVE_INFINITY
  private isOver = false

  constructor(options: DifferencesOptions) {
    this.options = options
  }

  /** Looks at the two books of a slot; returns whether they agree, be it one of them with what the other was. */
  agree(slot: number, nowMs: number): boolean {
    const { live, shadow } = this.options
    const difference = diffBooks(live, shadow, slot)
    if (difference === null) {
      this.forget(slot)
      return true
    }
    const pair = this.pairs.get(slot) ?? {
      sinceMs: nowMs,
      difference,
      live: new Set(),
      shadow: new Set(),
      isExplained: false
    }
    this.pairs.set(slot, pair)
    pair.difference = difference
    const prints = { live: fingerprintOf(live.arena, slot), shadow: fingerprintOf(shadow.arena, slot) }
    pair.live.add(prints.live)
    pair.shadow.add(prints.shadow)
    if (!pair.live.has(prints.shadow) && !pair.shadow.has(prints.live)) return false
    this.forget(slot)
    return true
  }

  /** One of the two says nothing any more. */
  forget(slot: number): void {
    this.pairs.delete(slot)
  }

  /** Returns those of these slots whose books differ, and how they differed last. */
  among(slots: readonly number[]): { slot: number; difference: BookDifference; isExplained: boolean }[] {
    return slots.flatMap((slot) => {
      const pair = this.pairs.get(slot)
      return pair === undefined ? [] : [{ slot, difference: pair.difference, isExplained: pair.isExplained }]
    })
  }

  /** Reads what nothing explains yet, unless that is under way or was done a moment ago. */
  read(nowMs: number): void {
    if (nowMs < this.readAgainAtMs) return
    const { leadMs } = this.options.reads
    // One that may be older than our watch may give what the live book was then, and rightly is no more.
    const due = [...this.pairs].filter(([, pair]) => !pair.isExplained && pair.sinceMs + leadMs <= nowMs)
    if (due.length === 0) return
    this.readAgainAtMs = Number.POSITIVE_INFINITY
    const slots = due.map(([slot]) => slot)
    void this.readAll(slots, nowMs - leadMs).finally(() => {
      this.readAgainAtMs = this.options.steadyNow() + this.options.readEveryMs
    })
  }

  /** What is still read is not asked for any further, nor taken. */
  stop(): void {
    this.isOver = true
  }

  /** Never rejects: what could not be read explains nothing, and is read again. */
  private async readAll(slots: readonly number[], fromMs: number): Promise<void> {
    const { read, booksPerRead } = this.options.reads
    try {
      for (let next = 0; next < slots.length && !this.isOver; ) {
        const some = slots.slice(next, next + booksPerRead())
        next += some.length
        await read(some, (slot, yes, no) => this.take(slot, fingerprintOfLevels(yes, no), fromMs))
      }
    } catch {}
  }

  private take(slot: number, print: number, fromMs: number): void {
    const pair = this.pairs.get(slot)
    if (pair !== undefined && pair.sinceMs <= fromMs && pair.shadow.has(print)) pair.isExplained = true
  }
}
