import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Market } from '../../../schemas/market.ts'
import type {
  CandleRecord,
  CoverageRecord,
  GapRecord,
  HistoryStore,
  PriceBar,
  SnapshotRecord,
  TradeRecord
} from '../../../services/history/records.ts'
import { openHistory } from '../../../services/history/storage/open-history.ts'
import { onEachEngine } from '../../engines.ts'

const log = { info() {}, warn() {} }
const START = Date.UTC(2026, 0, 5, 12)
const MINUTE = 60_000
const DAY = 86_400_000
const ALL = { fromMs: 0, toMs: Date.UTC(2027, 0) }
const HUGE = Number.MAX_SAFE_INTEGER
const VERY_LAST = { fromMs: 0, toMs: HUGE }

const MARKET: Market = {
  id: 'kalshi:TEST',
  venue: 'kalshi',
  venueMarketId: 'TEST',
  symbol: 'TEST',
  eventId: null,
  title: 'Does it come back as it went?',
  outcomes: { yes: 'Yes', no: 'No' },
  tokens: null,
  status: 'closed',
  result: null,
  openTime: null,
  closeTime: null,
  eventStartTime: null,
  priceBands: [{ start: '0', end: '1', step: '0.01' }],
  minOrderSize: null,
  volume: '184230',
  volume24h: null,
  volumeUnit: 'contracts',
  openInterest: null
}

/** A market of its own for each test: the database is shared by all. */
const newMarket = (venue = 'kalshi') => `${venue}:TEST-${randomUUID()}`

function snapshot(over: Partial<SnapshotRecord> & { marketId: string }): SnapshotRecord {
  return {
    source: 'websocket',
    cause: 'change',
    sequence: 7,
    venueTimeMs: START - 20,
    atMs: START,
    receivedAtMs: START - 1,
    bestBid: 4_200,
    bestBidSize: 13_000_000,
    bestAsk: 4_300,
    bestAskSize: 1,
    bids: [[4_200, 13_000_000]],
    asks: [
      [4_300, 1],
      [4_400, HUGE]
    ],
    state: 'live',
    reason: null,
    verifiedAtMs: START,
    mismatches: 0,
    ...over
  }
}

function trade(over: Partial<TradeRecord> & { marketId: string }): TradeRecord {
  return {
    tradeId: randomUUID(),
    venueTimeMs: START - 20,
    atMs: over.receivedAtMs ?? START,
    receivedAtMs: START,
    price: 4_250,
    size: 2_000_000,
    takerSide: 'yes',
    ...over
  }
}

function gap(over: Partial<GapRecord> = {}): GapRecord {
  return {
    id: randomUUID(),
    venue: 'kalshi',
    kind: 'sequence_gap',
    connection: 'kalshi-1',
    subscription: '3',
    fromSequence: 12,
    toSequence: HUGE,
    marketIds: null,
    startedAtMs: START,
    detectedAtMs: START + 5,
    endedAtMs: START + 100,
    recoveredBy: 'snapshot',
    decidedAtMs: START + 150,
    detail: 'one sentence, "quoted", {braced}, \\ and NULL',
    ...over
  }
}

async function allSnapshots(store: HistoryStore, marketId: string, limit = 1_000, source = null) {
  const rows: SnapshotRecord[] = []
  let cursor: string | null = null
  do {
    const page = await store.snapshots({ marketId, ...ALL, source, limit, cursor })
    rows.push(...page.rows)
    cursor = page.cursor
  } while (cursor !== null)
  return rows
}

async function allTrades(store: HistoryStore, marketId: string, limit = 1_000) {
  const rows: TradeRecord[] = []
  let cursor: string | null = null
  do {
    const page = await store.trades({ marketId, ...ALL, limit, cursor })
    rows.push(...page.rows)
    cursor = page.cursor
  } while (cursor !== null)
  return rows
}

async function exported<Row>(batches: AsyncIterable<Row[]>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const batch of batches) rows.push(...batch)
  return rows
}

