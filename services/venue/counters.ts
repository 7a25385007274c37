/** What a feed saw: every frame is counted once, as applied or as ignored under one reason. */
export class Counters {
  frames = 0
  applied = 0
  readonly ignored = new Map<string, number>()
  readonly seen = new Map<string, number>()

  /** Counts a frame that changed no book. */
  ignore(reason: string): void {
    this.ignored.set(reason, (this.ignored.get(reason) ?? 0) + 1)
  }

  /** Counts which of the readings that a protocol page leaves open occurred. */
  observe(reading: string): void {
    this.seen.set(reading, (this.seen.get(reading) ?? 0) + 1)
  }
}
