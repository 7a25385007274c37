import type { BookTable } from '../integrity/book-table.ts'
import type { ServedMarket } from '../venue/catalogue.ts'
import type { KalshiRest } from './rest.ts'

export interface ExchangeWatchOptions {
  rest: KalshiRest
  table: BookTable
  markets: () => Iterable<ServedMarket>
  everyMs: number
}

/** Flags all books while the whole exchange has paused trading, as it does each week; no message tells of that. */
export class ExchangeWatch {
  isPaused = false
  private readonly options: ExchangeWatchOptions
  private timer: NodeJS.Timeout | null = null
  private isStopped = false

  constructor(options: ExchangeWatchOptions) {
    this.options = options
  }

  start(): void {
    this.checkAfter(0)
  }

  stop(): void {
    this.isStopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  /** Flags the books that were not there when the pause began. */
  flag(): void {
    if (this.isPaused)
      for (const { slot } of this.options.markets()) this.options.table.raise(slot, 'venue_paused')
  }

  private checkAfter(waitMs: number): void {
    if (this.isStopped) return
    this.timer = setTimeout(() => {
      // What cannot be asked is not known to have changed.
      this.check()
        .catch(() => {})
        .finally(() => this.checkAfter(this.options.everyMs))
    }, waitMs)
  }

  private async check(): Promise<void> {
    const { rest, table, markets } = this.options
    const isPaused = !(await rest.isTrading())
    if (isPaused === this.isPaused) return
    this.isPaused = isPaused
    this.flag()
    if (isPaused) return
    for (const { slot, market } of markets())
      if (market.status !== 'halted') table.clear(slot, 'venue_paused')
  }
}