function suite(t: Test, open: () => Promise<HistoryStore>): void {
  let store: HistoryStore
  t.before(async () => {
    store = await open()
  })
  t.teardown(() => store.close())

  t.test('gives snapshots back as they were written, to the last digit', async (t) => {
    const marketId = newMarket()
    const rows = [
      snapshot({ marketId, sequence: HUGE, bestBidSize: HUGE, verifiedAtMs: HUGE }),
      snapshot({
        marketId,
        atMs: START + 1,
        source: 'poll',
        cause: 'poll',
        sequence: null,
        venueTimeMs: null,
        receivedAtMs: null,
        bestBid: null,
        bestBidSize: null,
        bestAsk: null,
        bestAskSize: null,
        bids: [],
        asks: [],
        state: 'suspect',
        reason: 'drift',
        verifiedAtMs: null,
        mismatches: 3
      })
    ]
    await store.writeSnapshots(rows)
    t.strictSame(await allSnapshots(store, marketId), rows)
    t.strictSame(await exported(store.exportSnapshots({ fromMs: START, toMs: START + 1 }, 10)), [rows[0]])
    t.strictSame((await store.snapshots({ marketId, ...ALL, source: 'poll', limit: 9, cursor: null })).rows, [
      rows[1]
    ])
  })

  t.test('has the newest snapshot of each source', async (t) => {
    const marketId = newMarket()
    t.strictSame(await store.latestSnapshots(marketId), [])
    const [first, last, polled] = [
      snapshot({ marketId }),
      snapshot({ marketId, bestBid: 4_100 }),
      snapshot({ marketId, source: 'poll', atMs: START - 3 * DAY })
    ]
    await store.writeSnapshots([polled, first, last])
    t.strictSame(
      await store.latestSnapshots(marketId),
      [last, polled],
      'of one millisecond, the last written'
    )
  })

  t.test('has the first snapshot of each market that was live in a range', async (t) => {
    const [streamed, polled, doubtful] = [newMarket(), newMarket(), newMarket()]
    await store.writeSnapshots([
      snapshot({ marketId: streamed, atMs: START }),
      snapshot({ marketId: streamed, atMs: START + 1, state: 'suspect' }),
      snapshot({ marketId: streamed, atMs: START + 2, bestBid: 1 }),
      snapshot({ marketId: streamed, atMs: START + 2, source: 'poll' }),
      snapshot({ marketId: polled, atMs: START + 2, source: 'poll', cause: 'poll' }),
      snapshot({ marketId: polled, atMs: START + 3, source: 'poll' }),
      snapshot({ marketId: polled, atMs: START + 4 }),
      snapshot({ marketId: doubtful, atMs: START + 1, state: 'stale' }),
      snapshot({ marketId: doubtful, atMs: START + 9 })
    ])
    const marketIds = [streamed, polled, doubtful, newMarket()]
    const found = await store.firstProofs({ marketIds, fromMs: START + 1, toMs: START + 9 })
    t.strictSame([...found].sort(), [
      ...[
        [streamed, { atMs: START + 2, recoveredBy: 'snapshot' }],
        [polled, { atMs: START + 3, recoveredBy: 'rest' }]
      ].sort()
    ])
  })

  t.test('gives trades back as they were written, to the last digit', async (t) => {
    const marketId = newMarket('polymarket')
    const rows = [
      trade({ marketId, size: HUGE, price: 10_000 }),
      trade({ marketId, tradeId: null, venueTimeMs: null, takerSide: null, receivedAtMs: START + 1 }),
      trade({ marketId, takerSide: 'no', receivedAtMs: START + 2 })
    ]
    await store.writeTrades(rows)
    t.strictSame(await allTrades(store, marketId), rows)
    const range = { fromMs: START + 1, toMs: START + 2 }
    t.strictSame(await exported(store.exportTrades(range, 10)), [rows[1]])
  })

  t.test('writes a batch that is sent again only once', async (t) => {
    const marketId = newMarket()
    const snapshots = [snapshot({ marketId }), snapshot({ marketId, bestAskSize: 2 }), snapshot({ marketId })]
    const trades = [
      trade({ marketId, tradeId: null }),
      trade({ marketId, tradeId: null }),
      trade({ marketId, tradeId: 'a' }),
      trade({ marketId, tradeId: 'b' })
    ]
    for (let i = 0; i < 2; i++) {
      await store.writeSnapshots(snapshots)
      await store.writeTrades(trades)
    }
    t.strictSame(await allSnapshots(store, marketId), snapshots.slice(0, 2))
    t.strictSame(await allTrades(store, marketId), trades, 'two equal trades without an id are two')
  })

  t.test('records a trade once that the venue sends again later', async (t) => {
    const marketId = newMarket()
    const first = trade({ marketId, tradeId: 'a' })
    await store.writeTrades([first])
    await store.writeTrades([
      { ...first, atMs: START + DAY / 2, receivedAtMs: START + DAY / 2 },
      trade({ marketId, tradeId: 'b' }),
      trade({ marketId, tradeId: 'b', receivedAtMs: START + 9 })
    ])
    t.same(
      (await allTrades(store, marketId)).map(({ tradeId, receivedAtMs }) => [tradeId, receivedAtMs]),
      [
        ['a', START],
        ['b', START]
      ]
    )
  })

  t.test('has a trade that was read again for a gap in the time of the gap', async (t) => {
    const marketId = newMarket()
    const again = trade({ marketId, venueTimeMs: START, atMs: START, receivedAtMs: START + 10 * MINUTE })
    await store.writeTrades([again])
    const ofGap = { fromMs: START, toMs: START + MINUTE }
    const ofReading = { fromMs: again.receivedAtMs, toMs: again.receivedAtMs + MINUTE }
    const page = { marketId, limit: 9, cursor: null }
    t.strictSame((await store.trades({ ...page, ...ofGap })).rows, [again], 'with the time of the reading')
    t.strictSame((await store.trades({ ...page, ...ofReading })).rows, [])
    const candles = await store.candles({
      marketId,
      interval: '1m',
      fromMs: START,
      toMs: START + 20 * MINUTE
    })
    t.match(candles, [{ fromMs: START, trades: { count: 1 } }])
    const isOurs = (row: TradeRecord) => row.marketId === marketId
    t.strictSame((await exported(store.exportTrades(ofGap, 10))).filter(isOurs), [again])
    t.strictSame((await exported(store.exportTrades(ofReading, 10))).filter(isOurs), [])
    await store.writeTrades([{ ...again, atMs: again.receivedAtMs }])
    t.strictSame(await allTrades(store, marketId), [again], 'and once, should it come by itself too')
  })

  t.test('takes text that PostgreSQL cannot hold without losing the batch', async (t) => {
    const marketId = `${newMarket()}\0`
    await store.writeSnapshots([snapshot({ marketId, reason: 'a\0b \ud800' })])
    t.match(await allSnapshots(store, marketId), [{ reason: 'a\ufffdb \ufffd' }])
  })

  t.test('writes a batch whole or not at all', async (t) => {
    const marketId = newMarket()
    const broken = snapshot({ marketId, atMs: START + 1, mismatches: Number.NaN })
    await t.rejects(store.writeSnapshots([snapshot({ marketId }), broken]))
    t.strictSame(await allSnapshots(store, marketId), [])
  })

  t.test('pages lose and repeat nothing among equal times', async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: fc.integer({ min: 0, max: 4 }), poll: fc.boolean() }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        async (drawn, limit, twoDays) => {
          const marketId = newMarket()
          const step = twoDays ? DAY / 2 : 1
          const rows = drawn.map(({ at, poll }, i) =>
            snapshot({
              marketId,
              atMs: START + at * step,
              sequence: i,
              source: poll ? 'poll' : 'websocket'
            })
          )
          const trades = drawn.map(({ at }, i) =>
            trade({
              marketId,
              receivedAtMs: START + at * step,
              tradeId: i % 2 === 0 ? `${i}` : null,
              size: i
            })
          )
          await store.writeSnapshots(rows)
          await store.writeTrades(trades)
          // Sorting is stable: rows of one time stay in the order of writing.
          t.strictSame(
            await allSnapshots(store, marketId, limit),
            rows.toSorted((a, b) => a.atMs - b.atMs)
          )
          t.strictSame(
            await allTrades(store, marketId, limit),
            trades.toSorted((a, b) => a.receivedAtMs - b.receivedAtMs)
          )
          const all = await exported(store.exportSnapshots({ ...ALL, fromMs: START }, limit * 10))
          t.strictSame(
            all.filter((row) => row.marketId === marketId),
            rows.toSorted((a, b) => a.atMs - b.atMs)
          )
        }
      ),
      { numRuns: 12 }
    )
  })

  t.test('refuses a cursor that is none of the list', async (t) => {
    const marketId = newMarket()
    await store.writeSnapshots([snapshot({ marketId }), snapshot({ marketId, atMs: START + 1 })])
    const page = await store.snapshots({ marketId, ...ALL, source: null, limit: 1, cursor: null })
    const wrong = ['', 'x', `${page.cursor}A`, Buffer.from('snapshots.1.1; drop').toString('base64url')]
    for (const cursor of wrong)
      await t.rejects(store.snapshots({ marketId, ...ALL, source: null, limit: 1, cursor }), {
        code: 'RANGE_INVALID'
      })
    await t.rejects(store.trades({ marketId, ...ALL, limit: 1, cursor: page.cursor }), {
      code: 'RANGE_INVALID'
    })
  })

  t.test('finds the gaps of a market, those of its whole venue among them', async (t) => {
    const [mine, other] = [newMarket(), newMarket()]
    const from = START + 100 * DAY
    const at = (offset: number, over: Partial<GapRecord>) =>
      gap({ startedAtMs: from + offset, endedAtMs: from + offset + 10, ...over })
    const gaps = {
      both: at(0, { marketIds: [other, mine] }),
      venue: at(1, { marketIds: null }),
      otherVenue: at(2, { marketIds: null, venue: 'polymarket', fromSequence: null, toSequence: null }),
      other: at(3, { marketIds: [other] }),
      none: at(4, { marketIds: [] }),
      open: at(5, {
        marketIds: [mine],
        endedAtMs: null,
        recoveredBy: null,
        connection: null,
        subscription: null
      }),
      instant: at(6, { marketIds: [mine], endedAtMs: from + 6, kind: 'journal_hole' }),
      past: at(-10, { marketIds: [mine] })
    }
    await store.writeGaps(Object.values(gaps))
    const range = { fromMs: from, toMs: from + 50, limit: 100 }
    t.strictSame(await store.gaps({ ...range, marketId: mine }), [
      gaps.both,
      gaps.venue,
      gaps.open,
      gaps.instant
    ])
    t.strictSame(await store.gaps({ ...range, marketId: mine, limit: 1 }), [gaps.both])
    const kinds = ['journal_hole', 'restart'] as const
    t.strictSame(await store.gaps({ ...range, marketId: mine, limit: 1, kinds }), [gaps.instant])
    t.strictSame(await store.gaps({ ...range, marketId: null, kinds: ['drift'] }), [])
    const late = gap({
      marketIds: [mine],
      kind: 'drift',
      startedAtMs: from + 100,
      detectedAtMs: from + 120,
      endedAtMs: from + 130
    })
    const atOnce = gap({ ...late, id: `${late.id} at once`, detectedAtMs: late.startedAtMs })
    await store.writeGaps([late, atOnce])
    const lateWithin = (fromMs: number) =>
      store.gaps({ fromMs, toMs: from + 200, marketId: mine, limit: 9, kinds: [], lateKinds: ['drift'] })
    t.strictSame(await lateWithin(from + 119), [late])
    t.strictSame(await lateWithin(from + 120), [], 'it was noticed by then')
    t.strictSame(await store.gaps({ ...range, marketId: null }), Object.values(gaps).slice(0, 7))
    t.strictSame(await store.gaps({ ...range, fromMs: from + 60, toMs: from + 70, marketId: mine }), [
      gaps.open
    ])
    t.strictSame(await store.openGaps(), [gaps.open])

    const closed = { ...gaps.open, endedAtMs: from + 20, recoveredBy: 'rest', marketIds: [other] } as const
    await store.writeGaps([gaps.open, closed])
    t.strictSame(await store.openGaps(), [], 'written again, it is replaced')
    t.notOk((await store.gaps({ ...range, marketId: mine })).some(({ id }) => id === closed.id))
    t.strictSame(
      (await store.gaps({ ...range, marketId: other })).find(({ id }) => id === closed.id),
      closed
    )
  })

  t.test('gives coverage back as it was written, with the ends that came later', async (t) => {
    const marketId = newMarket()
    const interval = (
      fromMs: number,
      toMs: number | null,
      over: Partial<CoverageRecord> = {}
    ): CoverageRecord => ({
      marketId,
      sessionId: 's1',
      fromMs: START + fromMs,
      toMs: toMs === null ? null : START + toMs,
      kind: 'verified',
      reason: null,
      ...over
    })
    await store.writeCoverage([interval(0, 10), interval(10, null, { kind: 'degraded', reason: 'silent' })])
    await store.writeCoverage([
      interval(10, 15),
      interval(10, 20, { kind: 'degraded', reason: 'silent' }),
      interval(10, null, { sessionId: 's2', kind: 'missing' })
    ])
    const overlapping = (fromMs: number, toMs: number) =>
      store.coverage({ marketId, fromMs: START + fromMs, toMs: START + toMs })
    const [first, second, third] = [
      interval(0, 10),
      interval(10, 20, { kind: 'degraded', reason: 'silent' }),
      interval(10, null, { sessionId: 's2', kind: 'missing' })
    ]
    t.strictSame(await overlapping(0, 100), [first, second, third])
    t.strictSame(await overlapping(5, 10), [first])
    t.strictSame(await overlapping(20, 21), [third])
    t.strictSame(await store.coverage({ marketId: newMarket(), ...ALL }), [])
    t.strictSame(await store.recordedSpan(marketId), { fromMs: START, lastFromMs: START + 10 })
    t.equal(await store.recordedSpan(newMarket()), null)
  })

  t.test('keeps the minutes that a venue tells, the last word of each', async (t) => {
    const [one, other] = [newMarket(), newMarket()]
    const bar = { open: 4_100, high: 4_300, low: 4_000, close: 4_200 }
    const minute = (marketId: string, at: number, volume = 0) => ({
      marketId,
      fromMs: START + at * MINUTE,
      bid: bar,
      ask: { ...bar, close: 4_300 },
      price: at === 1 ? bar : null,
      volume
    })
    await store.writeVenueCandles([], START)
    await store.writeVenueCandles(
      [minute(one, 2), minute(one, 1), minute(other, 1), minute(one, 1, 7)],
      START + 9
    )
    await store.writeVenueCandles([minute(one, 2, 999_999_999_999_999)], START + 10)
    const of = (fromMs: number, toMs: number) =>
      store.venueCandles({ marketId: one, fromMs: START + fromMs, toMs: START + toMs })
    t.strictSame(await of(0, 3 * MINUTE), [minute(one, 1, 7), minute(one, 2, 999_999_999_999_999)])
    t.strictSame(await of(MINUTE + 1, 2 * MINUTE), [])
    const range = { marketId: one, fromMs: START, toMs: START + 3 * MINUTE }
    t.strictSame(await store.asOf(START + 8).venueCandles(range), [], 'it was not told yet')
    t.equal((await store.asOf(START + 9).venueCandles(range)).length, 2)
    t.strictSame(await store.venueCandles({ marketId: newMarket(), ...ALL }), [])
  })

  t.test('tells which markets a range is of, until another run has begun', async (t) => {
    const from = START + 300 * DAY
    const [closed, open, past] = [newMarket(), newMarket(), newMarket()]
    const [first, second] = [randomUUID(), randomUUID()]
    const session = (sessionId: string, startedAtMs: number) =>
      store.writeSession({ sessionId, startedAtMs, heartbeatAtMs: startedAtMs + 1, endedAtMs: null })
    const interval = (marketId: string, fromMs: number, toMs: number | null): CoverageRecord => ({
      marketId,
      sessionId: first,
      fromMs: from + fromMs,
      toMs: toMs === null ? null : from + toMs,
      kind: 'verified',
      reason: null
    })
    await session(first, from)
    await store.writeCoverage([interval(closed, 0, 10), interval(open, 0, null), interval(past, 0, 5)])
    const covered = async (fromMs: number, toMs: number) =>
      (await store.coveredMarkets({ fromMs: from + fromMs, toMs: from + toMs })).filter((id) =>
        [closed, open, past].includes(id)
      )
    t.strictSame(await covered(5, 100), [closed, open].sort())
    await session(second, from + 50)
    t.strictSame(await covered(10, 100), [open], 'the run ended in this range')
    t.strictSame(await covered(60, 100), [], 'the next run says what it follows')
  })

  t.test('keeps sessions; one that never ended is of every later range', async (t) => {
    const at = START + 200 * DAY
    const crashed = { sessionId: randomUUID(), startedAtMs: at, heartbeatAtMs: at + 1, endedAtMs: null }
    const clean = { ...crashed, sessionId: randomUUID(), startedAtMs: at + 1, endedAtMs: at + 10 }
    await store.writeSession({ ...clean, endedAtMs: null })
    await store.writeSession(clean)
    await store.writeSession(crashed)
    t.strictSame(await store.sessions({ fromMs: at + 5, toMs: at + 6 }), [crashed, clean])
    t.strictSame(await store.sessions({ fromMs: at + 10, toMs: at + 20 }), [crashed])
    t.strictSame(await store.sessions({ fromMs: at - 5, toMs: at }), [])
  })

  t.test('keeps what a venue said of a market over time', async (t) => {
    const marketId = newMarket()
    const market = { ...MARKET, id: marketId, title: 'a "title" with \u0000 and \ud800' }
    const record = {
      marketId,
      venue: 'kalshi',
      status: market.status,
      rulesHash: 'ab'.repeat(32),
      market
    } as const
    t.equal(await store.knows(marketId), false)
    await store.writeMarkets([
      { ...record, fromMs: START },
      { ...record, fromMs: 0, rulesHash: 'cd'.repeat(32) }
    ])
    await store.writeMarkets([{ ...record, fromMs: START, status: 'open' }])
    t.strictSame(await store.marketMeta(marketId), [
      { ...record, fromMs: 0, rulesHash: 'cd'.repeat(32) },
      { ...record, fromMs: START, status: 'open' }
    ])
    t.equal(await store.knows(marketId), true)
  })

  t.test('takes runs of the recycler, the same one twice', async () => {
    const run = { runId: randomUUID(), startedAtMs: START, endedAtMs: START + 1, report: { changed: ['a'] } }
    await store.writeRecyclerRun(run)
    await store.writeRecyclerRun({ ...run, report: undefined })
  })

  t.test('draws candles as a naive model does', async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            at: fc.integer({ min: 0, max: 12 * MINUTE }),
            bid: fc.option(fc.integer({ min: 0, max: 10_000 })),
            ask: fc.option(fc.integer({ min: 0, max: 10_000 })),
            isPoll: fc.boolean(),
            size: fc.integer({ min: 1, max: HUGE })
          }),
          { maxLength: 25 }
        ),
        fc.constantFrom('1m' as const, '5m' as const, '1h' as const, '1d' as const),
        async (drawn, interval) => {
          const marketId = newMarket()
          const books = drawn.map(({ at, bid, ask, isPoll }, i) =>
            snapshot({
              marketId,
              atMs: START + at,
              sequence: i,
              bestBid: bid,
              bestAsk: ask,
              ...(isPoll && { source: 'poll', cause: 'poll' })
            })
          )
          const traded = drawn
            .filter(({ bid }) => bid !== null)
            .map(({ at, bid, size }) => trade({ marketId, receivedAtMs: START + at, price: bid ?? 0, size }))
          await store.writeSnapshots(books)
          await store.writeTrades(traded)
          const query = { marketId, fromMs: START + 30_000, toMs: START + 6 * MINUTE + 1, interval }
          t.strictSame(await store.candles(query), naiveCandles(books, traded, query))
        }
      ),
      { numRuns: 15 }
    )
  })

  t.test('has nothing of a market that it does not know', async (t) => {
    const marketId = newMarket()
    t.equal(await store.knows(marketId), false)
    t.strictSame(await store.candles({ marketId, ...ALL, interval: '1d' }), [])
    t.strictSame(await store.marketMeta(marketId), [])
    t.strictSame(await store.trades({ marketId, ...ALL, limit: 5, cursor: null }), { rows: [], cursor: null })
  })

  t.test('takes batches at once, of the same new markets and days', async (t) => {
    const ids = Array.from({ length: 20 }, () => newMarket())
    const at = Date.UTC(2026, 5, 1)
    await Promise.all(
      [1, 2, 3, 4].map((sequence) =>
        store.writeSnapshots(ids.map((marketId, i) => snapshot({ marketId, sequence, atMs: at + i * DAY })))
      )
    )
    for (const id of ids) t.equal((await allSnapshots(store, id)).length, 4)
  })

  t.test('runs its migrations once, and keeps the rows, when it is opened again', async (t) => {
    const marketId = newMarket()
    await store.writeSnapshots([snapshot({ marketId })])
    await store.close()
    await store.close()
    await t.rejects(store.ping(), { code: 'HISTORY_UNAVAILABLE' })
    store = await open()
    await store.ping()
    t.strictSame(await allSnapshots(store, marketId), [snapshot({ marketId })])
  })

  // Last: it removes what the others wrote.
  t.test('deletes what is old and thins what is less so', async (t) => {
    await store.prune({ deleteBeforeMs: HUGE - DAY, thinBeforeMs: 0 })
    t.strictSame(await exported(store.exportSnapshots(VERY_LAST, 1_000)), [])

    const [one, two] = [newMarket(), newMarket()]
    const at = (offset: number, marketId: string, source: 'websocket' | 'poll' = 'websocket') =>
      snapshot({ marketId, source, atMs: START + offset })
    // A day that goes whole, a day that goes in part, minutes that are thinned, and one that is not.
    const gone = [at(-3 * DAY, one), at(-2 * DAY, two), at(-1, one)]
    const thinned = [at(0, one), at(10, one), at(20, two), at(MINUTE, one), at(MINUTE + 1, one)]
    const verdict = snapshot({
      marketId: one,
      atMs: START + 5,
      cause: 'verdict',
      state: 'suspect',
      reason: 'drift'
    })
    const kept = [verdict, at(30, one), at(40, one, 'poll'), at(50, two), at(2 * MINUTE - 1, one)]
    const young = [at(2 * MINUTE, one), at(2 * MINUTE + 1, one), at(DAY, two)]
    const trades = [-3 * DAY, -1, 0].map((offset) => trade({ marketId: one, receivedAtMs: START + offset }))
    await store.writeSnapshots([...gone, ...thinned, ...kept, ...young])
    await store.writeTrades(trades)
    const old = { startedAtMs: START - 100, endedAtMs: START - 1 }
    const open = gap({ ...old, endedAtMs: null, recoveredBy: null, marketIds: [one] })
    await store.writeGaps([gap({ ...old, marketIds: [one] }), open])
    const session = { sessionId: 'dead', startedAtMs: START - 90, heartbeatAtMs: START - 50, endedAtMs: null }
    await store.writeSession(session)
    const covered = { marketId: one, kind: 'verified', reason: null } as const
    const lasting = { ...covered, sessionId: 'dead', fromMs: START - 80, toMs: START + 1 }
    await store.writeCoverage([
      { ...covered, sessionId: 'dead', fromMs: START - 90, toMs: START - 80 },
      { ...covered, sessionId: 'dead', fromMs: START - 70, toMs: null },
      lasting
    ])
    await store.writeRecyclerRun({ runId: 'old', startedAtMs: START - 9, endedAtMs: START - 8, report: {} })
    const meta = {
      marketId: one,
      venue: 'kalshi',
      status: 'open',
      rulesHash: '',
      market: MARKET
    } as const
    await store.writeMarkets([-5, -4, 1].map((offset) => ({ ...meta, fromMs: START + offset })))

    const limits = { deleteBeforeMs: START, thinBeforeMs: START + 2 * MINUTE + 30_000 }
    // Snapshots and trades, then one gap, two intervals, the run and one of the market's records; the session goes with
    // the last interval that needs it.
    t.equal(await store.prune(limits), gone.length + 2 + 1 + 2 + 1 + 1 + 1 + thinned.length)
    t.strictSame(new Set(await exported(store.exportSnapshots(VERY_LAST, 3))), new Set([...kept, ...young]))
    t.strictSame(await exported(store.exportTrades(VERY_LAST, 1)), trades.slice(2))
    t.strictSame(await store.gaps({ ...ALL, marketId: one, limit: 9 }), [open])
    const cut = { ...lasting, fromMs: START }
    t.strictSame(
      await store.coverage({ ...ALL, marketId: one }),
      [cut],
      'nothing is said of time whose rows are gone'
    )
    t.strictSame(await store.coverage({ marketId: one, fromMs: 0, toMs: START }), [])
    t.strictSame(await store.recordedSpan(one), { fromMs: START, lastFromMs: START })
    t.strictSame(await store.sessions(ALL), [])
    t.same(
      (await store.marketMeta(one)).map(({ fromMs }) => fromMs - START),
      [-4, 1]
    )
    t.equal(await store.prune(limits), 0, 'a second time there is nothing to do')

    await store.writeSnapshots([at(-3 * DAY, one)])
    t.equal(await store.prune(limits), 1, 'a day that was dropped can be written to again')
    const range = { marketId: one, fromMs: START, toMs: START + 3 * MINUTE, interval: '1m' } as const
    t.same(
      (await store.candles(range)).map(({ fromMs, thinned }) => [fromMs - START, thinned]),
      [
        [0, true],
        [MINUTE, true],
        [2 * MINUTE, false]
      ],
      'a candle of a thinned stretch says so'
    )
    t.match(
      await store.candles({ ...range, interval: '5m' }),
      [{ thinned: true }],
      'and one of which a part is'
    )
    const later = { ...limits, thinBeforeMs: START + 2 * DAY }
    t.equal(await store.prune(later), 1, 'the minute that was too young before')
    t.equal(await store.knows(one), true)
  })
}

