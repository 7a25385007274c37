/** Takes each changed slot once, however often it changed since the last drain. */
export interface ChangeConsumer {
  /** Calls `visit` for at most `limit` changed slots, oldest first; returns how many are left. */
  drain(visit: (slot: number) => void, limit?: number): number
  readonly pending: number
  close(): void
}

class Consumer implements ChangeConsumer {
  /** A ring of changed slots: at most one entry a slot, so it can never overflow. */
  private readonly ring: Int32Array
  private readonly queued: Uint8Array
  private head = 0
  pending = 0
  private waking = false
  private closed = false
  private readonly wake: (() => void) | undefined
  private readonly leave: (consumer: Consumer) => void

  constructor(capacity: number, wake: (() => void) | undefined, leave: (consumer: Consumer) => void) {
    this.ring = new Int32Array(capacity)
    this.queued = new Uint8Array(capacity)
    this.wake = wake
    this.leave = leave
  }

  mark(slot: number): void {
    if (this.queued[slot] === 1) return
    this.queued[slot] = 1
    let tail = this.head + this.pending
    if (tail >= this.ring.length) tail -= this.ring.length
    this.ring[tail] = slot
    this.pending++
    if (this.wake === undefined || this.waking) return
    this.waking = true
    setImmediate(() => {
      this.waking = false
      if (!this.closed) this.wake?.()
    })
  }

  drain(visit: (slot: number) => void, limit = this.pending): number {
    for (let left = Math.min(limit, this.pending); left > 0; left--) {
      const slot = this.ring[this.head] as number
      this.head = this.head + 1 === this.ring.length ? 0 : this.head + 1
      this.pending--
      this.queued[slot] = 0
      visit(slot)
    }
    return this.pending
  }

  close(): void {
    this.closed = true
    this.leave(this)
  }
}

/**
 * Tells any number of consumers which markets changed. Marking costs one flag a consumer and never waits: each
 * consumer drains when it likes and finds every changed market once, with its latest state.
 */
export class ChangeBus {
  private readonly capacity: number
  private consumers: Consumer[] = []

  constructor(capacity: number) {
    this.capacity = capacity
  }

  mark(slot: number): void {
    for (let i = 0; i < this.consumers.length; i++) (this.consumers[i] as Consumer).mark(slot)
  }

  /** Adds a consumer; `wake`, if given, is called in a later turn once something changed. It stops with `close`. */
  consume(wake?: () => void): ChangeConsumer {
    const consumer = new Consumer(this.capacity, wake, (gone) => {
      this.consumers = this.consumers.filter((one) => one !== gone)
    })
    this.consumers.push(consumer)
    return consumer
  }
}
