/** Who takes part, as last heard. */
export class Members {
  private readonly forgetAfterMs: number
  /** For which shards each is prepared, by name. */
  private readonly byName = new Map<string, Set<number>>()
  private connects = 0
  /** Until then, one that Redis does not name may not have had its turn yet. */
  private graceUntilMs = Number.NEGATIVE_INFINITY

  constructor(forgetAfterMs: number) {
    this.forgetAfterMs = forgetAfterMs
  }

  get size(): number {
    return this.byName.size
  }

  /**
   * Takes over what Redis tells. After a new connection it may have lost what it held: members that were known are given
   * the time of a lease to be heard of again, since otherwise the first that comes back would take everything.
   */
  heard(
    members: readonly (readonly [name: string, prepared: string])[],
    connects: number,
    nowMs: number
  ): void {
    if (connects !== this.connects) {
      this.graceUntilMs = this.connects === 0 ? nowMs : nowMs + this.forgetAfterMs
      this.connects = connects
    }
    for (const [name, prepared] of members)
      this.byName.set(name, new Set(prepared === '' ? [] : prepared.split(',').map(Number)))
    const present = new Set(members.map(([name]) => name))
    if (nowMs < this.graceUntilMs) return
    for (const name of this.byName.keys()) if (!present.has(name)) this.byName.delete(name)
  }

  names(): string[] {
    return [...this.byName.keys()].sort()
  }

  isPrepared(name: string, shard: number): boolean {
    return this.byName.get(name)?.has(shard) === true
  }
}
