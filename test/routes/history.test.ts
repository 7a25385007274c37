import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type {
  BookAtInstant,
  CandleHistory,
  LatestSnapshot,
  MarketCoverage,
  MarketGaps,
  SnapshotHistory,
  TradeHistory
} from '../../schemas/history.ts'
import {
  bookRow,
  coverageRow,
  type FakeHistory,
  gapRow,
  snapshotRow,
  tradeRow,
  withHistory
} from '../fake-history.ts'
import { build, market, serve } from '../helper.ts'

const ID = market(1).id
const T = Date.UTC(2025, 10, 20, 12)
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const ROUTES = ['latest', 'snapshots', 'trades', 'candles', 'gaps', 'coverage', `book?asOf=${T}`]
const RANGED = ['snapshots', 'trades', 'candles', 'gaps', 'coverage']

const iso = (epochMs: number) => new Date(epochMs).toISOString()

/** An app that serves two markets, with a history of the first hour of the first. */
async function recorded(t: Test): Promise<{ app: FastifyInstance; history: FakeHistory }> {
  const app = await build(t)
  const history = withHistory(app)
  serve(app.snapshotStore, market(1))
  serve(app.snapshotStore, market(2))
  return { app, history }
}

async function get<Body>(app: FastifyInstance, path: string, id = ID): Promise<Body> {
  const response = await app.inject(`/v1/markets/${id}/${path}`)
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${response.body}`)
  return response.json()
}

async function refusal(app: FastifyInstance, path: string, id = ID) {
  const response = await app.inject(`/v1/markets/${id}/${path}`)
  return { ...response.json(), retryAfter: response.headers['retry-after'] }
}

t.test('who may ask for a history', async (t) => {
  t.test('a gateway that records nothing says so', async (t) => {
    const app = await build(t)
    serve(app.snapshotStore, market(1))
    for (const path of ROUTES)
      t.match(await refusal(app, path), { statusCode: 404, code: 'HISTORY_OFF' }, path)
  })

  t.test('a market that is neither served nor recorded is unknown', async (t) => {
    const { app } = await recorded(t)
    for (const path of ROUTES)
      t.match(await refusal(app, path, 'kalshi:NOPE'), { statusCode: 404, code: 'MARKET_NOT_FOUND' }, path)
  })

  t.test('a market that is served no more keeps its history', async (t) => {
    const { app, history } = await recorded(t)
    const gone = 'polymarket:0xabc'
    await history.store.writeSnapshots([snapshotRow(gone, T)])
    history.books.push(bookRow(gone, T))
    for (const path of ROUTES) t.match(await get(app, path, gone), { id: gone }, path)
    t.match(await get(app, 'gaps', encodeURIComponent(gone)), { id: gone, ticker: '0xabc' })
    await history.store.writeMarkets([
      {
        marketId: gone,
        venue: 'polymarket',
        fromMs: T,
        status: 'settled',
        rulesHash: '',
        market: market(9, { id: gone, symbol: 'will-it-end' })
      }
    ])
    t.match(await get(app, 'gaps', gone), { ticker: 'will-it-end' })
  })

  t.test('while the history is away the answer is 503, and says when to ask again', async (t) => {
    const { app, history } = await recorded(t)
    history.store.away = true
    const unavailable = { statusCode: 503, code: 'HISTORY_UNAVAILABLE', retryAfter: '5' }
    for (const path of ROUTES.slice(0, -1)) {
      t.match(await refusal(app, path), unavailable, path)
      t.match(await refusal(app, path, 'kalshi:NOPE'), unavailable, path)
    }
  })

  t.test('what a query does not know is refused by name', async (t) => {
    const { app } = await recorded(t)
    for (const path of ROUTES) {
      const { code, message } = await refusal(app, `${path}${path.includes('?') ? '&' : '?'}nonsense=1`)
      t.same([code, message], ['BAD_REQUEST', 'query parameter nonsense is not known here'], path)
    }
  })
})

t.test('ranges', async (t) => {
  const { app } = await recorded(t)

  t.test('are told back as they were understood, in whichever form they came', async (t) => {
    const [from, to] = [iso(T), iso(T + HOUR_MS)]
    const later = iso(T + 2 * HOUR_MS).replace('Z', '+02:00')
    for (const path of RANGED) {
      const interval = path === 'candles' ? '&interval=1h' : ''
      for (const query of [
        `from=${from}&to=${to}`,
        `from=${T}&to=${T + HOUR_MS}`,
        `from=${later}&to=${T + HOUR_MS}`,
        `from=${encodeURIComponent(later)}&to=${to}`
      ])
        t.match(await get(app, `${path}?${query}${interval}`), { id: ID, from, to }, `${path}?${query}`)
    }
  })

  t.test('are the last 24 hours by default', async (t) => {
    for (const path of RANGED) {
      const before = Date.now()
      const { from, to } = await get<MarketCoverage>(
        app,
        `${path}${path === 'candles' ? '?interval=1m' : ''}`
      )
      const [fromMs, toMs] = [Date.parse(from), Date.parse(to)]
      const slack = path === 'candles' ? MINUTE_MS : 0
      t.ok(toMs >= before && toMs <= Date.now() + slack, `${path} ends now`)
      t.ok(toMs - fromMs >= 24 * HOUR_MS && toMs - fromMs <= 24 * HOUR_MS + slack, path)
    }
  })

  t.test('that are none are refused, and the parameter is named', async (t) => {
    const tomorrow = iso(Date.now() + 24 * HOUR_MS)
    for (const path of RANGED)
      for (const [query, name] of [
        ['from=yesterday', 'from'],
        ['to=2025-02-30T00:00:00Z', 'to'],
        ['from=2025-11-20T12:00:00', 'from'],
        [`from=${T}&to=${T}`, 'from'],
        [`from=${T}&to=${T - 1}`, 'from'],
        [`from=${tomorrow}`, 'from']
      ]) {
        const { statusCode, code, message } = await refusal(app, `${path}?${query}`)
        t.same([statusCode, code], [400, 'RANGE_INVALID'], `${path}?${query}`)
        t.match(message, new RegExp(`^query parameter ${name} `))
      }
    t.match(await refusal(app, 'gaps?from=1&from=2'), { statusCode: 400, code: 'BAD_REQUEST' })
  })
})

t.test('GET /v1/markets/{id}/latest', async (t) => {
  const { app, history } = await recorded(t)

  t.test('nothing recorded yet is told apart from an unknown market', async (t) => {
    t.match(await refusal(app, 'latest'), { statusCode: 404, code: 'BOOK_UNKNOWN' })
  })

  t.test('is the newest proven snapshot of either source', async (t) => {
    const { store } = history
    await store.writeSnapshots([
      snapshotRow(ID, T),
      snapshotRow(ID, T - 1, { source: 'poll', cause: 'poll' })
    ])
    t.same(await get<LatestSnapshot>(app, 'latest'), {
      id: ID,
      source: 'websocket',
      proven: true,
      snapshot: {
        at: iso(T),
        source: 'websocket',
        cause: 'change',
        quote: {
          bestBid: '0.4',
          bestBidSize: '1.5',
          bestAsk: '0.45',
          bestAskSize: '2.000001',
          mid: '0.425',
          spread: '0.05'
        },
        orderBook: {
          bids: [
            { price: '0.4', size: '1.5' },
            { price: '0.39', size: '3' }
          ],
          asks: [{ price: '0.45', size: '2.000001' }]
        },
        verdict: {
          state: 'live',
          reason: null,
          source: 'websocket',
          sequence: 7,
          venueTime: iso(T - 5),
          receivedAt: iso(T - 1),
          verifiedAt: null,
          mismatches: 0
        }
      }
    })
    const polled = (ms: number, state: 'live' | 'stale' = 'live') =>
      store.writeSnapshots([snapshotRow(ID, T + ms, { source: 'poll', cause: 'poll', state })])
    history.nowMs = T + 136_001
    await polled(16_000)
    t.match(await get(app, 'latest'), { source: 'websocket', proven: true }, 'a polled book may be so old')
    await polled(16_001)
    t.match(await get(app, 'latest'), { source: 'poll', proven: true })
    history.nowMs = T + 136_002
    t.match(
      await get(app, 'latest'),
      { source: 'websocket', proven: true },
      'none followed it for two minutes'
    )
    history.nowMs = null
    await polled(16_002, 'stale')
    t.match(await get(app, 'latest'), { source: 'websocket', proven: true, snapshot: { at: iso(T) } })
    await store.writeSnapshots([snapshotRow(ID, T + 16_003, { state: 'suspect', reason: 'sequence_gap' })])
    t.match(await get(app, 'latest'), {
      source: 'websocket',
      proven: false,
      snapshot: { at: iso(T + 16_003), verdict: { state: 'suspect', reason: 'sequence_gap' } }
    })
  })

  t.test('an empty side has no price', async (t) => {
    const empty = { bestBid: null, bestBidSize: null, bids: [], venueTimeMs: null, receivedAtMs: null }
    await history.store.writeSnapshots([snapshotRow(market(2).id, T, { ...empty, sequence: null })])
    const { snapshot } = await get<LatestSnapshot>(app, 'latest', market(2).id)
    t.match(snapshot.quote, { bestBid: null, bestBidSize: null, bestAsk: '0.45', mid: null, spread: null })
    t.match(snapshot, {
      orderBook: { bids: [] },
      verdict: { sequence: null, venueTime: null, receivedAt: null }
    })
  })
})

t.test('GET /v1/markets/{id}/snapshots', async (t) => {
  const { app, history } = await recorded(t)
  const rows = Array.from({ length: 250 }, (_, n) =>
    snapshotRow(ID, T + n * 1_000, n % 5 === 0 ? { source: 'poll', cause: 'poll', bestBid: n + 1 } : {})
  )
  await history.store.writeSnapshots(rows)
  const range = `from=${T}&to=${T + 250_000}`
  const page = (query: string) => get<SnapshotHistory>(app, `snapshots?${query}`)
  const all = async (query: string) => {
    const items: SnapshotHistory['items'] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const answer: SnapshotHistory = await page(`${query}${cursor === '' ? '' : `&cursor=${cursor}`}`)
      items.push(...answer.items)
      cursor = answer.cursor
    }
    return items.map(({ at }) => Date.parse(at))
  }

  t.test('is read page by page, oldest first, without a gap or an overlap', async (t) => {
    t.equal((await page(range)).items.length, 100, 'a hundred unless the client says otherwise')
    for (const limit of [1_000, 250, 249, 100, 33])
      t.same(
        await all(`${range}&limit=${limit}`),
        rows.map(({ atMs }) => atMs),
        `by ${limit}`
      )
  })

  t.test('start is inside, end is not', async (t) => {
    const { items, cursor } = await page(`from=${T + 1_000}&to=${T + 3_000}`)
    t.same(
      items.map(({ at }) => at),
      [iso(T + 1_000), iso(T + 2_000)]
    )
    t.equal(cursor, null)
  })

  t.test('is of one source if the client wants that', async (t) => {
    const { items } = await page(`${range}&source=poll`)
    t.equal(items.length, 50)
    t.ok(items.every(({ source, verdict }) => source === 'poll' && verdict.source === 'poll'))
    t.equal((await page(`${range}&source=websocket&limit=1000`)).items.length, 200)
  })

  t.test('says how much of the range it can speak for', async (t) => {
    const { store } = history
    await store.writeCoverage([
      coverageRow(ID, T, T + 100_000),
      coverageRow(ID, T + 100_000, T + 200_000, 'degraded', 'sequence_gap'),
      coverageRow(ID, T + 200_000, null)
    ])
    await store.writeGaps([gapRow('1', T + 100_000), gapRow('2', T + HOUR_MS)])
    t.same((await page(range)).coverage, { verifiedPercent: '60', gaps: 1 })
    t.same((await page(`from=${T - 500_000}&to=${T}`)).coverage, { verifiedPercent: '0', gaps: 0 })
  })

  t.test('refuses limits and cursors that are none', async (t) => {
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'source=rest', 'cursor='])
      t.match(await refusal(app, `snapshots?${query}`), { statusCode: 400, code: 'BAD_REQUEST' }, query)
    t.match(await refusal(app, 'snapshots?cursor=x'), { statusCode: 400, code: 'RANGE_INVALID' })
  })
})

t.test('GET /v1/markets/{id}/trades', async (t) => {
  const { app, history } = await recorded(t)
  await history.store.writeTrades([
    tradeRow(ID, T),
    tradeRow(ID, T + 1_000, { tradeId: null, venueTimeMs: null, takerSide: null, receivedAtMs: T + 1_000 }),
    tradeRow(ID, T + 2_000, { takerSide: 'no', size: 1 })
  ])
  const range = `from=${T}&to=${T + MINUTE_MS}`
  const first = await get<TradeHistory>(app, `trades?${range}&limit=2`)
  t.same(first.items, [
    {
      tradeId: `trade-${T}`,
      venueTime: iso(T),
      receivedAt: iso(T + 10),
      price: '0.42',
      size: '2.5',
      takerSide: 'yes'
    },
    {
      tradeId: null,
      venueTime: null,
      receivedAt: iso(T + 1_000),
      price: '0.42',
      size: '2.5',
      takerSide: null
    }
  ])
  t.same(first.coverage, { verifiedPercent: '0', gaps: 0 })
  const second = await get<TradeHistory>(app, `trades?${range}&limit=2&cursor=${first.cursor}`)
  t.match(second.items, [{ size: '0.000001', takerSide: 'no' }])
  t.equal(second.cursor, null)
  t.match(await refusal(app, 'trades?source=poll'), { code: 'BAD_REQUEST' })
})

t.test('GET /v1/markets/{id}/gaps', async (t) => {
  const { app, history } = await recorded(t)
  const range = `from=${T}&to=${T + HOUR_MS}`

  t.test('no gaps are no gaps', async (t) => {
    t.same(await get<MarketGaps>(app, `gaps?${range}`), {
      id: ID,
      ticker: market(1).symbol,
      from: iso(T),
      to: iso(T + HOUR_MS),
      gaps: [],
      gapCount: 0,
      hasGaps: false,
      intervals: []
    })
  })

  t.test('every gap that concerns the market is told with what came of it', async (t) => {
    await history.store.writeGaps([
      gapRow('1', T + 1_000, { marketIds: [ID, market(2).id] }),
      gapRow('2', T + 2_000, { marketIds: [market(2).id] }),
      gapRow('3', T + 3_000, { venue: 'polymarket' }),
      gapRow('4', T + 4_000, {
        kind: 'restart',
        connection: null,
        subscription: null,
        fromSequence: null,
        toSequence: null,
        endedAtMs: null,
        recoveredBy: null,
        detail: 'Crossbook was not running'
      }),
      gapRow('5', T + 5_000, { fromSequence: 900, toSequence: 900, recoveredBy: 'none' }),
      gapRow('6', T + HOUR_MS)
    ])
    const answer = await get<MarketGaps>(app, `gaps?${range}`)
    t.same(answer.gaps, [
      { from: 812, to: 813, count: 2 },
      { from: 900, to: 900, count: 1 }
    ])
    t.match(answer, { gapCount: 3, hasGaps: true })
    t.same(answer.intervals[0], {
      id: '1',
      venue: 'kalshi',
      kind: 'sequence_gap',
      from: iso(T + 1_000),
      to: iso(T + 2_500),
      detectedAt: iso(T + 1_050),
      recovered: true,
      recoveredBy: 'snapshot',
      sequences: { from: 812, to: 813, count: 2 },
      subscription: '2',
      connection: 'kalshi',
      marketCount: 2,
      detail: 'expected 812, received 814'
    })
    t.match(answer.intervals.slice(1), [
      { kind: 'restart', to: null, recovered: false, recoveredBy: null, sequences: null, marketCount: null },
      { id: '5', recovered: false, recoveredBy: 'none' }
    ])
  })

  t.test('a range with more gaps than an answer holds is refused, not cut short', async (t) => {
    const { store } = history
    await store.writeGaps(Array.from({ length: 10_000 }, (_, n) => gapRow(`many ${n}`, T - HOUR_MS + n)))
    t.equal((await get<MarketGaps>(app, `gaps?from=${T - HOUR_MS}&to=${T}`)).gapCount, 10_000)
    t.match(await refusal(app, `gaps?from=${T - HOUR_MS}&to=${T + HOUR_MS}`), {
      statusCode: 400,
      code: 'RANGE_INVALID',
      message: /more than 10000 gaps/
    })
    const { coverage } = await get<SnapshotHistory>(app, `snapshots?from=${T - HOUR_MS}&to=${T}`)
    t.equal(coverage.gaps, 1_000, 'a summary counts no further')
  })
})

t.test('GET /v1/markets/{id}/coverage', async (t) => {
  const { app, history } = await recorded(t)
  const { store } = history

  t.test('a market of which nothing was recorded is missing', async (t) => {
    const answer = await get<MarketCoverage>(app, `coverage?from=${T}&to=${T + HOUR_MS}`)
    t.match(answer, { recordedFrom: null, intervals: [] })
    t.match(answer.shares, { verified: { percent: '0' }, missing: { durationMs: HOUR_MS, percent: '100' } })
  })

  t.test('is the intervals of the range, and the share of each kind', async (t) => {
    await store.writeCoverage([
      coverageRow(ID, T, T + 1_000_000),
      coverageRow(ID, T + 1_000_000, T + 1_001_500, 'degraded', 'sequence_gap'),
      coverageRow(ID, T + 1_001_500, null)
    ])
    t.same(await get<MarketCoverage>(app, `coverage?from=${T}&to=${T + HOUR_MS}`), {
      id: ID,
      from: iso(T),
      to: iso(T + HOUR_MS),
      recordedFrom: iso(T),
      intervals: [
        { from: iso(T), to: iso(T + 1_000_000), kind: 'verified', reason: null },
        { from: iso(T + 1_000_000), to: iso(T + 1_001_500), kind: 'degraded', reason: 'sequence_gap' },
        { from: iso(T + 1_001_500), to: iso(T + HOUR_MS), kind: 'verified', reason: null }
      ],
      shares: {
        verified: { durationMs: HOUR_MS - 1_500, percent: '99.9583' },
        degraded: { durationMs: 1_500, percent: '0.0417' },
        missing: { durationMs: 0, percent: '0' }
      }
    })
    const half = await get<MarketCoverage>(app, `coverage?from=${T - 500_000}&to=${T + 500_000}`)
    t.match(half, {
      recordedFrom: iso(T),
      shares: { verified: { percent: '50' }, missing: { percent: '50' } }
    })
    const late = await get<MarketCoverage>(app, `coverage?from=${T + 2_000_000}&to=${T + HOUR_MS}`)
    t.equal(late.recordedFrom, iso(T), 'not when the first interval of the range did')
  })

  t.test('says nothing of the future', async (t) => {
    const answer = await get<MarketCoverage>(app, `coverage?from=${T}&to=${Date.now() + HOUR_MS}`)
    t.ok(Date.parse(answer.to) <= Date.now())
    t.equal(answer.intervals.at(-1)?.to, answer.to)
  })

  t.test('a range with more intervals than an answer holds is refused', async (t) => {
    const { id } = market(2)
    await store.writeCoverage(Array.from({ length: 10_001 }, (_, n) => coverageRow(id, T + n, T + n + 1)))
    t.equal(
      (await get<MarketCoverage>(app, `coverage?from=${T}&to=${T + 10_000}`, id)).intervals.length,
      10_000
    )
    t.match(await refusal(app, `coverage?from=${T}&to=${T + 20_000}`, id), {
      code: 'RANGE_INVALID',
      message: /more than 10000 intervals/
    })
  })
})

t.test('GET /v1/markets/{id}/candles', async (t) => {
  const { app, history } = await recorded(t)
  const { store } = history
  const candles = (query: string) => get<CandleHistory>(app, `candles?${query}`)
  await store.writeCoverage([
    coverageRow(ID, T, T + 3 * MINUTE_MS),
    coverageRow(ID, T + 3 * MINUTE_MS, T + 3 * MINUTE_MS + 1, 'degraded', 'disconnected'),
    coverageRow(ID, T + 3 * MINUTE_MS + 1, null)
  ])
  await store.writeSnapshots([
    snapshotRow(ID, T, { bestBid: 4_000, bestAsk: 4_500 }),
    snapshotRow(ID, T + 1_000, { bestBid: 4_200, bestAsk: 4_501 }),
    snapshotRow(ID, T + 2_000, { bestBid: 4_100, bestAsk: null, bestAskSize: null, asks: [] }),
    snapshotRow(ID, T + 3 * MINUTE_MS, { bestBid: null, bestBidSize: null, bids: [] })
  ])
  const trade = (atMs: number, price: number) => tradeRow(ID, atMs, { price, size: 999_999_999_999_999 })
  await store.writeTrades(Array.from({ length: 20 }, (_, n) => trade(T + n, 4_000 + n)))
  await store.writeGaps([gapRow('1', T + 2 * MINUTE_MS + 5_000)])

  t.test('are open, high, low and close of bid, ask and mid, and the trades', async (t) => {
    const { items } = await candles(`from=${T}&to=${T + MINUTE_MS}`)
    t.same(items, [
      {
        from: iso(T),
        to: iso(T + MINUTE_MS),
        mid: { open: '0.425', high: '0.43505', low: '0.425', close: '0.43505' },
        bid: { open: '0.4', high: '0.42', low: '0.4', close: '0.41' },
        ask: { open: '0.45', high: '0.4501', low: '0.45', close: '0.4501' },
        trades: {
          count: 20,
          volume: '19999999999.99998',
          price: { open: '0.4', high: '0.4019', low: '0.4', close: '0.4019' }
        },
        snapshots: 3,
        complete: true,
        reason: null,
        detail: null,
        venue: null
      }
    ])
  })

  t.test('are all there, and one that something is missing of says so', async (t) => {
    const { items, coverage } = await candles(`from=${T - 1}&to=${T + 5 * MINUTE_MS}&interval=1m`)
    t.equal(coverage.gaps, 1)
    t.same(
      items.map(({ from, complete, reason, detail, snapshots }) => [
        from,
        complete,
        reason,
        detail,
        snapshots
      ]),
      [
        [iso(T - MINUTE_MS), false, 'missing', null, 0],
        [iso(T), true, null, null, 3],
        [iso(T + MINUTE_MS), true, null, null, 0],
        [iso(T + 2 * MINUTE_MS), false, 'gap', 'sequence_gap', 0],
        [iso(T + 3 * MINUTE_MS), false, 'degraded', 'disconnected', 1],
        [iso(T + 4 * MINUTE_MS), true, null, null, 0]
      ]
    )
    t.match(items[2], { mid: null, bid: null, ask: null, trades: { count: 0, volume: '0', price: null } })
    t.match(items[4], { mid: null, bid: null, ask: { open: '0.45' } })
  })

  t.test('a minute that the venue told afterwards stands beside what was recorded of it', async (t) => {
    const told = { open: 4_100, high: 4_300, low: 4_000, close: 4_200 }
    const fromMs = T + 2 * MINUTE_MS
    await store.writeVenueCandles(
      [{ marketId: market(1).id, fromMs, bid: told, ask: told, price: null, volume: 12_500_000 }],
      T
    )
    const bar = { open: '0.41', high: '0.43', low: '0.4', close: '0.42' }
    const range = `from=${T}&to=${T + 5 * MINUTE_MS}`
    const { items } = await candles(`${range}&interval=1m`)
    t.strictSame(
      items.map(({ venue }) => venue),
      [null, null, { bid: bar, ask: bar, price: null, volume: '12.5' }, null, null]
    )
    t.match(
      items[2],
      { complete: false, reason: 'gap', snapshots: 0, bid: null },
      'and mends nothing of ours'
    )
    t.equal((await candles(`${range}&interval=5m`)).items[0]?.venue, null, 'a part is not the whole')
  })

  t.test('one of which snapshots were thinned says so: its high may be gone', async (t) => {
    const { id } = market(2)
    const range = `from=${T}&to=${T + 2 * MINUTE_MS}&interval=1m`
    await store.writeCoverage([coverageRow(id, T, null)])
    await store.writeSnapshots([
      snapshotRow(id, T, { bestBid: 4_200 }),
      snapshotRow(id, T + 1_000, { bestBid: 4_100 }),
      snapshotRow(id, T + MINUTE_MS)
    ])
    t.match((await get<CandleHistory>(app, `candles?${range}`, id)).items, [
      { complete: true, bid: { high: '0.42' } },
      { complete: true }
    ])
    await store.prune({ deleteBeforeMs: 0, thinBeforeMs: T + MINUTE_MS })
    t.match((await get<CandleHistory>(app, `candles?${range}`, id)).items, [
      { complete: false, reason: 'thinned', detail: null, bid: { high: '0.41' } },
      { complete: true, reason: null }
    ])
  })

  t.test('of longer intervals start where UTC has them', async (t) => {
    for (const [interval, fromMs, toMs] of [
      ['5m', T, T + 5 * MINUTE_MS],
      ['1h', T, T + HOUR_MS],
      ['1d', T - 12 * HOUR_MS, T + 12 * HOUR_MS]
    ] as const) {
      const { items } = await candles(`from=${T + 1}&to=${T + 2}&interval=${interval}`)
      t.match(items, [{ from: iso(fromMs), to: iso(toMs), bid: { open: '0.4', close: '0.41' } }], interval)
    }
  })

  t.test('the one that is running is not complete', async (t) => {
    const { items, to } = await candles(`from=${Date.now() - HOUR_MS}&to=${Date.now() + HOUR_MS}&interval=1h`)
    t.match(items.at(-1), { complete: false, reason: 'running', to })
    t.ok(Date.parse(to) <= Date.now() + HOUR_MS)
  })

  t.test('are no more than an answer holds', async (t) => {
    const [fromMs, minutes] = [T - 5_000 * MINUTE_MS, 5_000]
    t.equal((await candles(`from=${fromMs}&to=${T}`)).items.length, minutes)
    t.match(await refusal(app, `candles?from=${fromMs}&to=${T + 1}`), {
      statusCode: 400,
      code: 'RANGE_INVALID',
      message: /^query parameter interval .* 5000 at most/
    })
    t.match(await refusal(app, 'candles?interval=2m'), { code: 'BAD_REQUEST', message: /1m, 5m, 1h, 1d/ })
  })
})

t.test('GET /v1/markets/{id}/book', async (t) => {
  const { app, history } = await recorded(t)
  history.books.push(
    bookRow(ID, T),
    bookRow(ID, T + 60_000, {
      proven: false,
      state: 'suspect',
      reason: 'sequence_gap',
      hole: { fromMs: T + 60_000, toMs: T + 61_500, reason: 'sequence_gap' }
    }),
    bookRow(ID, T + 120_000, {
      proven: false,
      hole: { fromMs: T + 120_000, toMs: null, reason: 'journal_hole' }
    }),
    bookRow(ID, T + 180_000, { proven: false, state: 'stale', reason: 'disconnected', asks: [] })
  )

  t.test('is the book as it was, with its proof', async (t) => {
    t.same(await get<BookAtInstant>(app, `book?asOf=${iso(T + 5)}&depth=2`), {
      id: ID,
      asOf: iso(T + 5),
      orderBook: {
        bids: [
          { price: '0.4', size: '1.5' },
          { price: '0.39', size: '3' }
        ],
        asks: [
          { price: '0.45', size: '2.000001' },
          { price: '0.46', size: '1' }
        ]
      },
      quote: {
        bestBid: '0.4',
        bestBidSize: '1.5',
        bestAsk: '0.45',
        bestAskSize: '2.000001',
        mid: '0.425',
        spread: '0.05'
      },
      proof: {
        proven: true,
        base: { at: iso(T - 60_000), kind: 'checkpoint' },
        deltas: 318,
        version: 90_412,
        digest: '9d3c0e5b71a24f68',
        verdict: { state: 'live', reason: null },
        hole: null
      }
    })
  })

  t.test('the depth cuts the levels, not the quote or the digest', async (t) => {
    const whole = await get<BookAtInstant>(app, `book?asOf=${T}`)
    t.equal(whole.orderBook.bids.length, 3)
    const none = await get<BookAtInstant>(app, `book?asOf=${T}&depth=0`)
    t.same(none, { ...whole, orderBook: { bids: [], asks: [] } })
    t.match(await refusal(app, `book?asOf=${T}&depth=101`), { statusCode: 400, code: 'BAD_REQUEST' })
  })

  t.test(
    'what cannot be proved is refused, the hole is named, and who wants it gets it flagged',
    async (t) => {
      for (const [atMs, why] of [
        [T + 60_000, `sequence_gap from ${iso(T + 60_000)} to ${iso(T + 61_500)}`],
        [T + 120_000, `journal_hole from ${iso(T + 120_000)} to now`],
        [T + 180_000, 'its state was stale \\(disconnected\\)']
      ] as const) {
        const { statusCode, code, message } = await refusal(app, `book?asOf=${atMs}&allowDegraded=false`)
        t.same([statusCode, code], [409, 'BOOK_UNPROVEN'])
        t.match(message, new RegExp(`${ID} at ${iso(atMs)} cannot be proved: ${why}; allowDegraded=true`))
        const { proof } = await get<BookAtInstant>(app, `book?asOf=${atMs}&allowDegraded=true`)
        t.equal(proof.proven, false)
      }
      const { proof, quote } = await get<BookAtInstant>(app, `book?asOf=${T + 60_000}&allowDegraded=true`)
      t.same(proof.hole, { from: iso(T + 60_000), to: iso(T + 61_500), reason: 'sequence_gap' })
      t.same(proof.verdict, { state: 'suspect', reason: 'sequence_gap' })
      t.equal(quote.bestAsk, '0.45')
      t.match(await get(app, `book?asOf=${T + 180_000}&allowDegraded=true`), {
        quote: { bestAsk: null, mid: null }
      })
    }
  )

  t.test('there is none of the future, and none before the recording', async (t) => {
    t.match(await refusal(app, `book?asOf=${Date.now() + HOUR_MS}`), {
      statusCode: 400,
      code: 'RANGE_INVALID',
      message: 'query parameter asOf is in the future'
    })
    t.match(await refusal(app, `book?asOf=${T - 1}`), { statusCode: 404, code: 'BOOK_UNKNOWN' })
    t.match(await refusal(app, 'book?asOf=noon'), { statusCode: 400, code: 'RANGE_INVALID' })
    t.match(await refusal(app, 'book'), { statusCode: 400, code: 'BAD_REQUEST', message: /asOf/ })
    t.match(await refusal(app, `book?asOf=${T}&allowDegraded=maybe`), {
      statusCode: 400,
      code: 'BAD_REQUEST'
    })
  })
})
