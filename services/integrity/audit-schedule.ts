import type { BookTable } from './book-table.ts'
import { reasonBit } from './verdict.ts'

export interface AuditScheduleOptions {
  table: BookTable
  /** Slots whose books are streamed now. */
  slots: () => Iterable<number>
  /** From the end of one audit of a book to the beginning of its next. */
  restMs: number
  random: () => number
}

const MISTRUSTED = reasonBit('audit_mismatch')
/** The slots are looked through this often, or ten times in a short rest. */
const LOOK_EVERY_MS = 1_000

/** Whose turn it is: each book once in a while, spread evenly. Times are those of one monotonic clock, milliseconds. */
export class AuditSchedule {
  private readonly options: AuditScheduleOptions
  /** When a book's turn comes; NaN for one that was never seen, infinite while it is audited. */
  private readonly turnAtMs: Float64Array
  private readonly checkedAtMs: Float64Array
  private lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: AuditScheduleOptions) {
    this.options = options
    const { capacityMarkets } = options.table
    this.turnAtMs = new Float64Array(capacityMarkets).fill(Number.NaN)
    this.checkedAtMs = new Float64Array(capacityMarkets).fill(Number.NaN)
  }

  auditedAtMs(slot: number): number {
    return this.checkedAtMs[slot] as number
  }

  /** Returns up to `limit` books whose turn it is. */
  due(nowMs: number, limit: number): number[] {
    const due: number[] = []
    if (nowMs - this.lookedAtMs < Math.min(LOOK_EVERY_MS, this.options.restMs / 10)) return due
    this.lookedAtMs = nowMs
    const { table, slots } = this.options
    const { reasons } = table.verdicts
    for (const slot of slots()) {
      const turnAtMs = this.turnAtMs[slot] as number
      // Those that came together do not stay together.
      if (Number.isNaN(turnAtMs)) this.draw(slot, nowMs)
      else if (turnAtMs <= nowMs && ((reasons[slot] as number) & ~MISTRUSTED) === 0) due.push(slot)
    }
    if (due.length <= limit) return due
    return due
      .sort((one, other) => (this.turnAtMs[one] as number) - (this.turnAtMs[other] as number))
      .slice(0, limit)
  }

  /** Gives a book a turn at some time within its rest. */
  draw(slot: number, nowMs: number): void {
    const { restMs, random } = this.options
    this.turnAtMs[slot] = nowMs + random() * restMs
  }

  begun(slot: number): void {
    this.turnAtMs[slot] = Number.POSITIVE_INFINITY
  }

  /** A comparison found no fault. */
  audited(slot: number, nowMs: number): void {
    this.checkedAtMs[slot] = nowMs
  }

  ended(slot: number, nowMs: number): void {
    this.turnAtMs[slot] = nowMs + this.options.restMs
  }

  postpone(slot: number, untilMs: number): void {
    this.turnAtMs[slot] = untilMs
  }
}
