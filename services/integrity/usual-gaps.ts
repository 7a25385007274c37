import type { BookTable } from './book-table.ts'

/** One that speaks at least this often is asked about after this time at the latest. */
export interface Lively {
  gapMs: number
  askAfterMs: number
}

/** A market is not asked about sooner than this. */
const FLOOR_MS = 8_000
/** Silence is unusual after so many usual gaps. */
const UNUSUAL_GAPS = 8
/** Found within 30 s, with the time that an audit takes; one that speaks less often is left to the round robin. */
const LIVELY: Lively = { gapMs: 30_000, askAfterMs: 18_000 }
const SMOOTHING = 0.1
/** Before that many gaps nothing is usual. */
const SAMPLES_MIN = 3

/** Returns after how much silence somebody with this usual gap is unusually silent. Milliseconds. */
export function unusualAfter(gapMs: number, gaps: number, floorMs: number, lively: Lively): number {
  const afterMs = Math.max(floorMs, gaps * gapMs)
  return gapMs <= lively.gapMs ? Math.min(afterMs, lively.askAfterMs) : afterMs
}

/**
 * How often data usually comes for each book, as looks at regular times tell: nothing is added to a message's way.
 * Times are those of one monotonic clock, in milliseconds.
 */
export class UsualGaps {
  private readonly table: BookTable
  /** When the last message came, by the clock that the verdicts use: only whether it changed counts. */
  private readonly receivedAtMs: Float64Array
  private readonly changedAtMs: Float64Array
  private readonly gapMs: Float64Array
  private readonly askMs: Float64Array
  private readonly samples: Uint8Array

  constructor(table: BookTable) {
    const { capacityMarkets } = table
    this.table = table
    this.receivedAtMs = new Float64Array(capacityMarkets).fill(Number.NaN)
    this.changedAtMs = new Float64Array(capacityMarkets).fill(Number.NaN)
    this.gapMs = new Float64Array(capacityMarkets)
    this.askMs = new Float64Array(capacityMarkets)
    this.samples = new Uint8Array(capacityMarkets)
  }

  /** Looks at a book; returns for how long it has been silent, or null where that says nothing yet. */
  look(slot: number, nowMs: number): number | null {
    const receivedAtMs = this.table.verdicts.receivedAtMs(slot)
    const before = this.receivedAtMs[slot] as number
    if (receivedAtMs === before)
      return (this.samples[slot] as number) < SAMPLES_MIN ? null : nowMs - (this.changedAtMs[slot] as number)
    this.receivedAtMs[slot] = receivedAtMs
    if (Number.isNaN(receivedAtMs) || Number.isNaN(before)) this.samples[slot] = 0
    else this.learn(slot, nowMs - (this.changedAtMs[slot] as number))
    this.changedAtMs[slot] = nowMs
    return null
  }

  /** The usual time between two messages of a book; infinite where it is not known. */
  of(slot: number): number {
    return (this.samples[slot] as number) < SAMPLES_MIN
      ? Number.POSITIVE_INFINITY
      : (this.gapMs[slot] as number)
  }

  /** For how long a book has been unchanged at least. */
  unchangedForMs(slot: number, nowMs: number): number {
    const changedAtMs = this.changedAtMs[slot] as number
    return Number.isNaN(changedAtMs) ? 0 : nowMs - changedAtMs
  }

  askAfterMs(slot: number): number {
    return this.askMs[slot] as number
  }

  /**
   * It was asked about: the next time after twice the silence, or as soon as a read, which may be `leadMs` old, is
   * younger than the silence. A message sets it back.
   */
  asked(slot: number, silentForMs: number, leadMs: number): void {
    this.askMs[slot] = silentForMs < leadMs ? leadMs : 2 * silentForMs
  }

  private learn(slot: number, gapMs: number): void {
    const samples = this.samples[slot] as number
    const known = this.gapMs[slot] as number
    const usualMs = samples === 0 ? gapMs : known + SMOOTHING * (gapMs - known)
    this.gapMs[slot] = usualMs
    this.samples[slot] = Math.min(samples + 1, SAMPLES_MIN)
    this.askMs[slot] = unusualAfter(usualMs, UNUSUAL_GAPS, FLOOR_MS, LIVELY)
  }
}
