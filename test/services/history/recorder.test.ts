import t, { type Test } from 'tap'
import { HistoryRecorder } from '../../../services/history/history-recorder.ts'
import { readRecordedCoverage } from '../../../services/history/read/recorded-coverage.ts'
import { Recorder, SLICE_ROWS } from '../../../services/history/recorder.ts'
import type { SnapshotRecord, TradeRecord } from '../../../services/history/records.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'
import type { SnapshotStore } from '../../../services/snapshots/store.ts'
import { market, RECEIVED_AT_MS, serve } from '../../helper.ts'
import { Clock, newStore, recorderOf, SILENT, until } from './clock.ts'
import { MemoryHistoryStore } from './memory-store.ts'

/** A recorder alone, worked by hand, and what it wrote. */
function bare(t: Test, store: SnapshotStore) {
  const clock = new Clock()
  const snapshots: SnapshotRecord[] = []
  const trades: TradeRecord[] = []
  const recorder = new Recorder({
    store,
    rows: { addSnapshot: (row) => snapshots.push(row), addTrade: (row) => trades.push(row) },
    onSlot: () => {},
    now: clock.now,
    steadyNow: clock.steadyNow
  })
  const endWatch = store.watchVerdicts((slot) => recorder.verdictChanged(slot, clock.now()))
  recorder.start()
  t.teardown(async () => {
    endWatch()
    await recorder.stop()
  })
  return { clock, snapshots, trades, recorder }
}

function change(store: SnapshotStore, slot: number, size: number): void {
  store.books.arena.setLevel(slot, YES, 4_000, size)
  store.books.touch(slot)
}

t.test('changes within a second become one row, and the last of them is kept', async (t) => {
  const store = newStore()
  const { clock, snapshots, recorder } = bare(t, store)
  const { slot, id } = serve(store, market(1))
  t.match(snapshots, [{ marketId: id, cause: 'verdict', state: 'live', bestBid: 4_000, bestAsk: 4_500 }])
  snapshots.length = 0
  recorder.work()
  t.strictSame(snapshots, [], 'the row of the verdict showed this book already')

  for (const [at, size] of [
    [100, 1],
    [300, 2],
    [900, 3],
    [1_099, 4]
  ] as const) {
    clock.ms = RECEIVED_AT_MS + at
    change(store, slot, size)
    recorder.work()
  }
  const changes = () => snapshots.filter(({ cause }) => cause === 'change')
  t.strictSame(
    changes().map(({ bestBidSize }) => bestBidSize),
    [1]
  )
  clock.ms = RECEIVED_AT_MS + 1_100
  recorder.work()
  clock.ms = RECEIVED_AT_MS + 5_000
  recorder.work()
  t.strictSame(
    changes().map(({ bestBidSize, atMs }) => [bestBidSize, atMs - RECEIVED_AT_MS]),
    [
      [1, 100],
      [4, 1_100]
    ]
  )
  const [row] = snapshots
  t.equal(row?.bids.length, 10)
  t.strictSame(row?.asks[9], [5_400, 20_000_010], 'asks are in YES terms, best first')
})

t.test('a book that came back to what was written needs no second row; metadata is no change', async (t) => {
  const store = newStore()
  const { clock, snapshots, recorder } = bare(t, store)
  const { slot, id } = serve(store, market(1))
  clock.ms += 2_000
  change(store, slot, 1)
  recorder.work()
  snapshots.length = 0
  change(store, slot, 2)
  recorder.work()
  change(store, slot, 1)
  clock.ms += 2_000
  recorder.work()
  store.patch(id, { title: 'another' })
  recorder.work()
  t.strictSame(snapshots, [])
})

t.test('every change of a verdict is a row with its exact time and the book at that time', async (t) => {
  const store = newStore()
  const { clock, snapshots } = bare(t, store)
  const { slot } = serve(store, market(1))
  snapshots.length = 0
  clock.ms += 7
  store.books.raise(slot, 'silent')
  clock.ms += 5
  store.books.raise(slot, 'disconnected')
  store.books.raise(slot, 'poll_overdue')
  store.books.arena.setLevel(slot, YES, 4_000, 5)
  clock.ms += 3
  store.books.resynced(slot)
  t.strictSame(
    snapshots.map(({ cause, atMs, state, reason, bestBidSize }) => [
      cause,
      atMs - RECEIVED_AT_MS,
      state,
      reason,
      bestBidSize
    ]),
    [
      ['verdict', 7, 'stale', 'silent', 1_500_000],
      ['verdict', 12, 'stale', 'disconnected', 1_500_000],
      ['verdict', 15, 'live', null, 5]
    ],
    'a reason that is not the first one is no change'
  )
})

