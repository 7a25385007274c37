/** How far back the rate looks. */
const WINDOW_MS = 60_000

/** The rate of a counter over the last minute, from samples taken now and then. */
export class MessageRate {
  private samples: { atMs: number; total: number }[] = []

  /** Notes the counter's total at a time; both never fall. */
  sample(atMs: number, total: number): void {
    this.samples.push({ atMs, total })
    // The newest sample that is a whole window old stays: the rate is measured from there.
    const from = this.samples.findLastIndex((sample) => sample.atMs <= atMs - WINDOW_MS)
    if (from > 0) this.samples.splice(0, from)
  }

  /** Returns the rise per second from the oldest sample to now; 0 before time has passed. */
  perSecond(atMs: number, total: number): number {
    const oldest = this.samples[0]
    if (oldest === undefined || atMs <= oldest.atMs) return 0
    return Math.round(((total - oldest.total) * 10_000) / (atMs - oldest.atMs)) / 10
  }
}
