/** The time of a replay: that of the record under way. It stands still within a record, and never goes back. */
export class ReplayClock {
  private atMs = 0

  readonly now = (): number => this.atMs

  advance(atMs: number): void {
    if (atMs > this.atMs) this.atMs = atMs
  }
}
