import fc from 'fast-check'
import t from 'tap'
import { candleHoles } from '../../../../services/history/read/candle-holes.ts'
import { clip, sharesOf } from '../../../../services/history/read/coverage-shares.ts'
import { missingNumbers } from '../../../../services/history/read/missing-numbers.ts'
import { newestProven } from '../../../../services/history/read/newest.ts'
import { COVERAGE_KINDS, type CoverageRecord } from '../../../../services/history/records.ts'
import { coverageRow, gapRow, snapshotRow } from '../../../fake-history.ts'

const ID = 'kalshi:KXTEST-0001'
const RANGE = { fromMs: 1_000, toMs: 2_000 }

t.test('intervals end where the range does', async (t) => {
  const rows = [
    coverageRow(ID, 0, 1_000),
    coverageRow(ID, 500, 1_200),
    coverageRow(ID, 1_200, 1_300, 'degraded', 'sequence_gap'),
    coverageRow(ID, 1_300, null),
    coverageRow(ID, 2_000, null)
  ]
  t.same(clip(rows, RANGE), [
    { fromMs: 1_000, toMs: 1_200, kind: 'verified', reason: null },
    { fromMs: 1_200, toMs: 1_300, kind: 'degraded', reason: 'sequence_gap' },
    { fromMs: 1_300, toMs: 2_000, kind: 'verified', reason: null }
  ])
})

t.test('what nothing was recorded of is missing', async (t) => {
  t.same(sharesOf([], RANGE), {
    verified: { durationMs: 0, percent: '0' },
    degraded: { durationMs: 0, percent: '0' },
    missing: { durationMs: 1_000, percent: '100' }
  })
  t.same(sharesOf(clip([coverageRow(ID, 1_500, null)], RANGE), RANGE), {
    verified: { durationMs: 500, percent: '50' },
    degraded: { durationMs: 0, percent: '0' },
    missing: { durationMs: 500, percent: '50' }
  })
})

t.test('a millisecond of a year that is not verified shows', async (t) => {
  const range = { fromMs: 0, toMs: 365 * 86_400_000 }
  const rows = [coverageRow(ID, 0, 1, 'missing', 'restart'), coverageRow(ID, 1, null)]
  const { verified, missing } = sharesOf(clip(rows, range), range)
  t.same(verified, { durationMs: range.toMs - 1, percent: '99.9999' })
  t.same(missing, { durationMs: 1, percent: '0.0001' })
})

const stretches = fc.array(
  fc.record({ lengthMs: fc.integer({ min: 1, max: 40_000_000 }), kind: fc.constantFrom(...COVERAGE_KINDS) }),
  { minLength: 1, maxLength: 20 }
)

t.test('shares are the whole, none is negative, and verified is never more than it was', async () => {
  fc.assert(
    fc.property(stretches, fc.nat({ max: 1_000_000 }), (parts, unrecordedMs) => {
      let atMs = unrecordedMs
      const rows: CoverageRecord[] = []
      for (const { lengthMs, kind } of parts) {
        rows.push(coverageRow(ID, atMs, atMs + lengthMs, kind))
        atMs += lengthMs
      }
      const range = { fromMs: 0, toMs: atMs }
      const { verified, degraded, missing } = sharesOf(clip(rows, range), range)
      const all = [verified, degraded, missing]
      const units = (percent: string) => Math.round(Number(percent) * 10_000)
      return (
        all.reduce((sum, { durationMs }) => sum + durationMs, 0) === range.toMs &&
        all.reduce((sum, { percent }) => sum + units(percent), 0) === 1_000_000 &&
        all.every(({ durationMs, percent }) => units(percent) >= 0 && (durationMs > 0 || percent === '0')) &&
        units(verified.percent) * range.toMs <= verified.durationMs * 1_000_000
      )
    })
  )
})

const CANDLES = { fromMs: 0, toMs: 600 }
const LENGTH_MS = 100

t.test('a candle names the gravest reason why it is not complete', async (t) => {
  const covered = clip(
    [
      coverageRow(ID, 50, 250),
      coverageRow(ID, 250, 310, 'degraded', 'disconnected'),
      coverageRow(ID, 310, 320, 'missing', 'restart'),
      coverageRow(ID, 320, 550)
    ],
    { fromMs: 0, toMs: 550 }
  )
  const gaps = [
    gapRow('1', 199, { endedAtMs: 200 }),
    gapRow('2', 290, { endedAtMs: 305 }),
    gapRow('3', 400, { endedAtMs: 400, kind: 'audit_mismatch' })
  ]
  t.same(candleHoles(CANDLES, LENGTH_MS, covered, gaps, 550), [
    { reason: 'missing', detail: null },
    { reason: 'gap', detail: 'sequence_gap' },
    { reason: 'degraded', detail: 'disconnected' },
    { reason: 'missing', detail: 'restart' },
    { reason: 'gap', detail: 'audit_mismatch' },
    { reason: 'running', detail: null }
  ])
})

t.test('a candle of which snapshots were thinned is not complete', async (t) => {
  const whole = clip([coverageRow(ID, 0, null)], CANDLES)
  const gaps = [gapRow('1', 190, { endedAtMs: 195 })]
  t.same(
    candleHoles(CANDLES, LENGTH_MS, whole, gaps, 550, [0, 100, 500]).map((hole) => hole?.reason ?? null),
    ['thinned', 'gap', null, null, null, 'thinned'],
    'what is graver comes first, that it is running does not'
  )
})

