import type { Discovered } from '../venue/catalogue.ts'

export interface NewcomersOptions {
  discoverNew: (sinceMs: number) => Promise<Discovered[]>
  onFound: (found: Discovered[]) => void
  everyMs: number
  now: () => number
}

/** How far back each look goes beyond the last: answers may come from a cache, and the venue has its own clock. */
const OVERLAP_MS = 60_000

/**
 * Looks for markets that were created since the last look: a page or so, where a whole discovery is dozens. Without
 * a key no message tells of them, and with one a message may be lost.
 */
export class Newcomers {
  private readonly options: NewcomersOptions
  private timer: NodeJS.Timeout | null = null
  private sinceMs = 0
  private isStopped = false

  constructor(options: NewcomersOptions) {
    this.options = options
  }

  start(): void {
    this.sinceMs = this.options.now()
    this.after()
  }

  stop(): void {
    this.isStopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private after(): void {
    if (this.isStopped) return
    this.timer = setTimeout(() => {
      // One that failed is made up for by the next, which goes back as far.
      this.look()
        .catch(() => {})
        .finally(() => this.after())
    }, this.options.everyMs)
  }

  private async look(): Promise<void> {
    const { discoverNew, onFound, now } = this.options
    const nowMs = now()
    const found = await discoverNew(this.sinceMs - OVERLAP_MS)
    this.sinceMs = nowMs
    if (!this.isStopped) onFound(found)
  }
}
