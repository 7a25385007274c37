const REMEMBERED = 5_000

/** Gaps that the venue was asked about, or is not: each is looked at once. Remembers the last ones only. */
export class TriedGaps {
  private readonly ids = new Set<string>()

  has(id: string): boolean {
    return this.ids.has(id)
  }

  add(id: string): void {
    this.ids.add(id)
    if (this.ids.size <= REMEMBERED) return
    const [oldest] = this.ids
    if (oldest !== undefined) this.ids.delete(oldest)
  }
}
