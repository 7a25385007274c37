const REMEMBERED = 20_000

/**
 * Which trades were told already: while a connection is replaced two of them tell the same, and a venue may tell one
 * once for each outcome. Remembers the last ones only: the same trade is told again within moments or never.
 */
export class SeenTrades {
  private recent = new Set<string>()
  private older = new Set<string>()

  /** Returns whether a trade of this name is new, and remembers it. */
  isNew(name: string): boolean {
    if (this.recent.has(name) || this.older.has(name)) return false
    this.recent.add(name)
    if (this.recent.size >= REMEMBERED) {
      this.older = this.recent
      this.recent = new Set()
    }
    return true
  }
}
