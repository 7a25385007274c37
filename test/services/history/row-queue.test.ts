import t from 'tap'
import { HistoryUnavailableError } from '../../../services/errors.ts'
import { LostRows } from '../../../services/history/lost-rows.ts'
import type { GapRecord } from '../../../services/history/records.ts'
import { RowQueue, type RowQueueOptions } from '../../../services/history/row-queue.ts'
import { RowRing } from '../../../services/history/row-ring.ts'
import { market } from '../../helper.ts'
import { Clock, recorderOf, SILENT, snapshot, trade, until } from './clock.ts'
import { MemoryHistoryStore } from './memory-store.ts'

// The queue's own timers keep no process alive.
const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))

const SESSION = { sessionId: 's', startedAtMs: 0, endedAtMs: null }

function queueOf(options: Partial<RowQueueOptions> = {}) {
  const clock = new Clock()
  const history = new MemoryHistoryStore()
  const told: string[] = []
  const lost: [string, number, string][] = []
  const queue = new RowQueue({
    history: Promise.resolve(history),
    prepare: async () => {},
    max: 10_000,
    session: (recordedToMs) => ({ ...SESSION, heartbeatAtMs: recordedToMs }),
    onLost: (marketId, atMs, how) => lost.push([marketId, atMs, how]),
    onAway: () => told.push('away'),
    onBack: () => told.push('back'),
    onProgress: () => {},
    now: clock.now,
    steadyNow: clock.steadyNow,
    random: () => 0,
    log: SILENT,
    ...options
  })
  t.teardown(() => queue.stop(() => ({ ...SESSION, heartbeatAtMs: 0 }), 10))
  return { queue, history, clock, told, lost }
}

t.test('rows leave in full batches, and all of them at a flush', async (t) => {
  const { queue, history, clock } = queueOf()
  for (let n = 0; n < 1_200; n++) queue.addSnapshot(snapshot({ atMs: n }))
  await until(() => history.snapshotRows.length === 1_000)
  clock.ms += 40
  queue.addTrade(trade({ tradeId: 'a' }))
  t.match(queue.status(), { waiting: 201, lagMs: 40, written: 1_000, state: 'well' })
  t.equal(queue.recordedToMs, clock.ms - 40)
  await queue.flush()
  t.strictSame(history.batches, [
    { kind: 'snapshots', rows: 500 },
    { kind: 'snapshots', rows: 500 },
    { kind: 'snapshots', rows: 200 },
    { kind: 'trades', rows: 1 },
    { kind: 'session', rows: 1 }
  ])
  t.strictSame(
    history.snapshotRows.map(({ atMs }) => atMs),
    Array.from({ length: 1_200 }, (_, n) => n)
  )
  t.match(
    [...history.sessionRows.values()],
    [{ heartbeatAtMs: clock.ms }],
    'the sign of life comes after the rows'
  )
  t.match(queue.status(), { waiting: 0, lagMs: 0 })
})

t.test('what says what is missing is written first, each key once a batch', async (t) => {
  const { queue, history } = queueOf()
  const coverage = {
    marketId: 'kalshi:A',
    sessionId: 's',
    fromMs: 1,
    toMs: null,
    kind: 'missing',
    reason: null
  } as const
  queue.addSnapshot(snapshot())
  queue.addMarket({
    marketId: 'kalshi:A',
    venue: 'kalshi',
    fromMs: 1,
    status: 'open',
    rulesHash: '',
    market: market(1)
  })
  queue.addCoverage(coverage)
  queue.addCoverage({ ...coverage, toMs: 5 })
  const gap = gapRow('g1')
  queue.addGap(gap)
  queue.addGap({ ...gap, detail: 'newer' })
  await queue.flush()
  t.strictSame(
    history.batches.map(({ kind, rows }) => `${rows} ${kind}`),
    ['1 gaps', '1 coverage', '1 markets', '1 snapshots', '1 session']
  )
  t.match([...history.gapRows.values()], [{ detail: 'newer' }])
  t.match([...history.coverageRows.values()], [{ toMs: 5 }])
})

