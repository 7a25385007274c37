/** Named counts of what a feed saw: frames applied, and each kind of frame that it ignored, by reason. */
export class Counters {
  frames = 0
  applied = 0
  readonly ignored = new Map<string, number>()
  readonly seen = new Map<string, number>()

  /** Counts a frame, or an element of one, that changed nothing. */
  ignore(reason: string): void {
    this.ignored.set(reason, (this.ignored.get(reason) ?? 0) + 1)
  }

  /** Counts which of the readings that a protocol page leaves open occurred. */
  observe(reading: string): void {
    this.seen.set(reading, (this.seen.get(reading) ?? 0) + 1)
  }
}
