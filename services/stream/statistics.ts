import type { TickerFault } from './ticker-check.ts'

/** What streams did since the start. */
export class StreamStatistics {
  clientsTotal = 0
  clientsRefused = 0
  messagesSent = 0
  bytesSent = 0
  lags = 0
  resyncs = 0
  resumed = 0
  closedSlow = 0
  badMessages = 0
  /** Exceptions on the way out; each was caught. */
  failures = 0
  tickersPublished = 0
  /** Changes of a market that waited for the same ticker as an earlier one, for each group of subscribers. */
  tickersConflated = 0
  tickersWithheld = 0
  /** Tickers that could not be written or sent; each was tried again. */
  tickersFailed = 0
  readonly tickerFaults = new Map<TickerFault | 'not_live', number>()

  withhold(why: TickerFault | 'not_live'): void {
    this.tickersWithheld++
    this.tickerFaults.set(why, (this.tickerFaults.get(why) ?? 0) + 1)
  }
}