t.test('while the database is away rows wait, and nothing below the bound is lost', async (t) => {
  const { queue, history, told, lost } = queueOf()
  await queue.flush()
  history.away = true
  for (let n = 0; n < 9_000; n++) queue.addSnapshot(snapshot({ atMs: n }))
  await until(() => told.length === 1)
  await queue.flush()
  t.match(queue.status(), { state: 'away', waiting: 9_000, lastError: /away/, dropped: 0, conflated: 0 })
  await until(() => queue.status().failures > 2)
  history.away = false
  await until(() => history.snapshotRows.length === 9_000)
  t.strictSame(told, ['away', 'back'])
  t.strictSame(lost, [])
})

t.test(
  'above the bound newer rows take the place of their market’s, verdicts stay longest, all is counted',
  async (t) => {
    const { queue, history, lost } = queueOf({ max: 6 })
    history.away = true
    queue.addSnapshot(snapshot({ marketId: 'kalshi:A', atMs: 1 }))
    queue.addSnapshot(snapshot({ marketId: 'kalshi:A', atMs: 2, cause: 'verdict' }))
    queue.addSnapshot(snapshot({ marketId: 'kalshi:A', atMs: 3, source: 'poll', cause: 'poll' }))
    queue.addSnapshot(snapshot({ marketId: 'kalshi:A', atMs: 4 }))
    queue.addTrade(trade({ receivedAtMs: 5 }))
    queue.addSnapshot(snapshot({ marketId: 'kalshi:B', atMs: 6 }))
    queue.addSnapshot(snapshot({ marketId: 'kalshi:A', atMs: 7 }))
    t.strictSame(lost, [['kalshi:A', 4, 'conflated']], 'its newest of the same source')
    queue.addSnapshot(snapshot({ marketId: 'kalshi:C', atMs: 8 }))
    t.strictSame(lost.at(-1), ['kalshi:A', 1, 'dropped'], 'the oldest that is no verdict')
    for (let n = 10; n < 16; n++)
      queue.addSnapshot(snapshot({ marketId: 'kalshi:V', atMs: n, cause: 'verdict' }))
    t.strictSame(
      lost.slice(2).map(([, atMs]) => atMs),
      [3, 6, 7, 8, 5, 2],
      'snapshots, then the trade, then the oldest verdict'
    )
    queue.addSnapshot(snapshot({ marketId: 'kalshi:D', atMs: 20 }))
    queue.addTrade(trade({ receivedAtMs: 21 }))
    t.strictSame(
      lost.slice(-2).map(([, atMs]) => atMs),
      [20, 21],
      'among verdicts there is no room for others'
    )
    t.match(queue.status(), { waiting: 6, conflated: 1, dropped: 9 })
    history.away = false
    await queue.flush()
    t.strictSame(
      history.snapshotRows.map(({ atMs }) => atMs),
      [10, 11, 12, 13, 14, 15]
    )
  }
)

t.test('rows that are being written are left alone, and count again when that fails', async (t) => {
  const { queue, history, lost } = queueOf({ max: 3 })
  await queue.flush()
  let fail: (error: Error) => void = () => {}
  history.held = new Promise((_, reject) => {
    fail = reject
  })
  for (const atMs of [1, 2, 3]) queue.addSnapshot(snapshot({ atMs }))
  const flushed = queue.flush()
  await until(() => history.batches.at(-1)?.rows === 3)
  queue.addSnapshot(snapshot({ atMs: 4 }))
  t.strictSame(lost, [['kalshi:A', 4, 'dropped']])
  history.held = Promise.resolve()
  history.away = true
  fail(new HistoryUnavailableError('cut'))
  await flushed
  queue.addSnapshot(snapshot({ atMs: 5 }))
  t.strictSame(lost.at(-1), ['kalshi:A', 3, 'conflated'])
  history.away = false
  await until(() => history.snapshotRows.length === 3)
  t.strictSame(
    history.snapshotRows.map(({ atMs }) => atMs),
    [1, 2, 5]
  )
})

