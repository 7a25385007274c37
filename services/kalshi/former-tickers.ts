const CAPACITY = 10_000

/** Markets that were followed lately: the venue may still be sending their changes, which are nobody else's. */
export class FormerTickers {
  private readonly tickers = new Set<string>()

  add(ticker: string): void {
    this.tickers.delete(ticker)
    this.tickers.add(ticker)
    const [oldest] = this.tickers
    if (this.tickers.size > CAPACITY && oldest !== undefined) this.tickers.delete(oldest)
  }

  has(ticker: string): boolean {
    return this.tickers.has(ticker)
  }
}
