import type { Market } from '../../schemas/market.ts'

interface Told {
  readonly change: Partial<Market>
  readonly atMs: number
}

/** REST answers may come from a cache: for this long a message outranks them. */
const CACHE_MS = 30_000

/**
 * What messages said of markets a moment ago. It outranks a REST answer, which may be older, in the very fields that
 * were told and in no other. Times are those of one monotonic clock, in milliseconds.
 */
export class ToldFields {
  /** By market id, oldest first. */
  private readonly byId = new Map<string, Told[]>()

  tell(id: string, change: Partial<Market>, nowMs: number): void {
    this.byId.set(id, [...this.recent(id, nowMs), { change, atMs: nowMs }])
  }

  /** Returns a market of a REST answer as it is with what was told since. */
  over(market: Market, nowMs: number): Market {
    const told = this.recent(market.id, nowMs).map(({ change }) => change)
    return Object.assign({}, market, ...told)
  }

  /** Forgets what every cache knows by now. */
  sweep(nowMs: number): void {
    for (const id of this.byId.keys()) if (this.recent(id, nowMs).length === 0) this.byId.delete(id)
  }

  private recent(id: string, nowMs: number): Told[] {
    return (this.byId.get(id) ?? []).filter(({ atMs }) => atMs + CACHE_MS > nowMs)
  }
}
