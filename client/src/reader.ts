interface Waiter<T> {
  resolve: (result: IteratorResult<T, undefined>) => void
  reject: (error: unknown) => void
}

const DONE: IteratorResult<never, undefined> = { done: true, value: undefined }

/**
 * An async iterator over what somebody else keeps: it asks `take` for the next thing when its own reader asks, and waits
 * when there is none. It queues nothing itself.
 */
export class Reader<T> implements AsyncIterableIterator<T, undefined> {
  private readonly take: () => T | undefined
  private readonly waiters: Waiter<T>[] = []
  private readonly onEnd: () => void
  private isEnded = false
  /** Is thrown once. */
  private failure: { error: unknown } | null = null

  constructor(take: () => T | undefined, onEnd: () => void) {
    this.take = take
    this.onEnd = onEnd
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const { failure } = this
    if (failure !== null) {
      this.failure = null
      return Promise.reject(failure.error)
    }
    if (this.isEnded) return Promise.resolve(DONE)
    if (this.waiters.length === 0) {
      const value = this.take()
      if (value !== undefined) return Promise.resolve({ done: false, value })
    }
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }))
  }

  /** Ends it, as leaving a `for await` loop does. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.end(null)
    return Promise.resolve(DONE)
  }

  /** There may be something to take. */
  wake(): void {
    while (this.waiters.length > 0) {
      const value = this.take()
      if (value === undefined) return
      this.waiters.shift()?.resolve({ done: false, value })
    }
  }

  /** Nothing more comes; with a failure, its reader is told. */
  end(failure: { error: unknown } | null): void {
    if (this.isEnded) return
    this.isEnded = true
    const waiters = this.waiters.splice(0)
    if (failure !== null) {
      const first = waiters.shift()
      if (first === undefined) this.failure = failure
      else first.reject(failure.error)
    }
    for (const { resolve } of waiters) resolve(DONE)
    this.onEnd()
  }
}
