/** When so many wait already, the next ones are sent without delay. */
const MAX_WAITING = 10_000

/** Sends that happen a little later, all dropped by `stop`. */
export class DelayedSends {
  readonly #timers = new Set<NodeJS.Timeout>()

  send(delayMs: number, run: () => void): void {
    if (delayMs <= 0 || this.#timers.size >= MAX_WAITING) {
      run()
      return
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, delayMs)
    this.#timers.add(timer)
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
