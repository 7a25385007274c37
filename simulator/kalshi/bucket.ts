/** A caller's allowance: so many tokens a second, saved up to a capacity. */
export interface RateLimit {
  tokensPerSecond: number
  capacity: number
}

const TOKENS_PER_REQUEST = 10
const MAX_CALLERS = 1_000

/** Token buckets, one a caller, refilled continuously. */
export class Buckets {
  readonly #limit: RateLimit
  readonly #clock: () => number
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>()

  constructor(limit: RateLimit, clock: () => number) {
    this.#limit = limit
    this.#clock = clock
  }

  /**
   * Takes the cost of one request; false where the caller has not that much. A refusal costs nothing more.
   */
  take(caller: string): boolean {
    const now = this.#clock()
    const { tokensPerSecond, capacity } = this.#limit
    const bucket = this.#buckets.get(caller) ?? { tokens: capacity, atMs: now }
    bucket.tokens = Math.min(
      capacity,
      bucket.tokens + (Math.max(0, now - bucket.atMs) / 1000) * tokensPerSecond
    )
    bucket.atMs = now
    if (this.#buckets.size >= MAX_CALLERS && !this.#buckets.has(caller)) this.#buckets.clear()
    this.#buckets.set(caller, bucket)
    if (bucket.tokens < TOKENS_PER_REQUEST) return false
    bucket.tokens -= TOKENS_PER_REQUEST
    return true
  }
}
