import fc from 'fast-check'
import t from 'tap'
import { assembleCoverage, coverageOf, holesOf } from '../../../services/history/coverage.ts'
import { CoverageTracker } from '../../../services/history/coverage-tracker.ts'
import type { CoverageRecord, GapRecord, SessionRecord } from '../../../services/history/records.ts'
import { reasonBits } from '../../../services/integrity/verdict.ts'
import { gapRow } from '../../fake-history.ts'
import { market, RECEIVED_AT_MS, serve } from '../../helper.ts'
import { newStore, recorderOf, until } from './clock.ts'

t.test('a verdict says how much an instant is worth', async (t) => {
  const of = (
    reasons: Parameters<typeof reasonBits>[0],
    source: 'websocket' | 'poll' = 'websocket',
    isKnown = true
  ) => {
    const { kind, reason } = coverageOf(reasonBits(reasons), source, isKnown)
    return `${kind} ${reason}`
  }
  t.equal(of([]), 'verified null')
  t.equal(of(['venue_paused']), 'verified null', 'halted by the venue while the stream is well')
  t.equal(of(['market_settled']), 'verified null')
  t.equal(of([], 'poll'), 'degraded polled')
  t.equal(of(['poll_overdue'], 'poll'), 'missing poll_overdue')
  t.equal(of(['drift', 'poll_overdue'], 'poll'), 'missing poll_overdue')
  t.equal(of(['silent']), 'degraded silent')
  t.equal(of(['market_closed', 'drift']), 'degraded drift')
  t.equal(of(['disconnected']), 'degraded disconnected')
  t.equal(of(['disconnected'], 'websocket', false), 'missing disconnected')
  t.equal(of([], 'websocket', false), 'missing awaiting_snapshot')
  t.equal(of(['hash_mismatch', 'awaiting_snapshot']), 'missing awaiting_snapshot')
})

function tracked(isPressed: () => boolean = () => false) {
  const store = newStore()
  const rows = new Map<string, CoverageRecord>()
  let written = 0
  const tracker = new CoverageTracker({
    store,
    sessionId: 's',
    write: (row) => {
      written++
      rows.set(`${row.marketId} ${row.fromMs}`, row)
    },
    isPressed
  })
  const at = { ms: 0 }
  store.watchVerdicts((slot) => tracker.changed(slot, at.ms))
  const told = () =>
    [...rows.values()].map(({ marketId, fromMs, toMs, kind, reason }) => [
      marketId.slice(-1),
      fromMs,
      toMs,
      kind,
      reason
    ])
  return { store, tracker, at, told, written: () => written }
}

t.test('each change of kind ends an interval and begins the next, to the millisecond', async (t) => {
  const { store, at, told, written } = tracked()
  at.ms = 10
  const { slot } = serve(store, market(1))
  at.ms = 20
  store.books.raise(slot, 'silent')
  store.books.raise(slot, 'disconnected')
  at.ms = 30
  store.books.clear(slot, 'silent', 'disconnected')
  store.books.raise(slot, 'awaiting_snapshot')
  at.ms = 40
  store.remove(market(1).id)
  at.ms = 50
  store.put(market(2), '')
  t.strictSame(told(), [
    ['1', 10, 20, 'verified', null],
    ['1', 20, 30, 'degraded', 'silent'],
    ['1', 30, 40, 'missing', 'awaiting_snapshot'],
    ['2', 50, null, 'missing', 'awaiting_snapshot']
  ])
  const before = written()
  store.books.raise(slot, 'arena_full')
  store.books.touch(slot)
  t.equal(written(), before, 'the same kind goes on')
})

t.test('of one kind, polling that goes well is told apart from what is in doubt', async (t) => {
  const { store, at, told } = tracked()
  at.ms = 10
  const { slot } = serve(store, market(1))
  store.books.raise(slot, 'disconnected')
  at.ms = 20
  store.books.setSource(slot, 'poll')
  store.books.clear(slot, 'disconnected')
  at.ms = 30
  store.books.raise(slot, 'poll_overdue')
  at.ms = 40
  store.books.resynced(slot)
  at.ms = 50
  store.books.raise(slot, 'drift')
  t.strictSame(told(), [
    ['1', 10, 20, 'degraded', 'disconnected'],
    ['1', 20, 30, 'degraded', 'polled'],
    ['1', 30, 40, 'missing', 'poll_overdue'],
    ['1', 40, 50, 'degraded', 'polled'],
    ['1', 50, null, 'degraded', 'drift']
  ])
})