t.test('a live market has a row every minute, others have none', async (t) => {
  const store = newStore()
  const { clock, snapshots, recorder } = bare(t, store)
  serve(store, market(1))
  const stale = serve(store, market(2))
  store.put(market(3), '')
  store.books.raise(stale.slot, 'silent')
  recorder.work()
  snapshots.length = 0
  for (let second = 0; second < 180; second++) {
    clock.ms += 1_000
    recorder.work()
  }
  t.strictSame(
    snapshots.map(({ marketId, cause }) => [marketId, cause]),
    Array(3).fill([market(1).id, 'interval'])
  )
  clock.ms += 3_600_000
  recorder.work()
  await until(() => snapshots.length === 4)
  recorder.work()
  t.equal(snapshots.length, 4, 'nobody is owed the rows of an hour’s sleep')
})

t.test(
  'much at once is done in slices, and a late verdict row never shows a later book as an earlier one',
  async (t) => {
    const store = newStore(2_000)
    const { clock, snapshots, recorder } = bare(t, store)
    const slots = Array.from({ length: 1_000 }, (_, n) => serve(store, market(n)).slot)
    await until(() => recorder.pending === 0)
    snapshots.length = 0
    const goneAtMs = clock.ms
    for (const slot of slots) store.books.raise(slot, 'disconnected')
    t.equal(snapshots.length, SLICE_ROWS, 'the feed waits for one slice')
    clock.ms += 1
    const changed = slots[999] as number
    change(store, changed, 77)
    recorder.work()
    t.equal(snapshots.length, 2 * SLICE_ROWS)
    await until(() => snapshots.length === 1_000)
    t.strictSame(new Set(snapshots.map(({ marketId }) => marketId)).size, 1_000)
    t.strictSame(
      snapshots
        .filter(({ atMs }) => atMs !== goneAtMs)
        .map(({ atMs, bestBidSize }) => [atMs - goneAtMs, bestBidSize]),
      [[1, 77]]
    )
    t.ok(snapshots.every(({ cause, reason }) => cause === 'verdict' && reason === 'disconnected'))
  }
)

t.test('REST answers are recorded when they differ, and once a minute', async (t) => {
  const store = newStore()
  const { clock, snapshots, recorder } = bare(t, store)
  const { slot } = serve(store, market(1))
  store.books.raise(slot, 'audit_mismatch')
  snapshots.length = 0
  const yes = new LevelList()
  const no = new LevelList()
  for (let n = 0; n < 12; n++) yes.push(3_000 + n, 10 + n)
  no.push(6_000, 0)
  const poll = () => recorder.polled(slot, clock.ms - 20, yes, no)
  poll()
  poll()
  yes.size[0] = 99
  poll()
  t.equal(snapshots.length, 1, 'a level below the recorded ones is no difference')
  t.match(snapshots[0], {
    source: 'poll',
    cause: 'poll',
    state: 'live',
    sequence: null,
    asks: [],
    bestAsk: null
  })
  t.match(snapshots[0], { atMs: clock.ms - 20, bestBid: 3_011, bestBidSize: 21, verifiedAtMs: clock.ms - 20 })
  t.equal(snapshots[0]?.bids.length, 10)
  no.size[0] = 5
  poll()
  t.match(snapshots[1], { bestAsk: 4_000, bestAskSize: 5 })
  clock.ms += 60_000
  poll()
  t.equal(snapshots.length, 3)
  no.price[0] = 6_990
  store.patch(market(1).id, { status: 'closed' })
  poll()
  t.match(snapshots.at(-1), { state: 'closed', reason: 'market_closed' })
  store.patch(market(1).id, { status: 'open' })
  no.size[0] = 6
  poll()
  t.match(snapshots.at(-1), { state: 'suspect', reason: 'crossed', verifiedAtMs: null })
  recorder.polled(50, clock.ms, yes, no)
  store.remove(market(1).id)
  const rows = snapshots.length
  poll()
  t.equal(snapshots.length, rows, 'nobody’s slot')
  const next = serve(store, market(2))
  t.equal(next.slot, slot)
  poll()
  t.match(snapshots.at(-1), { marketId: market(2).id, cause: 'poll' }, 'another market’s first answer')
})

