/** One market, told in full, from which every example of the specification is made. */

const TICKER = 'KXFED-26DEC-T3.75'

const market = {
  id: `kalshi:${TICKER}`,
  venue: 'kalshi',
  venueMarketId: TICKER,
  symbol: TICKER,
  eventId: 'kalshi:KXFED-26DEC',
  title: 'Will the upper bound of the federal funds rate be above 3.75% after December?',
  outcomes: { yes: 'Yes', no: 'No' },
  tokens: null,
  status: 'open',
  result: null,
  openTime: '2026-06-01T14:00:00.000Z',
  closeTime: '2026-12-09T18:55:00.000Z',
  eventStartTime: null,
  priceBands: [{ start: '0', end: '1', step: '0.01' }],
  minOrderSize: null,
  volume: '184230',
  volume24h: '5120.5',
  volumeUnit: 'contracts',
  openInterest: '91002'
}

const orderBook = {
  bids: [
    { price: '0.41', size: '1300' },
    { price: '0.4', size: '250.5' }
  ],
  asks: [{ price: '0.43', size: '800' }]
}

const verdict = {
  state: 'live',
  reason: null,
  source: 'websocket',
  sequence: 48_213,
  venueTime: '2026-11-20T12:34:56.781Z',
  receivedAt: '2026-11-20T12:34:56.789Z',
  verifiedAt: null,
  mismatches: 0
}

const aggregate = {
  id: market.id,
  market,
  orderBook,
  quotes: {
    usable: true,
    yes: {
      bestBid: '0.41',
      bestBidSize: '1300',
      bestAsk: '0.43',
      bestAskSize: '800',
      mid: '0.42',
      spread: '0.02'
    },
    no: {
      bestBid: '0.57',
      bestBidSize: '800',
      bestAsk: '0.59',
      bestAskSize: '1300',
      mid: '0.58',
      spread: '0.02'
    }
  },
  summary: {
    yes: { bid: '0.41', ask: '0.43', volume: '184230' },
    no: { bid: '0.57', ask: '0.59', volume: '184230' }
  },
  verdict,
  lastUpdatedMs: 1_795_178_096_789
}

const indexEntry = {
  id: market.id,
  symbol: TICKER,
  venue: 'kalshi',
  title: market.title,
  state: 'live',
  lastUpdatedMs: aggregate.lastUpdatedMs
}

const event = {
  id: market.eventId,
  venue: 'kalshi',
  venueEventId: 'KXFED-26DEC',
  symbol: 'KXFED-26DEC',
  seriesId: 'kalshi:KXFED',
  title: 'Federal funds rate after the December meeting',
  category: 'Economics',
  mutuallyExclusive: false,
  marketIds: [market.id]
}

const scheduleEntry = {
  id: market.id,
  venue: 'kalshi',
  eventId: market.eventId,
  title: market.title,
  status: 'open',
  eventStartTime: null,
  openTime: market.openTime,
  closeTime: market.closeTime
}

const breaker = { state: 'closed', opened: 0, successes: 410, failures: 2, rejected: 0, changedAt: null }

const venueHealth = {
  venue: 'kalshi',
  source: 'websocket',
  synced: true,
  note: null,
  lastMessageAt: verdict.receivedAt,
  messagesPerSecond: 812.4,
  connections: [
    {
      name: 'kalshi',
      state: 'open',
      markets: 500,
      messages: 2_412_000,
      reconnects: 1,
      lastError: null,
      connectedAt: '2026-11-20T04:00:12.001Z',
      lastMessageAt: verdict.receivedAt,
      breaker
    }
  ],
  markets: 500,
  booksByState: { live: 498, halted: 2 },
  booksByReason: { venue_paused: 2 },
  discovery: { lastAt: '2026-11-20T12:30:00.000Z', selected: 500, lastError: null },
  rest: {
    requests: 412,
    failures: 2,
    retries: 2,
    lastError: null,
    hosts: [
      {
        name: 'kalshi',
        requests: 412,
        failures: 2,
        retries: 2,
        lastError: null,
        breaker,
        tokensPerSecond: 200,
        tokensPerSecondMax: 200
      }
    ]
  },
  recovery: { losses: 1, recovered: 1, lastMs: 1_840.2, maxMs: 1_840.2, resubscribed: 500 },
  audit: {
    books: 498,
    equal: 250_100,
    explained: { cached: 812, ahead: 3, too_busy: 0, too_young: 0, not_read: 4, not_live: 9 },
    mismatch: 1,
    confirmed: 0,
    failedReads: 2,
    polls: { reads: 86_400, failed: 3, books: 8_640_000, equal: 8_571_000, differing: 61_000 },
    ageMs: { p50: 30_200, p99: 60_400, max: 61_900 }
  },
  liveness: {
    silent: 0,
    silences: 3,
    quietConnections: 3,
    deadConnections: 0,
    asked: 1_204,
    quietMarkets: 1_204,
    deadMarkets: 0
  },
  proofs: null,
  counters: { frames: 2_412_000, applied: 2_411_998, ignored: { unknown_type: 2 }, seen: {} }
}