t.test('a clock that is put back makes no interval that ends before it begins', async (t) => {
  const { store, at, told } = tracked()
  at.ms = 10
  const { slot } = serve(store, market(1))
  at.ms = 5
  store.books.raise(slot, 'silent')
  store.remove(market(1).id)
  t.ok(told().every(([, fromMs, toMs]) => toMs === null || (toMs as number) >= (fromMs as number)))
})

t.test(
  'under pressure an interval takes the worst that happens in it, and is exact again afterwards',
  async (t) => {
    let isPressed = false
    const { store, tracker, at, told } = tracked(() => isPressed)
    const { slot } = serve(store, market(1))
    isPressed = true
    at.ms = 10
    store.books.raise(slot, 'silent')
    for (const ms of [20, 30]) {
      at.ms = ms
      store.books.clear(slot, 'silent', 'awaiting_snapshot')
      store.books.raise(slot, ms === 20 ? 'awaiting_snapshot' : 'silent')
    }
    at.ms = 35
    store.books.clear(slot, 'silent')
    tracker.refresh(36)
    t.strictSame(told(), [
      ['1', 0, 10, 'verified', null],
      ['1', 10, null, 'missing', 'awaiting_snapshot']
    ])
    isPressed = false
    tracker.refresh(40)
    tracker.refresh(50)
    t.strictSame(told().slice(1), [
      ['1', 10, 40, 'missing', 'awaiting_snapshot'],
      ['1', 40, null, 'verified', null]
    ])
  }
)

const dead: SessionRecord = { sessionId: 'dead', startedAtMs: 100, heartbeatAtMs: 400, endedAtMs: null }
const clean: SessionRecord = { sessionId: 'clean', startedAtMs: 500, heartbeatAtMs: 700, endedAtMs: 700 }
const live: SessionRecord = { sessionId: 'live', startedAtMs: 800, heartbeatAtMs: 900, endedAtMs: null }

function row(
  sessionId: string,
  fromMs: number,
  toMs: number | null,
  kind: CoverageRecord['kind'] = 'verified'
) {
  const reason = kind === 'verified' ? null : 'silent'
  return { marketId: 'kalshi:A', sessionId, fromMs, toMs, kind, reason }
}

t.test(
  'a run that died leaves a hole from its last heartbeat to the next record of the market',
  async (t) => {
    const rows = [
      row('dead', 110, 200),
      row('dead', 200, null, 'degraded'),
      row('clean', 510, null),
      row('live', 820, null)
    ]
    const sessions = [dead, clean, live]
    const all = { fromMs: 0, toMs: 10_000 }
    t.strictSame(assembleCoverage(rows, sessions, all, 1_000, { liveSessionId: 'live' }), {
      intervals: [
        { fromMs: 110, toMs: 200, kind: 'verified', reason: null },
        { fromMs: 200, toMs: 400, kind: 'degraded', reason: 'silent' },
        { fromMs: 400, toMs: 510, kind: 'missing', reason: 'not_recorded' },
        { fromMs: 510, toMs: 700, kind: 'verified', reason: null },
        { fromMs: 700, toMs: 820, kind: 'missing', reason: 'not_recorded' },
        { fromMs: 820, toMs: 1_000, kind: 'verified', reason: null }
      ],
      recordedToMs: 1_000
    })
    t.equal(
      assembleCoverage(rows, sessions, all, 1_000).recordedToMs,
      900,
      'read from outside: to the last sign of life'
    )
    t.strictSame(assembleCoverage(rows, sessions, { fromMs: 450, toMs: 460 }, 1_000).intervals, [
      { fromMs: 450, toMs: 460, kind: 'missing', reason: 'not_recorded' }
    ])
    t.strictSame(assembleCoverage([], sessions, all, 1_000), {
      intervals: [],
      recordedToMs: null
    })
  }
)

t.test('a market of which the next run knows nothing yet is missing, one that left is not', async (t) => {
  const range = { fromMs: 0, toMs: 950 }
  t.strictSame(assembleCoverage([row('dead', 110, null)], [dead, live], range, 1_000).intervals, [
    { fromMs: 110, toMs: 400, kind: 'verified', reason: null },
    { fromMs: 400, toMs: 950, kind: 'missing', reason: 'not_recorded' }
  ])
  t.equal(assembleCoverage([row('dead', 110, null)], [dead], range, 1_000).recordedToMs, 400)
  t.equal(assembleCoverage([row('dead', 110, 300)], [dead, live], range, 1_000).recordedToMs, 300)
  t.strictSame(
    assembleCoverage([row('nobody', 110, null)], [live], range, 1_000).intervals,
    [{ fromMs: 110, toMs: 950, kind: 'missing', reason: 'not_recorded' }],
    'of a run that left no trace nothing is believed'
  )
})

