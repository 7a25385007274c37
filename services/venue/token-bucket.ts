export interface TokenBucketOptions {
  /** Tokens that come back each second. */
  ratePerSecond: number
  /** Tokens that can be saved up; also the largest cost of one call. */
  capacity: number
  /** Callers that may wait at once; one more is refused, so that a stall cannot grow without limit. */
  maxWaiting?: number
  now?: () => number
}

/** The share of the full pace below which it never falls, and the share that one good answer gives back. */
const SLOWEST = 1 / 16
const QUICKER = 1 / 100
const SLOW_AGAIN_MS = 1_000

interface Waiter {
  cost: number
  go: () => void
}

/** Paces calls to a venue: each takes tokens that come back at a rate, first come, first served. */
export class TokenBucket {
  private readonly fullRate: number
  private rate: number
  private slowedAtMs = Number.NEGATIVE_INFINITY
  private readonly capacity: number
  private readonly maxWaiting: number
  private readonly now: () => number
  private tokens: number
  private refilledAtMs: number
  private pausedUntilMs = 0
  private waiting: Waiter[] = []
  private timer: NodeJS.Timeout | null = null

  constructor({
    ratePerSecond,
    capacity,
    maxWaiting = 10_000,
    now = performance.now.bind(performance)
  }: TokenBucketOptions) {
    this.fullRate = ratePerSecond
    this.rate = ratePerSecond
    this.capacity = capacity
    this.maxWaiting = maxWaiting
    this.now = now
    this.tokens = capacity
    this.refilledAtMs = now()
  }

  /** Resolves once `cost` tokens are taken; rejects at once when too many callers wait, or when aborted. */
  take(cost: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (cost > this.capacity)
      return Promise.reject(new RangeError(`cost ${cost} is above capacity ${this.capacity}`))
    this.refill()
    if (this.waiting.length === 0 && this.tokens >= cost && this.now() >= this.pausedUntilMs) {
      this.tokens -= cost
      return Promise.resolve()
    }
    if (this.waiting.length >= this.maxWaiting)
      return Promise.reject(new RangeError('too many calls wait for tokens'))
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.waiting = this.waiting.filter((one) => one !== waiter)
        if (this.waiting.length === 0 && this.timer !== null) {
          clearTimeout(this.timer)
          this.timer = null
        }
        reject(signal?.reason)
      }
      const waiter: Waiter = {
        cost,
        go: () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        }
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.waiting.push(waiter)
      this.schedule()
    })
  }

  /** True while nobody waits and half of what can be saved up is left: a call that can wait may be made. */
  get hasRoom(): boolean {
    this.refill()
    return this.waiting.length === 0 && this.tokens >= this.capacity / 2 && this.now() >= this.pausedUntilMs
  }

  /** Gives nothing out for a while: the venue said that we ask too much. */
  pause(ms: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, this.now() + ms)
    this.tokens = 0
    this.refilledAtMs = this.now()
  }

  /** The present pace, and the pace when all is well; tokens a second. */
  get pace(): { tokensPerSecond: number; tokensPerSecondMax: number } {
    return { tokensPerSecond: this.rate, tokensPerSecondMax: this.fullRate }
  }

  /** Halves the pace, down to a sixteenth; calls of one moment count once, for one fault brings many of them. */
  slow(): void {
    if (this.now() - this.slowedAtMs < SLOW_AGAIN_MS) return
    this.refill()
    this.slowedAtMs = this.now()
    this.rate = Math.max(this.fullRate * SLOWEST, this.rate / 2)
  }

  /** Brings back a hundredth of the full pace: a hundred good answers make up for any number of bad ones. */
  quicken(): void {
    if (this.rate === this.fullRate) return
    this.refill()
    this.rate = Math.min(this.fullRate, this.rate + this.fullRate * QUICKER)
  }

  private refill(): void {
    const now = this.now()
    const elapsedMs = Math.max(0, now - this.refilledAtMs)
    this.tokens = Math.min(this.capacity, this.tokens + (elapsedMs * this.rate) / 1_000)
    this.refilledAtMs = now
  }

  private schedule(): void {
    const first = this.waiting[0]
    if (first === undefined || this.timer !== null) return
    const forTokensMs = ((first.cost - this.tokens) / this.rate) * 1_000
    const forPauseMs = this.pausedUntilMs - this.now()
    this.timer = setTimeout(() => this.serve(), Math.max(1, Math.ceil(forTokensMs), Math.ceil(forPauseMs)))
  }

  private serve(): void {
    this.timer = null
    this.refill()
    while (this.waiting.length > 0 && this.now() >= this.pausedUntilMs) {
      const first = this.waiting[0] as Waiter
      if (this.tokens < first.cost) break
      this.tokens -= first.cost
      this.waiting.shift()
      first.go()
    }
    this.schedule()
  }
}
