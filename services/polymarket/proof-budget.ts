/** Saved for a burst, as a share of a second of proving. */
const SAVED_SHARE = 0.25

/**
 * How much time proofs may take: a share of one core. Half of what is saved is kept for the last message before a
 * pause, after which no other would prove its book; what is above that goes to every message.
 */
export class ProofBudget {
  private readonly share: number
  private readonly capacityMs: number
  private leftMs: number
  private filledAtMs = Number.NaN
  private spent = 0

  constructor(percent: number) {
    this.share = percent / 100
    this.capacityMs = this.share * 1_000 * SAVED_SHARE
    this.leftMs = this.capacityMs
  }

  /** Milliseconds that proofs took since the start. */
  get spentMs(): number {
    return this.spent
  }

  /** False where proofs are turned off altogether. */
  get isOpen(): boolean {
    return this.capacityMs > 0
  }

  /** True when a proof of just any message is within the budget. */
  get allowsAny(): boolean {
    return this.leftMs > this.capacityMs / 2
  }

  /** True when the proof of a book that fell silent is. */
  get allowsLast(): boolean {
    return this.leftMs > 0
  }

  /** Adds what the time since the last call brings; `nowMs` is on a clock that never jumps. */
  refill(nowMs: number): void {
    if (!Number.isNaN(this.filledAtMs))
      this.leftMs = Math.min(this.capacityMs, this.leftMs + (nowMs - this.filledAtMs) * this.share)
    this.filledAtMs = nowMs
  }

  /** A proof that was begun is finished: the time may go into debt, which the next ones wait for. */
  spend(ms: number): void {
    this.leftMs -= ms
    this.spent += ms
  }
}
