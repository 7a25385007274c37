import { ofVenues } from './recorder-gaps.ts'
import type { GapRecord, TimeRange } from './records.ts'

/**
 * A process that lives gives a sign of it each second, and a busy machine delays that by less than this. Further apart
 * the process stood still, or its machine did: nothing was heard, and what that looks like is quiet.
 */
export const STANDSTILL_MS = 5_000
/** What waited in the sockets meanwhile is read within this time of the wake, and books lag until it is. */
export const CATCH_UP_MS = 1_000

/** Returns the standstill between two signs of life that follow each other, and what it spoils; null if there is none. */
export function standstillBetween(lastMs: number, nextMs: number): TimeRange | null {
  return nextMs - lastMs > STANDSTILL_MS ? { fromMs: lastMs, toMs: nextMs + CATCH_UP_MS } : null
}

export interface StandstillWatchOptions {
  onGap: (gap: GapRecord) => void
  log: { warn: (facts: object, message: string) => void }
  now: () => number
  steadyNow: () => number
}

/** Tells the standstills of the process that it runs in, from its start on. */
export class StandstillWatch {
  private readonly options: StandstillWatchOptions
  private lastMs: number
  private lastSteadyMs: number

  constructor(options: StandstillWatchOptions) {
    this.options = options
    this.lastMs = options.now()
    this.lastSteadyMs = options.steadyNow()
  }

  /** A sign of life. */
  beat(): void {
    const { now, steadyNow, onGap, log } = this.options
    const nowMs = now()
    const steadyMs = steadyNow()
    // The steady clock stands still with a machine that sleeps; the wall's may have been put back meanwhile.
    const sinceMs = Math.min(this.lastMs, nowMs - (steadyMs - this.lastSteadyMs))
    this.lastMs = nowMs
    this.lastSteadyMs = steadyMs
    const stretch = standstillBetween(sinceMs, nowMs)
    if (stretch === null) return
    const stoodMs = Math.round(nowMs - sinceMs)
    log.warn({ stoodMs }, 'the process, or its machine, stood still: nothing was recorded meanwhile')
    const gaps = ofVenues(null, {
      kind: 'standstill',
      startedAtMs: Math.floor(stretch.fromMs),
      detectedAtMs: nowMs,
      endedAtMs: stretch.toMs,
      recoveredBy: null,
      decidedAtMs: null,
      detail: `The process, or its machine, stood still for ${stoodMs} ms.`
    })
    for (const gap of gaps) onGap(gap)
  }
}