t.test('one row that the database refuses does not keep the others', async (t) => {
  const { queue, history, told, lost } = queueOf()
  history.refuse = (rows) => {
    if (rows.some((row) => 'atMs' in row && row.atMs === 77)) throw new Error('no such price')
  }
  for (let n = 0; n < 100; n++) queue.addSnapshot(snapshot({ atMs: n }))
  queue.addTrade(trade())
  await queue.flush()
  t.equal(history.snapshotRows.length, 99)
  t.equal(history.tradeRows.length, 1)
  t.strictSame(lost, [['kalshi:A', 77, 'dropped']])
  t.strictSame(told, [], 'the database was there')
  history.refuse = (rows) => {
    if (rows.some((row) => !('cause' in row))) throw new Error('no such table')
  }
  queue.addTrade(trade({ receivedAtMs: 8 }))
  queue.addGap(gapRow('g'))
  await queue.flush()
  t.match(queue.status(), { dropped: 3, waiting: 0, state: 'well', lastError: 'no such table' })
})

t.test('a backlog does not silence the session', async (t) => {
  const { queue, history, clock } = queueOf()
  await queue.flush()
  let release: () => void = () => {}
  history.held = new Promise((resolve) => {
    release = resolve
  })
  for (let n = 0; n < 2_000; n++) queue.addSnapshot(snapshot())
  await until(() => history.batches.at(-1)?.kind === 'snapshots')
  clock.ms += 100
  const flushes = [queue.flush(), queue.flush()]
  release()
  await Promise.all(flushes)
  const kinds = history.batches.map(({ kind }) => kind)
  t.ok(kinds.indexOf('session', 1) < kinds.lastIndexOf('snapshots'), 'before the backlog was worked off')
})

t.test('a stop waits for the database for a bounded time, and says no clean end that was none', async (t) => {
  const { queue, history } = queueOf()
  await queue.flush()
  history.held = new Promise(() => {})
  queue.addSnapshot(snapshot())
  t.equal(await queue.stop(() => ({ ...SESSION, heartbeatAtMs: 1 }), 20), false)
  await queue.flush()
  t.equal(queue.status().state, 'stopped')
  const other = queueOf()
  await other.queue.flush()
  other.history.refuse = () => {
    throw new Error('read only')
  }
  t.equal(await other.queue.stop(() => ({ ...SESSION, heartbeatAtMs: 1 }), 1_000), false)
})

t.test('metadata beyond its bound keeps the newest of each market', async (t) => {
  const { queue, history } = queueOf()
  history.away = true
  const row = { venue: 'kalshi', status: 'open', rulesHash: '', market: market(1) } as const
  for (let n = 0; n < 50_010; n++) queue.addMarket({ ...row, marketId: `kalshi:${n % 49_990}`, fromMs: n })
  t.equal(queue.status().waiting, 50_000)
  for (let n = 0; n < 5; n++) queue.addMarket({ ...row, marketId: 'kalshi:7', fromMs: 60_000 + n })
  t.equal(queue.status().waiting, 50_000)
})

t.test('what found no room is told with exact times, counts and markets, a venue each', async (t) => {
  const gaps: GapRecord[] = []
  const losses = new LostRows({
    sessionId: 's',
    queueMax: 100,
    write: (gap) => gaps.push(gap),
    now: () => 99
  })
  losses.progress(0)
  losses.lost('kalshi:A', 20, 'conflated')
  losses.lost('kalshi:B', 10, 'dropped')
  losses.lost('kalshi:A', 30, 'dropped')
  losses.lost('polymarket:P', 15, 'dropped')
  losses.progress(50)
  t.strictSame(gaps, [], 'not over while half of the room is taken')
  losses.progress(49)
  losses.progress(0)
  t.match(gaps, [
    {
      venue: 'kalshi',
      kind: 'recorder_overflow',
      startedAtMs: 10,
      endedAtMs: 31,
      marketIds: ['kalshi:A', 'kalshi:B']
    },
    { venue: 'polymarket', startedAtMs: 15, endedAtMs: 16, marketIds: ['polymarket:P'], detectedAtMs: 99 }
  ])
  t.match(gaps[0]?.detail, '3 rows were not written: 1 gave way to newer ones, 2 had no room.')
  for (let n = 0; n < 3_000; n++) losses.lost(`kalshi:${n}`, n, 'dropped')
  losses.end()
  t.match(gaps[2], { marketIds: null, startedAtMs: 0, endedAtMs: 3_000 })
  t.not(gaps[2]?.id, gaps[0]?.id)
})

