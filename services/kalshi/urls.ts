/** Paths below `KALSHI_HTTP_BASE`, and what a subscription names. The bases come from the settings. */
export const PATHS = {
  exchangeStatus: '/exchange/status',
  events: '/events',
  markets: '/markets',
  trades: '/markets/trades',
  candles: '/markets/candlesticks',
  /** Up to 100 tickers, each as its own `tickers=`. */
  orderBooks: '/markets/orderbooks',
  orderBook: (ticker: string) => `/markets/${encodeURIComponent(ticker)}/orderbook`
} as const

export const CHANNELS = {
  orderBook: 'orderbook_delta',
  lifecycle: 'market_lifecycle_v2',
  trade: 'trade'
} as const

/** Tickers in one `tickers=` list, of markets or of order books. */
export const TICKERS_PER_REQUEST = 100

/** Returns the items in runs of at most `size`. */
export function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  const chunks: Item[][] = []
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size))
  return chunks
}