function naiveCandles(
  books: SnapshotRecord[],
  traded: TradeRecord[],
  { fromMs, toMs, interval }: { fromMs: number; toMs: number; interval: '1m' | '5m' | '1h' | '1d' }
): CandleRecord[] {
  const step = { '1m': 1, '5m': 5, '1h': 60, '1d': 1_440 }[interval] * MINUTE
  const candles: CandleRecord[] = []
  for (let from = fromMs - (fromMs % step); from < toMs; from += step) {
    const inside = (at: number) => at >= from && at < from + step
    const snapshots = books
      .filter(({ atMs, cause }) => inside(atMs) && cause !== 'poll')
      .toSorted((a, b) => a.atMs - b.atMs)
    const trades = traded
      .filter(({ receivedAtMs }) => inside(receivedAtMs))
      .toSorted((a, b) => a.receivedAtMs - b.receivedAtMs)
    if (snapshots.length + trades.length === 0) continue
    candles.push({
      fromMs: from,
      bid: bar(snapshots.map(({ bestBid }) => bestBid)),
      ask: bar(snapshots.map(({ bestAsk }) => bestAsk)),
      doubleMid: bar(
        snapshots.map(({ bestBid, bestAsk }) =>
          bestBid === null || bestAsk === null ? null : bestBid + bestAsk
        )
      ),
      trades: {
        count: trades.length,
        sizeE6: trades.reduce((sum, { size }) => sum + BigInt(size), 0n),
        bar: bar(trades.map(({ price }) => price))
      },
      snapshots: snapshots.length,
      thinned: false
    })
  }
  return candles
}

function bar(prices: (number | null)[]): PriceBar | null {
  const known = prices.filter((price) => price !== null)
  const [open, close] = [known[0], known.at(-1)]
  if (open === undefined || close === undefined) return null
  return { open, high: Math.max(...known), low: Math.min(...known), close }
}

t.test('the rows', async (t) => {
  await onEachEngine(t, async (t, { databaseUrl }) => {
    const dataDir = t.testdir({})
    suite(t, () => openHistory({ databaseUrl, dataDir, log }))
  })
})