t.test(
  'the time in which the database was away is a gap, which says whether anything was lost',
  async (t) => {
    const { recorder, history, clock } = recorderOf({ queueMax: 1_000 })
    recorder.start()
    await until(() => recorder.status().state === 'well')
    const note = {
      marketId: 'kalshi:A',
      venueTimeMs: null,
      receivedAtMs: 5,
      price: 1,
      size: 1,
      takerSide: null
    } as const
    const gaps = () => [...history.gapRows.values()].filter(({ kind }) => kind === 'storage_down')
    const goneAtMs = clock.ms
    const outage = async (trades: number) => {
      history.away = true
      await until(() => recorder.status().state === 'away')
      for (let n = 0; n < trades; n++) recorder.onTrade({ ...note, tradeId: `${clock.ms} ${n}` })
      clock.ms += 60_000
      history.away = false
      await until(() => recorder.status().state === 'well' && recorder.status().waiting === 0)
    }
    await outage(1_000)
    t.match(
      gaps().map(({ startedAtMs, endedAtMs, recoveredBy, decidedAtMs }) => [
        startedAtMs,
        endedAtMs,
        recoveredBy,
        decidedAtMs
      ]),
      Array(2).fill([goneAtMs, goneAtMs + 60_000, 'snapshot', goneAtMs + 60_000])
    )
    t.equal(history.tradeRows.length, 1_000, 'a minute below the bound loses nothing')
    await outage(1_250)
    await recorder.stop()
    t.equal(history.tradeRows.length, 2_000)
    t.match(gaps().at(-1), { recoveredBy: 'none', detail: /250 rows had no room/ })
    t.match(
      [...history.gapRows.values()].filter(({ kind }) => kind === 'recorder_overflow'),
      [{ venue: 'kalshi', detail: /^250 rows/, startedAtMs: 5, endedAtMs: 6, decidedAtMs: clock.ms }]
    )
  }
)

t.test('a ring forgets what was taken, wherever it stood', async (t) => {
  const ring = new RowRing<number>()
  for (let n = 0; n < 20_000; n++) ring.push(n, n)
  for (let n = 0; n < 20_000; n += 2) ring.take(n)
  t.equal(ring.take(4), undefined)
  t.equal(ring.size, 10_000)
  ring.dropBefore(15_001)
  t.equal(ring.oldestAt, 15_001)
  t.ok(Reflect.get(ring, 'rows').length < 10_000, 'their room is given back')
  t.strictSame(ring.peek(2), { rows: [15_001, 15_003], end: 15_004 })
  t.equal(ring.find(16_000), 16_001)
  t.equal(
    ring.find(0, (row) => row > 18_000),
    18_001
  )
  ring.dropBefore(20_000)
  t.equal(ring.size, 0)
  t.ok(Number.isNaN(ring.oldestAt))
  t.equal(ring.push(1, 1), 20_000)
})

function gapRow(id: string): GapRecord {
  return {
    id,
    venue: 'kalshi',
    kind: 'drift',
    connection: null,
    subscription: null,
    fromSequence: null,
    toSequence: null,
    marketIds: null,
    startedAtMs: 1,
    detectedAtMs: 2,
    endedAtMs: null,
    recoveredBy: null,
    decidedAtMs: null,
    detail: ''
  }
}
