const NONE = -1
/** How exactly a slot's time is kept. */
export const DUE_STEP_MS = 100
/** Steps of the wheel: a process that stood still for less than this mistakes no time for another. */
const STEPS = 64

/** Slots that wait for a time within the next second, each at most once: a wheel of chains through one array. */
export class DueSlots {
  size = 0
  private readonly next: Int32Array
  private readonly waits: Uint8Array
  private readonly heads = new Int32Array(STEPS).fill(NONE)
  /** Every chain of a step before this one is empty. */
  private step = 0

  constructor(capacity: number) {
    this.next = new Int32Array(capacity)
    this.waits = new Uint8Array(capacity)
  }

  has(slot: number): boolean {
    return this.waits[slot] === 1
  }

  /** Adds a slot that does not wait yet, for a time within a second of the last `take`. */
  add(slot: number, dueMs: number): void {
    if (this.size === 0) this.step = Math.max(this.step, Math.ceil(dueMs / DUE_STEP_MS) - STEPS + 1)
    const chain = Math.max(this.step, Math.ceil(dueMs / DUE_STEP_MS)) % STEPS
    this.next[slot] = this.heads[chain] as number
    this.heads[chain] = slot
    this.waits[slot] = 1
    this.size++
  }

  /** Returns a slot whose time has come, which waits no more, or -1. */
  take(nowMs: number): number {
    const last = Math.floor(nowMs / DUE_STEP_MS)
    while (this.size > 0 && this.step <= last) {
      const chain = this.step % STEPS
      const slot = this.heads[chain] as number
      if (slot !== NONE) {
        this.heads[chain] = this.next[slot] as number
        this.waits[slot] = 0
        this.size--
        return slot
      }
      this.step++
    }
    return NONE
  }

  /** Returns a slot that waits, whenever it is due, which waits no more; -1 when none does. */
  takeAny(): number {
    return this.take(Number.MAX_SAFE_INTEGER)
  }
}