const run = {
  id: 3,
  trigger: 'schedule',
  startedAt: '2026-11-20T12:00:00.000Z',
  endedAt: '2026-11-20T12:00:04.310Z',
  durationMs: 4_310,
  outcome: 'completed',
  venues: [
    {
      venue: 'kalshi',
      durationMs: 4_310,
      error: null,
      connections: [
        {
          name: 'kalshi',
          outcome: 'swapped',
          reason: null,
          markets: 500,
          equal: 491,
          explained: 8,
          differed: 1,
          mended: 0,
          fillMs: 640
        }
      ],
      differed: {
        total: 1,
        items: [
          {
            marketId: market.id,
            connection: 'kalshi',
            levels: 1,
            side: 'bid',
            price: '0.41',
            size: '1300',
            freshSize: '1250'
          }
        ]
      },
      markets: 500,
      added: { total: 0, items: [] },
      changed: { total: 1, items: [{ id: market.id, fields: ['closeTime'] }] },
      ended: { total: 0, items: [] }
    }
  ]
}

const page = <T>(item: T) => ({ page: 1, pageSize: 50, total: 1, items: [item] })

export const EXAMPLES = {
  Market: market,
  OrderBook: orderBook,
  Verdict: verdict,
  MarketAggregate: aggregate,
  MarketDetail: { ...aggregate, rules: 'If the upper bound is above 3.75%, the market settles to Yes.' },
  MarketIndexEntry: indexEntry,
  MarketPage: page(aggregate),
  Event: event,
  EventPage: page(event),
  ScheduleEntry: scheduleEntry,
  SchedulePage: page(scheduleEntry),
  RecyclerRun: run,
  RecyclerStatus: {
    intervalHours: 12,
    nextRunAt: '2026-11-21T00:14:31.882Z',
    running: null,
    lastRuns: [run]
  },
  Health: {
    status: 'ok',
    startedAt: '2026-11-20T04:00:10.000Z',
    uptimeMs: 30_886_789,
    venues: [venueHealth],
    incidents: {
      total: 1,
      byVenueAndKind: { kalshi: { sequence_gap: 1 } },
      latest: [
        {
          id: 1,
          at: verdict.receivedAt,
          venue: 'kalshi',
          kind: 'sequence_gap',
          marketId: null,
          connection: 'kalshi',
          detail: 'expected 812, received 814',
          sample: null,
          endedAt: verdict.receivedAt
        }
      ]
    },
    process: {
      residentBytes: 148_000_000,
      heapUsedBytes: 41_000_000,
      arrayBufferBytes: 22_000_000,
      eventLoopDelayMeanMs: 0.1,
      eventLoopDelayP99Ms: 1.2,
      eventLoopDelayMaxMs: 3.4
    },
    store: { markets: 500, capacityMarkets: 2_000, levelsReserved: 41_000, capacityLevels: 512_000 },
    validation: { mode: 'sample', checked: 120, failed: 0, failuresByRoute: {} },
    history: {
      engine: 'pglite',
      state: 'well',
      error: null,
      lagMs: 240,
      pending: 0,
      waiting: 85,
      written: 1_204_511,
      conflated: 0,
      dropped: 0,
      failures: 0,
      snapshotsByCause: { change: 1_100_402, interval: 90_210, verdict: 1_899, poll: 12_000 },
      openGaps: 0,
      gapFiller: { runs: 103, closed: { snapshot: 2, rest: 0, trades: 1 }, unrecoverable: 0, successRate: 1 },
      journals: {
        kalshi: {
          state: 'ok',
          records: 9_120_344,
          bytes: 2_280_086_000,
          bytesWritten: 310_200_000,
          pendingBytes: 48_120,
          lagMs: 310,
          segments: 9,
          holes: 0,
          lostRecords: 0
        }
      }
    },
    stream: {
      clients: 42,
      clientsTotal: 311,
      clientsRefused: 0,
      subscriptions: 97,
      topics: 31,
      activeMarkets: 480,
      ringBytes: 21_400_122,
      waitingBytes: 0,
      messagesSent: 9_120_411,
      bytesSent: 3_811_902_344,
      serialized: 1_204_880,
      lags: 3,
      resyncs: 1,
      resumed: 12,
      closedSlow: 0,
      badMessages: 2,
      failures: 0,
      tickers: {
        published: 880_210,
        conflated: 4_120_311,
        withheld: 4,
        withheldByReason: { bid_not_below_ask: 4 },
        failed: 0,
        activeMarkets: 410
      }
    },
    replication: {
      role: 'ingest',
      shards: 32,
      redis: { state: 'ready', lastError: null, connects: 1 },
      leases: { member: 'gateway-1-4711-1f2e3d4c', members: 2, held: 18, share: 18 },
      writer: { entries: 48_112, failures: 0, fenced: 0, lostTrades: 0, backlogMs: 12 },
      replica: null,
      cache: {
        written: 91_204,
        refreshed: 240_118,
        pending: 3,
        writeFailures: 0,
        hits: 0,
        misses: 0,
        readFailures: 0
      },
      booksByState: { live: 561 }
    },
    replay: null
  }
}
