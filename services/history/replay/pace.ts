import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'

/** The longest wait that a timer can hold; a longer one would be over at once. */
const WAIT_MAX_MS = 2 ** 31 - 1
/** Shorter waits are not worth a timer. */
const WAIT_MIN_MS = 5
/** Whoever else is in the process has a turn after so many records. */
const RECORDS_PER_TURN = 2_000

export interface PaceOptions {
  /** Seconds of record in one of wall time; null: as fast as it goes. */
  speed: number | null
  /** Where the pace begins: what is before goes as fast as it goes. Not finite: with the first record. */
  fromMs: number
  signal: AbortSignal
  /** Never jumps: for durations only. */
  steadyNow?: () => number
}

/** Holds a replay to its speed. */
export class Pace {
  private readonly options: Required<PaceOptions>
  private startedAtMs: number | null = null
  private baseMs = 0
  private records = 0

  constructor(options: PaceOptions) {
    this.options = { steadyNow: performance.now.bind(performance), ...options }
  }

  /** Returns what to wait for before a record of this time; null for nothing. It resolves early when aborted. */
  before(atMs: number): Promise<unknown> | null {
    const { speed, fromMs, signal, steadyNow } = this.options
    const turn = ++this.records % RECORDS_PER_TURN === 0 ? nextTurn() : null
    if (speed === null || atMs < fromMs) return turn
    const nowMs = steadyNow()
    if (this.startedAtMs === null) {
      this.startedAtMs = nowMs
      this.baseMs = Number.isFinite(fromMs) ? fromMs : atMs
    }
    const waitMs = (atMs - this.baseMs) / speed - (nowMs - this.startedAtMs)
    return waitMs < WAIT_MIN_MS
      ? turn
      : sleep(Math.min(waitMs, WAIT_MAX_MS), undefined, { signal }).catch(() => {})
  }
}
