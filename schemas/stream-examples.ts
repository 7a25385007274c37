import { EXAMPLES } from './examples.ts'

const { MarketAggregate, Verdict, Health } = EXAMPLES
const { id, market, orderBook, quotes } = MarketAggregate
const topic = 7
const epoch = 'mib2k1x4.7'

const whole = { id, version: 4_811, previous: null, ...orderBook, verdict: Verdict }
const change = {
  id,
  version: 4_812,
  previous: 4_811,
  bids: [{ price: '0.41', size: '1250' }],
  asks: [{ price: '0.44', size: '0' }],
  verdict: Verdict
}
const depth = { id, version: 4_812, ...orderBook, verdict: Verdict }
const ticker = {
  id,
  version: 4_812,
  quotes,
  volume: market.volume,
  volume24h: market.volume24h,
  verdict: Verdict
}
const summary = {
  market_id: id,
  platform: 'kalshi',
  summary_stats: {
    yes: { bid: 0.41, ask: 0.43, volume: 184_230 },
    no: { bid: 0.57, ask: 0.59, volume: 184_230 }
  },
  timestamp: '2026-11-20T12:34:57.000Z'
}
const trade = {
  id,
  tradeId: '0b0c6f5e-3d0f-4a5e-9f5b-6f0f7d1f2a11',
  venueTime: '2026-11-20T12:34:56.781Z',
  receivedAt: '2026-11-20T12:34:56.789Z',
  price: '0.42',
  size: '120',
  takerSide: 'yes'
}

/** Of every message and part of the stream, by the schema's name. */
export const STREAM_EXAMPLES: Readonly<Record<string, readonly unknown[]>> = {
  StreamFilter: [{ venue: 'kalshi', status: 'open', q: 'fed' }],
  StreamResume: [{ epoch, seq: 1_204 }],
  StreamSubscribe: [
    { op: 'subscribe', id: 'books', channel: 'book', markets: [id] },
    { op: 'subscribe', id: 'books', channel: 'book', markets: [id], resume: { epoch, seq: 1_204 } },
    { op: 'subscribe', id: 'tops', channel: 'depth', event: market.eventId, depth: 5, intervalMs: 250 },
    {
      op: 'subscribe',
      id: 'all',
      channel: 'ticker',
      filter: { venue: 'kalshi', q: 'fed' },
      policy: 'disconnect'
    }
  ],
  StreamUnsubscribe: [{ op: 'unsubscribe', id: 'books' }],
  StreamPing: [{ op: 'ping' }],
  StreamBook: [whole, change],
  StreamDepth: [depth],
  StreamTicker: [ticker],
  StreamSideStats: [summary.summary_stats.yes],
  StreamSummary: [summary],
  StreamTrade: [trade],
  StreamSubscribed: [
    { type: 'subscribed', id: 'books', topic, channel: 'book', epoch, seq: 1_204, resumed: false, markets: 1 }
  ],
  StreamUnsubscribed: [{ type: 'unsubscribed', id: 'books', topic }],
  StreamSnapshot: [
    { type: 'snapshot', topic, seq: 1_204, remaining: 0, books: [whole] },
    { type: 'snapshot', topic, seq: 1_204, remaining: 0, tickers: [ticker] },
    { type: 'snapshot', topic, seq: 12, remaining: 0, health: Health }
  ],
  StreamChange: [
    { type: 'change', topic, seq: 1_205, books: [change] },
    { type: 'change', topic, seq: 1_206, removed: ['kalshi:KXFED-26OCT-T3.75'], books: [] }
  ],
  StreamDepthMessage: [{ type: 'depth', topic, seq: 31, depth: [depth] }],
  StreamTickers: [
    { type: 'tickers', topic, seq: 88, tickers: [ticker] },
    { type: 'tickers', topic, seq: 88, tickers: [summary] }
  ],
  StreamTrades: [{ type: 'trades', topic, seq: 402, trades: [trade] }],
  StreamHealthMessage: [{ type: 'health', topic, seq: 13, health: Health }],
  StreamLag: [{ type: 'lag', topic, from: 1_207, to: 1_950 }],
  StreamResync: [{ type: 'resync', topic, seq: 1_950, reason: 'too_old' }],
  StreamError: [
    {
      type: 'error',
      id: 'books',
      code: 'MARKET_NOT_FOUND',
      message: 'no market kalshi:NOPE: see /v1/markets/index for the ids that are served'
    }
  ],
  StreamPong: [{ type: 'pong', at: '2026-11-20T12:34:57.000Z' }]
}