t.test('the whole recorder writes markets, books, trades and its session, and ends in order', async (t) => {
  const { history, store, recorder, clock } = recorderOf()
  const before = serve(store, market(1))
  recorder.start()
  const during = serve(store, market(2))
  recorder.onTrade({
    marketId: during.id,
    tradeId: 't1',
    venueTimeMs: clock.ms - 3,
    receivedAtMs: clock.ms,
    price: 4_000,
    size: 1_000_000,
    takerSide: 'yes'
  })
  recorder.onRecyclerRun({ runId: 'r', startedAtMs: 1, endedAtMs: 2, report: {} })
  change(store, before.slot, 5)
  await until(() => history.snapshotRows.length === 2 && history.sessionRows.size === 1)
  t.match(
    (await history.trades({ marketId: during.id, fromMs: 0, toMs: clock.ms + 1, limit: 9, cursor: null }))
      .rows,
    [{ tradeId: 't1', price: 4_000 }]
  )
  t.match(await history.marketMeta(before.id), [
    { status: 'open', venue: 'kalshi', rulesHash: /^[0-9a-f]{64}$/ }
  ])
  t.equal(history.recyclerRuns.length, 1)

  clock.ms += 10
  store.patch(before.id, { volume: '99', openInterest: '1' })
  store.patch(during.id, { status: 'halted' })
  change(store, before.slot, 6)
  await recorder.flush()
  clock.ms += 10
  change(store, before.slot, 7)
  await recorder.stop()
  await recorder.stop()
  t.strictSame(
    history.snapshotRows
      .filter(({ marketId }) => marketId === before.id)
      .map(({ bestBidSize }) => bestBidSize),
    [5, 7],
    'the last state within its second is written at the end'
  )
  t.equal(
    (await history.marketMeta(before.id)).length,
    1,
    'volume moves with trades and is no news of the market'
  )
  t.match(
    (await history.marketMeta(during.id)).map(({ status }) => status),
    ['open', 'halted']
  )
  t.match([...history.sessionRows.values()], [{ endedAtMs: clock.ms, heartbeatAtMs: clock.ms }])
  t.match(recorder.status(), { state: 'stopped', waiting: 0, lagMs: 0, dropped: 0, pending: 0, openGaps: 0 })
  const { length } = history.snapshotRows
  recorder.onTrade({
    marketId: 'x',
    tradeId: null,
    venueTimeMs: 0,
    receivedAtMs: 0,
    price: 1,
    size: 1,
    takerSide: null
  })
  change(store, before.slot, 8)
  await new Promise(setImmediate)
  t.equal(history.snapshotRows.length, length)
})

t.test('a database that takes its time to open finds the rows waiting', async (t) => {
  const history = new MemoryHistoryStore()
  let open: (history: MemoryHistoryStore) => void = () => {}
  const { store, recorder } = recorderOf({
    history: new Promise((resolve) => {
      open = resolve
    })
  })
  recorder.start()
  t.teardown(() => recorder.stop())
  serve(store, market(1))
  await new Promise(setImmediate)
  t.match(recorder.status(), { state: 'opening' })
  t.ok(recorder.status().waiting >= 3)
  open(history)
  await until(() => history.snapshotRows.length > 0 && history.coverageRows.size > 0)
  await until(() => recorder.status().state === 'well')
})

t.test('a database that never opens costs its rows and nothing else', async (t) => {
  const { store, recorder } = recorderOf({ history: Promise.reject(new Error('no such folder')) })
  recorder.start()
  serve(store, market(1))
  await until(() => recorder.status().state === 'away')
  t.match(recorder.status(), { lastError: 'no such folder', written: 0 })
  await recorder.stop()
})

t.test('the run after a dead one tells the exact hole, and the run after a clean one too', async (t) => {
  const { clock, history, store } = recorderOf()
  const options = {
    store,
    history,
    flushMs: 10,
    queueMax: 100,
    gapFillIntervalMs: 1_000_000,
    log: SILENT,
    now: clock.now,
    steadyNow: clock.steadyNow,
    random: () => 0
  }
  history.sessionRows.set('dead', {
    sessionId: 'dead',
    startedAtMs: clock.ms - 90_000,
    heartbeatAtMs: clock.ms - 60_000,
    endedAtMs: null
  })
  const second = new HistoryRecorder(options)
  const secondAtMs = clock.ms
  clock.ms += 500
  second.start()
  await until(() => history.sessionRows.size === 2)
  const gaps = () => [...history.gapRows.values()].filter(({ kind }) => kind === 'restart')
  t.match(
    gaps().map(({ venue, startedAtMs, endedAtMs, marketIds }) => [venue, startedAtMs, endedAtMs, marketIds]),
    ['kalshi', 'polymarket'].map((venue) => [venue, secondAtMs - 60_000, secondAtMs, null])
  )
  await second.stop()
  const stoppedAtMs = clock.ms
  clock.ms += 4_000
  const third = new HistoryRecorder(options)
  third.start()
  await until(() => history.sessionRows.size === 3)
  await third.stop()
  t.match(
    gaps()
      .slice(2)
      .map(({ startedAtMs, endedAtMs }) => [startedAtMs, endedAtMs]),
    Array(2).fill([stoppedAtMs, stoppedAtMs + 4_000])
  )
})

