export { setImmediate as nextTurn } from 'node:timers/promises'

/** Of one turn of the event loop: what else it has to do comes first. */
const SLICE_MS = 2

/** Says when a turn has worked long enough; whoever asks then lets the loop turn. */
export class Slices {
  private readonly steadyNow: () => number
  private endMs: number

  constructor(steadyNow: () => number) {
    this.steadyNow = steadyNow
    this.endMs = steadyNow() + SLICE_MS
  }

  isOver(): boolean {
    const nowMs = this.steadyNow()
    if (nowMs < this.endMs) return false
    this.endMs = nowMs + SLICE_MS
    return true
  }
}