t.test('between two intervals of a market all is missing, also in a range that holds neither', async (t) => {
  const within = (rows: CoverageRecord[], fromMs: number, toMs: number) =>
    assembleCoverage(rows, [clean], { fromMs, toMs }, 1_000, { recorded: { fromMs: 510, lastFromMs: 800 } })
      .intervals
  const closed = row('clean', 510, 600)
  const missing = { kind: 'missing', reason: 'not_recorded' }
  t.strictSame(within([], 650, 700), [{ fromMs: 650, toMs: 700, ...missing }])
  t.strictSame(
    within([closed], 550, 700),
    [
      { fromMs: 550, toMs: 600, kind: 'verified', reason: null },
      { fromMs: 600, toMs: 700, ...missing }
    ],
    'and behind the last of a range, where another comes later'
  )
  t.strictSame(within([], 900, 950), [], 'behind the last of all nothing is known')
  t.strictSame(within([], 100, 400), [], 'nor before the first')
})

t.test('before a gap of books was noticed nothing is verified, whatever was served', async (t) => {
  const of = (kind: GapRecord['kind'], startedAtMs: number, detectedAtMs: number, endedAtMs: number | null) =>
    gapRow(kind, startedAtMs, { kind, detectedAtMs, endedAtMs })
  const holes = holesOf(
    [
      of('hash_mismatch', 150, 170, 190),
      of('restart', 210, 230, 240),
      of('storage_down', 210, 230, null),
      of('drift', 250, 250, 260),
      // The longer one hides the shorter, and ends within the next interval.
      of('audit_mismatch', 270, 320, null),
      of('sequence_gap', 280, 290, 300),
      of('disconnected', 310, 340, null)
    ],
    999
  )
  const rows = [
    row('dead', 110, 170),
    row('dead', 170, 190, 'degraded'),
    row('dead', 190, 275),
    row('dead', 275, 285, 'degraded'),
    row('dead', 285, 400)
  ]
  t.strictSame(
    assembleCoverage(rows, [dead], { fromMs: 0, toMs: 999 }, 999, { holes }).intervals.map(
      ({ fromMs, toMs, reason }) => [fromMs, toMs, reason]
    ),
    [
      [110, 150, null],
      [150, 170, 'hash_mismatch'],
      [170, 190, 'silent'],
      [190, 270, null],
      [270, 275, 'audit_mismatch'],
      [275, 285, 'silent'],
      [285, 320, 'audit_mismatch'],
      [320, 340, 'disconnected'],
      [340, 400, null]
    ]
  )
})

t.test('where rows or frames were lost, or nothing was heard, nothing is verified', async (t) => {
  const gap = {
    id: 'g',
    venue: 'kalshi' as const,
    connection: null,
    subscription: null,
    fromSequence: null,
    toSequence: null,
    marketIds: null,
    detectedAtMs: 0,
    recoveredBy: null,
    decidedAtMs: null,
    detail: ''
  }
  const holes = holesOf(
    [
      { ...gap, kind: 'recorder_overflow', startedAtMs: 300, endedAtMs: null },
      { ...gap, kind: 'journal_hole', startedAtMs: 150, endedAtMs: 180 },
      { ...gap, kind: 'standstill', startedAtMs: 220, endedAtMs: 260 },
      { ...gap, kind: 'storage_down', startedAtMs: 120, endedAtMs: 390 }
    ],
    350
  )
  const rows = [row('dead', 110, 170), row('dead', 170, 200, 'degraded'), row('dead', 200, 400)]
  t.strictSame(
    assembleCoverage(rows, [dead], { fromMs: 0, toMs: 999 }, 999, { holes }).intervals.map(
      ({ fromMs, toMs, reason }) => [fromMs, toMs, reason]
    ),
    [
      [110, 150, null],
      [150, 170, 'journal_hole'],
      [170, 200, 'silent'],
      [200, 220, null],
      [220, 260, 'standstill'],
      [260, 300, null],
      [300, 350, 'recorder_overflow'],
      [350, 400, null]
    ]
  )
})