t.test('a candle that all of is verified and over is complete', async (t) => {
  const whole = clip([coverageRow(ID, 0, null)], CANDLES)
  t.same(candleHoles(CANDLES, LENGTH_MS, whole, [], 600), [null, null, null, null, null, null])
  const open = [gapRow('1', 450, { endedAtMs: null })]
  t.same(
    candleHoles(CANDLES, LENGTH_MS, whole, open, 600).map((hole) => hole?.reason ?? null),
    [null, null, null, null, 'gap', 'gap'],
    'a gap that is open goes on until now'
  )
})

t.test('a candle is complete exactly if nothing is wrong at any of its instants', async () => {
  const stretch = fc.record({
    lengthMs: fc.integer({ min: 1, max: 150 }),
    kind: fc.constantFrom(...COVERAGE_KINDS, 'verified' as const, 'verified' as const)
  })
  const gap = fc.record({ fromMs: fc.nat({ max: 700 }), lengthMs: fc.nat({ max: 100 }) })
  fc.assert(
    fc.property(
      fc.array(stretch),
      fc.array(gap, { maxLength: 3 }),
      fc.nat({ max: 600 }),
      (parts, gaps, nowMs) => {
        const wrong = new Uint8Array(1_000).fill(1)
        let atMs = 0
        const rows: CoverageRecord[] = []
        for (const { lengthMs, kind } of parts) {
          if (kind === 'verified') wrong.fill(0, atMs, atMs + lengthMs)
          rows.push(coverageRow(ID, atMs, atMs + lengthMs, kind))
          atMs += lengthMs
        }
        for (const { fromMs, lengthMs } of gaps) wrong.fill(1, fromMs, fromMs + Math.max(1, lengthMs))
        wrong.fill(1, nowMs)
        const facts = gaps.map(({ fromMs, lengthMs }) =>
          gapRow('1', fromMs, { endedAtMs: fromMs + lengthMs })
        )
        const covered = clip(rows, { ...CANDLES, toMs: Math.min(600, nowMs) })
        return candleHoles(CANDLES, LENGTH_MS, covered, facts, nowMs).every(
          (hole, at) => (hole !== null) === wrong.subarray(at * LENGTH_MS, (at + 1) * LENGTH_MS).includes(1)
        )
      }
    )
  )
})

t.test('missing numbers are told as ranges with both ends included', async (t) => {
  const gaps = [
    gapRow('1', 0, { fromSequence: 5, toSequence: 5 }),
    gapRow('2', 1, { fromSequence: null, toSequence: null, kind: 'disconnected' }),
    gapRow('3', 2, { fromSequence: 5, toSequence: 9, subscription: '3' })
  ]
  t.same(missingNumbers(gaps), [
    { from: 5, to: 5, count: 1 },
    { from: 5, to: 9, count: 5 }
  ])
})

t.test('the latest snapshot is the newest that is not in doubt', async (t) => {
  const stream = (atMs: number, state: 'live' | 'suspect' | 'closed') => snapshotRow(ID, atMs, { state })
  const poll = (atMs: number, state: 'live' | 'stale', cause: 'poll' | 'change' = 'poll') =>
    snapshotRow(ID, atMs, { state, source: 'poll', cause })
  const latestAt = (nowMs: number, ...rows: Parameters<typeof newestProven>[0]) => {
    const newest = newestProven(rows, nowMs)
    return newest && `${newest.snapshot.source} ${newest.snapshot.atMs}${newest.proven ? '' : ' unproven'}`
  }
  const latest = (...rows: Parameters<typeof newestProven>[0]) => latestAt(20_000, ...rows)
  t.equal(latest(stream(20, 'live'), poll(10, 'live')), 'websocket 20')
  t.equal(latest(stream(10, 'live'), poll(20, 'live')), 'websocket 10', 'an answer may come from a cache')
  t.equal(latest(stream(10, 'live'), poll(16_011, 'live')), 'poll 16011', 'but none is older than that')
  t.equal(latest(stream(20, 'suspect'), poll(10, 'live')), 'poll 10')
  t.equal(latest(stream(10, 'live'), poll(20, 'stale')), 'websocket 10')
  t.equal(
    latest(stream(10, 'suspect'), poll(20_000, 'stale')),
    'poll 20000 unproven',
    'all in doubt: the newest'
  )
  t.equal(
    latest(stream(20, 'closed'), poll(10, 'live')),
    'websocket 20 unproven',
    'what has ended is not in doubt, nor is it live'
  )
  t.equal(latest(poll(10, 'live'), stream(10, 'live')), 'websocket 10')
  t.equal(latest(), null)
  const afterOutage = [stream(100, 'suspect'), poll(10, 'live')] as const
  t.equal(latestAt(120_010, ...afterOutage), 'poll 10')
  t.equal(
    latestAt(120_011, ...afterOutage),
    'websocket 100 unproven',
    'others should have followed that answer'
  )
  t.equal(latestAt(120_011, poll(10, 'live')), 'poll 10 unproven')
  t.equal(latestAt(9e9, poll(10, 'live', 'change')), 'poll 10', 'the one source says itself when it fails')
})
