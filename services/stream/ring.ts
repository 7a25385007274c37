import type { Frame } from './frame.ts'

/** How much the rings of all topics may hold together, and each by itself. */
export interface RingLimits {
  messages: number
  bytes: number
}

/** Shares the bytes among the rings that hold any: each may hold as much as every other. */
export class RingBudget {
  readonly limits: RingLimits
  /** Those that hold something. */
  readonly rings = new Set<FrameRing>()
  /** What all rings hold. */
  bytes = 0

  constructor(limits: RingLimits) {
    this.limits = limits
  }

  get share(): number {
    return this.limits.bytes / Math.max(1, this.rings.size)
  }
}

/** The last messages of one topic, of consecutive `seq`: a client that missed them gets them from here. */
export class FrameRing {
  private readonly budget: RingBudget
  private readonly frames = new Map<number, Frame>()
  private bytes = 0
  /** The oldest that is kept. */
  private first = 1

  constructor(budget: RingBudget) {
    this.budget = budget
  }

  get firstSeq(): number {
    return this.first
  }

  push(frame: Frame): void {
    if (this.frames.size === 0) this.first = frame.seq
    this.frames.set(frame.seq, frame)
    this.account(frame.bytes.length)
    const { rings } = this.budget
    if (rings.has(this)) this.trim()
    else {
      rings.add(this)
      // The share of each is smaller now.
      for (const ring of rings) ring.trim()
    }
  }

  get(seq: number): Frame | undefined {
    return this.frames.get(seq)
  }

  /** Drops what is above the limits, oldest first. */
  trim(): void {
    const { limits, share } = this.budget
    while (this.frames.size > limits.messages || (this.bytes > share && this.frames.size > 0)) {
      const frame = this.frames.get(this.first) as Frame
      this.frames.delete(this.first++)
      this.account(-frame.bytes.length)
    }
    if (this.frames.size === 0) this.budget.rings.delete(this)
  }

  close(): void {
    this.account(-this.bytes)
    this.frames.clear()
    this.budget.rings.delete(this)
  }

  private account(bytes: number): void {
    this.bytes += bytes
    this.budget.bytes += bytes
  }
}
