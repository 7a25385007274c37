const TICK_MS = 10
/** One tick never holds the event loop longer than this; what is owed stays owed. */
const SLICE_MS = 20

export interface PacerOptions {
  /** Epoch milliseconds. */
  now: () => number
  /** Makes one happening; false when nothing can happen. */
  step: () => boolean
}

/** One timer that makes happenings at a rate, several a tick, and runs tasks when they are due. */
export class Pacer {
  readonly #options: PacerOptions
  #tasks: { atMs: number; run: () => void }[] = []
  #timer: NodeJS.Timeout | undefined
  #rate: number
  #lastTickMs = 0
  #debt = 0

  constructor(options: PacerOptions, rate: number) {
    this.#options = options
    this.#rate = rate
  }

  get rate() {
    return this.#rate
  }

  /** Happenings a second; 0 for none. */
  set rate(perSecond: number) {
    if (!(perSecond >= 0)) throw new RangeError(`the rate must be 0 or more, not ${perSecond}`)
    this.#rate = perSecond
    this.#debt = 0
  }

  get running() {
    return this.#timer !== undefined
  }

  start() {
    if (this.#timer !== undefined) return
    this.#lastTickMs = this.#options.now()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  stop() {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#debt = 0
  }

  /** Runs a task once its time has come, while running. */
  at(atMs: number, run: () => void) {
    this.#tasks.push({ atMs, run })
  }

  #tick() {
    const nowMs = this.#options.now()
    const elapsedMs = Math.max(0, nowMs - this.#lastTickMs)
    this.#lastTickMs = nowMs
    this.#runDue(nowMs)
    // A second of debt at most: after a long pause the model goes on, it does not catch up.
    this.#debt = Math.min(this.#debt + (this.#rate * elapsedMs) / 1000, this.#rate)
    const startedMs = performance.now()
    while (this.#debt >= 1 && this.#options.step()) {
      this.#debt -= 1
      if (performance.now() - startedMs > SLICE_MS) break
    }
  }

  #runDue(nowMs: number) {
    const due = this.#tasks.filter((task) => task.atMs <= nowMs)
    if (due.length === 0) return
    this.#tasks = this.#tasks.filter((task) => task.atMs > nowMs)
    for (const task of due) task.run()
  }
}