t.test('a process that stood still tells it, by whichever clock went on', async (t) => {
  const warnings: object[] = []
  const steady = { ms: 0 }
  const { history, recorder, clock, store } = recorderOf({
    steadyNow: () => steady.ms,
    log: { ...SILENT, warn: (facts: object) => warnings.push(facts) }
  })
  const startedAtMs = clock.ms
  recorder.start()
  t.teardown(() => recorder.stop())
  const { id } = serve(store, market(1))
  const gaps = () =>
    [...history.gapRows.values()]
      .filter(({ kind }) => kind === 'standstill')
      .map(({ venue, startedAtMs: fromMs, detectedAtMs, endedAtMs, marketIds, recoveredBy }) => [
        venue,
        fromMs - startedAtMs,
        detectedAtMs - startedAtMs,
        (endedAtMs as number) - startedAtMs,
        marketIds,
        recoveredBy
      ])
  const pass = async (wallMs: number, steadyMs: number) => {
    clock.ms += wallMs
    steady.ms += steadyMs
    await recorder.flush()
  }
  await pass(5_000, 5_000)
  await pass(-5_000, 1_000)
  await pass(5_000, 1_000)
  t.strictSame(gaps(), [], 'neither a busy machine nor a clock that is put is one')
  // A machine that sleeps.
  await pass(25_000, 10)
  const slept = ['kalshi', 'polymarket'].map((venue) => [venue, 5_000, 30_000, 31_000, null, null])
  t.strictSame(gaps(), slept)
  t.strictSame(warnings, [{ stoodMs: 25_000 }])
  const range = { fromMs: startedAtMs, toMs: clock.ms }
  const { intervals } = await readRecordedCoverage(history, id, range, {
    nowMs: () => clock.ms,
    liveSessionId: recorder.sessionId
  })
  t.match(intervals, [
    { kind: 'verified', toMs: startedAtMs + 5_000 },
    { kind: 'degraded', reason: 'standstill', toMs: startedAtMs + 30_000 }
  ])
  // Frozen, with the wall's clock put back meanwhile.
  await pass(-10_000, 8_000)
  t.strictSame(gaps().slice(2), [
    ['kalshi', 12_000, 20_000, 21_000, null, null],
    ['polymarket', 12_000, 20_000, 21_000, null, null]
  ])
  t.equal(warnings.length, 2)
})

t.test('a journal’s hole is a gap of its venue, or of both', async (t) => {
  const { history, recorder, clock } = recorderOf()
  recorder.start()
  const hole = { journal: 'kalshi', fromMs: 5, toMs: 9, records: 7, reason: 'disk_full' as const }
  recorder.onJournalHole(hole, 'kalshi')
  recorder.onJournalHole({ ...hole, journal: 'books' }, null)
  await until(() => history.gapRows.size === 3)
  await recorder.stop()
  t.match(
    [...history.gapRows.values()],
    Array(3).fill({
      kind: 'journal_hole',
      startedAtMs: 5,
      endedAtMs: 9,
      detectedAtMs: clock.ms,
      recoveredBy: 'none',
      decidedAtMs: clock.ms
    })
  )
  t.match([...history.gapRows.values()][0]?.detail, '7 records: disk full')
})

t.test('the NO side has as many levels as it has', async (t) => {
  const store = newStore()
  const { snapshots } = bare(t, store)
  const { slot } = serve(store, market(1))
  store.books.arena.release(slot)
  store.books.arena.setLevel(slot, NO, 9_000, 3)
  store.books.raise(slot, 'silent')
  t.match(snapshots.at(-1), {
    bids: [],
    bestBid: null,
    bestBidSize: null,
    asks: [[1_000, 3]],
    bestAsk: 1_000
  })
})
