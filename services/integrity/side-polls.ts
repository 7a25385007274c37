import type { AuditorOptions, TakeRead } from './auditor-options.ts'

/** What came of the polls beside the stream, since the start. */
export interface SidePollStatus {
  /** Reads that were answered. */
  reads: number
  /** Reads that failed as a whole. */
  failed: number
  /** Books that they gave. */
  books: number
  /** Of these the ones that equalled the streamed book. */
  equal: number
  /** Of these the ones that did not: mostly one of the two was a moment ahead. */
  differing: number
}

export interface SidePollsOptions extends Pick<AuditorOptions, 'slots' | 'read' | 'booksPerRead'> {
  /** Compares a book that was read with the streamed one; null where that one is not live. */
  compare: (...read: [...Parameters<TakeRead>, askedAtMs: number]) => boolean | null
  /** False while REST is down or others wait for it: then a turn is skipped. */
  hasRoom: () => boolean
  /** A round begins this long after the one before began, or when that ends, whichever is later. */
  intervalMs: number
  /** Never jumps: for durations only. */
  steadyNow: () => number
}

const TICK_MS = 250
/** At least this long between the starts of two reads: a tenth of Kalshi's pace with a key, an eighth of Polymarket's. */
const READ_EVERY_MS = 500
/** After a failed read. */
const PAUSE_MS = 2_000

/**
 * Reads the streamed books over REST beside the stream, round after round, in the order in which they are followed. It
 * takes what nobody else needs, one read at a time: many books only make a round longer.
 */
export class SidePolls {
  private readonly options: SidePollsOptions
  private readonly counts: SidePollStatus = { reads: 0, failed: 0, books: 0, equal: 0, differing: 0 }
  /** Slots of the round under way that were not read yet, the next one last. */
  private left: number[] = []
  private nextRoundAtMs = Number.POSITIVE_INFINITY
  private nextReadAtMs = Number.NEGATIVE_INFINITY
  private isReading = false
  private timer: NodeJS.Timeout | null = null

  constructor(options: SidePollsOptions) {
    this.options = options
  }

  /** The first round begins an interval later: until then books come as snapshots. */
  start(): void {
    this.nextRoundAtMs = this.options.steadyNow() + this.options.intervalMs
    this.timer ??= setInterval(() => this.tick(), TICK_MS)
  }

  /** A read under way ends by itself; what it brings is compared with nothing. */
  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    this.left = []
  }

  status(): SidePollStatus {
    return { ...this.counts }
  }

  private tick(): void {
    const { slots, booksPerRead, hasRoom, intervalMs, steadyNow } = this.options
    const nowMs = steadyNow()
    if (this.isReading || nowMs < this.nextReadAtMs) return
    if (this.left.length === 0) {
      if (nowMs < this.nextRoundAtMs) return
      this.nextRoundAtMs = nowMs + intervalMs
      this.left = [...slots()].reverse()
    }
    if (this.left.length === 0 || !hasRoom()) return
    this.nextReadAtMs = nowMs + READ_EVERY_MS
    void this.read(this.left.splice(-booksPerRead()).reverse(), nowMs)
  }

  /** Never rejects. Books of a failed read have their turn again in the next round. */
  private async read(slots: readonly number[], askedAtMs: number): Promise<void> {
    const { counts, options } = this
    this.isReading = true
    try {
      await options.read(slots, (slot, yes, no) => {
        if (this.timer === null) return
        counts.books++
        const isEqual = options.compare(slot, yes, no, askedAtMs)
        if (isEqual !== null) counts[isEqual ? 'equal' : 'differing']++
      })
      counts.reads++
    } catch {
      counts.failed++
      this.nextReadAtMs = options.steadyNow() + PAUSE_MS
    }
    this.isReading = false
  }
}
