/** One hour of one market, told so that the examples of the specification fit together. */

const ID = 'kalshi:KXFED-26DEC-T3.75'

const quote = {
  bestBid: '0.41',
  bestBidSize: '1300',
  bestAsk: '0.43',
  bestAskSize: '800',
  mid: '0.42',
  spread: '0.02'
}

const orderBook = {
  bids: [
    { price: '0.41', size: '1300' },
    { price: '0.4', size: '250.5' }
  ],
  asks: [{ price: '0.43', size: '800' }]
}

const snapshot = {
  at: '2026-11-20T12:34:56.790Z',
  source: 'websocket',
  cause: 'change',
  quote,
  orderBook,
  verdict: {
    state: 'live',
    reason: null,
    source: 'websocket',
    sequence: 48_213,
    venueTime: '2026-11-20T12:34:56.781Z',
    receivedAt: '2026-11-20T12:34:56.789Z',
    verifiedAt: '2026-11-20T12:34:30.002Z',
    mismatches: 0
  }
}

const trade = {
  tradeId: '3f1c8a52-0a4e-4d8e-9a3b-6f0c1f3f7d10',
  venueTime: '2026-11-20T12:34:40.000Z',
  receivedAt: '2026-11-20T12:34:40.012Z',
  price: '0.42',
  size: '25',
  takerSide: 'yes'
}

const from = '2026-11-20T12:00:00.000Z'
const to = '2026-11-20T13:00:00.000Z'
const coverage = { verifiedPercent: '99.9583', gaps: 1 }

const bar = { open: '0.41', high: '0.42', low: '0.41', close: '0.42' }

export const HISTORY_EXAMPLES = {
  LatestSnapshot: { id: ID, source: 'websocket', proven: true, snapshot },
  SnapshotHistory: { id: ID, from, to, items: [snapshot], cursor: null, coverage },
  TradeHistory: { id: ID, from, to, items: [trade], cursor: null, coverage },
  MarketGaps: {
    id: ID,
    ticker: 'KXFED-26DEC-T3.75',
    from,
    to,
    gaps: [{ from: 812, to: 813, count: 2 }],
    gapCount: 1,
    hasGaps: true,
    intervals: [
      {
        id: 'kalshi-1763640000000-17',
        venue: 'kalshi',
        kind: 'sequence_gap',
        from: '2026-11-20T12:20:00.100Z',
        to: '2026-11-20T12:20:01.600Z',
        detectedAt: '2026-11-20T12:20:00.150Z',
        recovered: true,
        recoveredBy: 'snapshot',
        sequences: { from: 812, to: 813, count: 2 },
        subscription: '2',
        connection: 'kalshi',
        marketCount: 500,
        detail: 'expected 812, received 814'
      }
    ]
  },
  MarketCoverage: {
    id: ID,
    from,
    to,
    recordedFrom: '2026-11-18T09:00:12.003Z',
    intervals: [
      { from, to: '2026-11-20T12:20:00.100Z', kind: 'verified', reason: null },
      {
        from: '2026-11-20T12:20:00.100Z',
        to: '2026-11-20T12:20:01.600Z',
        kind: 'degraded',
        reason: 'sequence_gap'
      },
      { from: '2026-11-20T12:20:01.600Z', to, kind: 'verified', reason: null }
    ],
    shares: {
      verified: { durationMs: 3_598_500, percent: '99.9583' },
      degraded: { durationMs: 1_500, percent: '0.0417' },
      missing: { durationMs: 0, percent: '0' }
    }
  },
  CandleHistory: {
    id: ID,
    interval: '1h',
    from,
    to,
    items: [
      {
        from,
        to,
        mid: { open: '0.415', high: '0.425', low: '0.41', close: '0.42' },
        bid: bar,
        ask: { open: '0.42', high: '0.43', low: '0.41', close: '0.43' },
        trades: { count: 41, volume: '1820.5', price: bar },
        snapshots: 212,
        complete: false,
        reason: 'degraded',
        detail: 'sequence_gap',
        venue: null
      }
    ],
    coverage
  },
  BookAtInstant: {
    id: ID,
    asOf: '2026-11-20T12:34:57.000Z',
    orderBook,
    quote,
    proof: {
      proven: true,
      base: { at: '2026-11-20T12:30:00.000Z', kind: 'checkpoint' },
      deltas: 318,
      version: 90_412,
      digest: '9d3c0e5b71a24f68',
      verdict: { state: 'live', reason: null },
      hole: null
    }
  }
}