t.test(
  'whatever was written, the answer is ordered, half-open and without a gap over what was recorded',
  async () => {
    const instant = fc.nat({ max: 100 })
    const record = fc
      .record({
        sessionId: fc.constantFrom('a', 'b', 'c', 'unknown'),
        fromMs: instant,
        length: fc.option(fc.nat({ max: 30 })),
        kind: fc.constantFrom('verified' as const, 'degraded' as const, 'missing' as const)
      })
      .map(({ length, ...rest }) => ({
        ...row(rest.sessionId, rest.fromMs, null, rest.kind),
        toMs: length === null ? null : rest.fromMs + length
      }))
    const session = (sessionId: string) =>
      fc.record({ startedAtMs: instant, alive: fc.nat({ max: 50 }), isClean: fc.boolean() }).map((one) => ({
        sessionId,
        startedAtMs: one.startedAtMs,
        heartbeatAtMs: one.startedAtMs + one.alive,
        endedAtMs: one.isClean ? one.startedAtMs + one.alive : null
      }))
    const hole = fc.record({ fromMs: instant, toMs: instant, reason: fc.constant('journal_hole') })
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 12 }),
        fc.tuple(session('a'), session('b'), session('c')),
        fc.record({ fromMs: instant, toMs: fc.nat({ max: 150 }) }),
        fc.integer({ min: 100, max: 140 }),
        fc.constantFrom(null, 'a', 'c'),
        fc.array(hole, { maxLength: 4 }),
        (rows, sessions, range, nowMs, liveSessionId, holes) => {
          const starts = rows.map(({ fromMs }) => fromMs)
          const recorded =
            rows.length === 0 ? null : { fromMs: Math.min(...starts), lastFromMs: Math.max(...starts) }
          const shown = rows.filter(
            ({ fromMs, toMs }) => fromMs < range.toMs && (toMs === null || toMs > range.fromMs)
          )
          const options = { recorded, liveSessionId, holes }
          const { intervals, recordedToMs } = assembleCoverage(shown, sessions, range, nowMs, options)
          for (const [index, one] of intervals.entries()) {
            const next = intervals[index + 1]
            if (one.toMs <= one.fromMs) return false
            if (next !== undefined && next.fromMs !== one.toMs) return false
            if (next !== undefined && next.kind === one.kind && next.reason === one.reason) return false
          }
          const first = intervals[0]
          const last = intervals.at(-1)
          const endMs = Math.min(range.toMs, nowMs)
          const isRecorded = recorded !== null && recorded.fromMs < endMs && range.fromMs < endMs
          if (isRecorded && recorded.lastFromMs >= range.toMs && last?.toMs !== endMs) return false
          if (first === undefined || last === undefined || recorded === null) return recordedToMs === null
          if (first.fromMs !== Math.max(range.fromMs, recorded.fromMs)) return false
          return last.toMs === recordedToMs && last.toMs <= endMs
        }
      ),
      { numRuns: 2_000 }
    )
  }
)

t.test(
  'a recorder that dies leaves coverage up to its last heartbeat, and its successor the exact hole',
  async (t) => {
    const first = recorderOf()
    const { slot, id } = serve(first.store, market(1))
    first.recorder.start()
    const { history } = first
    const heartbeat = () => history.sessionRows.get(first.recorder.sessionId)?.heartbeatAtMs
    await until(() => heartbeat() === RECEIVED_AT_MS)
    first.clock.ms += 1_000
    first.store.books.raise(slot, 'silent')
    await until(() => heartbeat() === RECEIVED_AT_MS + 1_000 && history.coverageRows.size === 2)
    // Killed: nothing more of it reaches the database.
    const rows = { coverage: new Map(history.coverageRows), sessions: new Map(history.sessionRows) }
    await first.recorder.stop()
    const second = recorderOf()
    for (const [key, one] of rows.coverage) second.history.coverageRows.set(key, one)
    for (const [key, one] of rows.sessions) second.history.sessionRows.set(key, one)
    second.clock.ms += 8_000
    second.recorder.start()
    second.clock.ms += 500
    serve(second.store, market(1))
    second.clock.ms += 500
    await second.recorder.flush()
    const range = { fromMs: 0, toMs: second.clock.ms }
    const { intervals } = assembleCoverage(
      await second.history.coverage({ marketId: id, ...range }),
      await second.history.sessions(range),
      range,
      second.recorder.recordedToMs,
      { liveSessionId: second.recorder.sessionId }
    )
    t.strictSame(
      intervals.map(({ fromMs, toMs, kind, reason }) => [
        fromMs - RECEIVED_AT_MS,
        toMs - RECEIVED_AT_MS,
        kind,
        reason
      ]),
      [
        [0, 1_000, 'verified', null],
        [1_000, 8_500, 'missing', 'not_recorded'],
        [8_500, 9_000, 'verified', null]
      ]
    )
    await second.recorder.stop()
  }
)
