/** A book whose log has grown this much since its last checkpoint gets the next one at once. */
const MAX_CHANGES = 2_000

export interface CheckpointScheduleOptions {
  capacity: number
  /** How long a changed book waits for its next checkpoint. */
  changedAfterMs: number
  /** How often a book that rests gets one: reading the log goes back no further, and old segments can be deleted. */
  restingAfterMs: number
}

/** Which slots' books are to be written whole, and when. */
export class CheckpointSchedule {
  private readonly options: CheckpointScheduleOptions
  /** Changes since the last checkpoint. */
  private readonly changes: Uint32Array
  private readonly checkpointAtMs: Float64Array
  /** Changed slots in the order of their first change, with its time. A slot is in here once. */
  private readonly waiting = new Map<number, number>()
  private readonly urgent = new Set<number>()
  private resting = 0

  constructor(options: CheckpointScheduleOptions) {
    this.options = options
    this.changes = new Uint32Array(options.capacity)
    this.checkpointAtMs = new Float64Array(options.capacity)
  }

  changed(slot: number, atMs: number): void {
    const changes = (this.changes[slot] as number) + 1
    this.changes[slot] = changes
    if (changes === 1) this.waiting.set(slot, atMs)
    else if (changes === MAX_CHANGES) this.urgent.add(slot)
  }

  /** Does not let it wait for its turn. */
  hurry(slot: number): void {
    this.urgent.add(slot)
  }

  written(slot: number, atMs: number): void {
    this.changes[slot] = 0
    this.checkpointAtMs[slot] = atMs
    this.waiting.delete(slot)
    this.urgent.delete(slot)
  }

  /** Looks at the next few of `slots` and takes those that have rested for long; spread so that all get their turn. */
  rest(slots: number, atMs: number, share: number): void {
    const { restingAfterMs } = this.options
    for (let left = Math.ceil(slots * Math.min(1, share)); left > 0; left--) {
      if (this.resting >= slots) this.resting = 0
      const slot = this.resting++
      if (atMs - (this.checkpointAtMs[slot] as number) >= restingAfterMs / 2) this.urgent.add(slot)
    }
  }

  /** Returns a slot that is due; -1 when none is. The caller says `written` or `forget` before it asks again. */
  next(atMs: number): number {
    for (const slot of this.urgent) return slot
    for (const [slot, sinceMs] of this.waiting)
      return atMs - sinceMs >= this.options.changedAfterMs ? slot : -1
    return -1
  }

  forget(slot: number): void {
    this.changes[slot] = 0
    this.waiting.delete(slot)
    this.urgent.delete(slot)
  }
}
