export interface LookUpsOptions {
  /** Asks for these markets and takes over what it finds. */
  lookUp: (tickers: string[]) => Promise<void>
  onFailure: (reason: string) => void
}

/** Look-ups are collected for this long and asked for together. */
const COLLECT_MS = 500
const MAX_WAITING = 10_000

/** The markets that are to be asked for over REST, a moment later and together. */
export class LookUps {
  private readonly options: LookUpsOptions
  private readonly waiting = new Set<string>()
  private timer: NodeJS.Timeout | null = null
  private isStopped = false

  constructor(options: LookUpsOptions) {
    this.options = options
  }

  add(ticker: string): void {
    if (this.isStopped || this.waiting.size >= MAX_WAITING) return
    this.waiting.add(ticker)
    this.timer ??= setTimeout(() => this.flush(), COLLECT_MS)
  }

  stop(): void {
    this.isStopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private flush(): void {
    const tickers = [...this.waiting]
    this.waiting.clear()
    this.timer = null
    this.options.lookUp(tickers).catch((error) => this.options.onFailure(String(error)))
  }
}
