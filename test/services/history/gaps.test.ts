import t from 'tap'
import { GapFiller, type GapFillerOptions } from '../../../services/history/gap-filler.ts'
import { GapLog } from '../../../services/history/gap-log.ts'
import type { GapRecord, TradeRecord } from '../../../services/history/records.ts'
import type { VerdictReason } from '../../../services/integrity/verdict.ts'
import type { VenueCandle } from '../../../services/venue/port.ts'
import type { GapNote } from '../../../services/venue/wire-tap.ts'
import { market, RECEIVED_AT_MS, serve } from '../../helper.ts'
import { Clock, newStore, recorderOf, SILENT, snapshot, trade, until } from './clock.ts'
import { MemoryHistoryStore } from './memory-store.ts'

function note(overrides: Partial<GapNote> = {}): GapNote {
  return {
    venue: 'kalshi',
    kind: 'sequence_gap',
    connection: 'c1',
    subscription: '4',
    fromSequence: 8,
    toSequence: 9,
    slots: [],
    startedAtMs: 90,
    detectedAtMs: 100,
    detail: 'expected 8, got 10',
    ...overrides
  }
}

function logged(markets = 3) {
  const store = newStore(2_000)
  const rows = new Map<string, GapRecord>()
  const at = { ms: 100 }
  const log = new GapLog({ store, sessionId: 's', write: (gap) => rows.set(gap.id, gap) })
  const slots = Array.from({ length: markets }, (_, n) => serve(store, market(n)).slot)
  store.watchVerdicts((slot) => log.changed(slot, at.ms))
  const raise = (reason: VerdictReason, ...which: number[]) => {
    for (const slot of which) store.books.raise(slot, reason)
  }
  return { store, log, slots, at, raise, rows: () => [...rows.values()] }
}

t.test('a gap ends at the instant at which the last of its books is whole', async (t) => {
  const { store, log, slots, at, raise, rows } = logged()
  const [a, b] = slots as [number, number]
  log.note(note({ slots: [a, b] }))
  raise('sequence_gap', a, b)
  t.match(rows(), [
    {
      kind: 'sequence_gap',
      fromSequence: 8,
      toSequence: 9,
      marketIds: [market(0).id, market(1).id],
      endedAtMs: null,
      recoveredBy: null
    }
  ])
  at.ms = 150
  store.books.resynced(a)
  log.check(10_000)
  at.ms = 170
  raise('awaiting_snapshot', b)
  store.books.clear(b, 'sequence_gap')
  log.check(10_000)
  t.match(rows(), [{ endedAtMs: null }], 'a book that waits for its snapshot is not whole')
  at.ms = 222
  store.books.resynced(b)
  t.match(rows(), [
    { startedAtMs: 90, detectedAtMs: 100, endedAtMs: 222, recoveredBy: 'snapshot', decidedAtMs: 222 }
  ])
  t.equal(log.size, 0)
  t.equal(Reflect.get(log, 'bySlot').size, 0)
})

t.test('a REST book ends a gap as such, and two gaps of one book end each by its own reason', async (t) => {
  const { store, log, slots, at, raise, rows } = logged()
  const [a] = slots as [number]
  raise('disconnected', a)
  raise('audit_mismatch', a)
  log.note(note({ kind: 'disconnected', slots: [a] }))
  log.note(note({ kind: 'audit_mismatch', slots: [a] }))
  t.equal(log.rows().length, 2)
  at.ms = 200
  store.books.clear(a, 'audit_mismatch')
  at.ms = 300
  store.books.setSource(a, 'poll')
  store.books.resynced(a)
  t.match(
    rows().map(({ kind, endedAtMs, recoveredBy }) => [kind, endedAtMs, recoveredBy]),
    [
      ['disconnected', 300, 'rest'],
      ['audit_mismatch', 200, 'snapshot']
    ]
  )
})

t.test(
  'a gap that was over before anything was heard ends where it was told, after the feed had its time',
  async (t) => {
    const { log, slots, rows } = logged()
    log.note(note({ kind: 'stray_change', slots: [...slots, 99] }))
    log.note(note({ kind: 'drift', slots: [] }))
    log.check(500)
    t.equal(log.size, 2, 'its reason may be on its way')
    log.check(1_100)
    t.match(
      rows().map(({ endedAtMs, recoveredBy, decidedAtMs }) => [endedAtMs, recoveredBy, decidedAtMs]),
      [
        [100, 'snapshot', 1_100],
        [100, 'none', 1_100]
      ]
    )
  }
)

t.test('a market that has ended holds no gap open: no book comes for it any more', async (t) => {
  const { store, log, slots, at, raise, rows } = logged()
  raise('disconnected', ...slots)
  log.note(note({ kind: 'disconnected', slots }))
  store.patch(market(0).id, { status: 'closed' })
  at.ms = 400
  for (const slot of slots.slice(1)) store.books.resynced(slot)
  log.check(2_000)
  t.match(rows(), [{ endedAtMs: 400, recoveredBy: 'snapshot' }])
  t.equal(log.size, 0)
})

t.test('a market that leaves before its book came back stays unrecovered', async (t) => {
  const { store, log, slots, at, raise, rows } = logged()
  raise('hash_mismatch', ...slots)
  log.note(note({ kind: 'hash_mismatch', slots: slots.slice(0, 1) }))
  at.ms = 400
  store.remove(market(0).id)
  serve(store, market(7))
  t.match(rows(), [{ endedAtMs: 400, recoveredBy: 'none' }])
})

t.test('a loss of all of a venue says so instead of naming every market', async (t) => {
  const { store, log, slots, raise, rows } = logged(600)
  raise('disconnected', ...slots)
  log.note(note({ kind: 'disconnected', slots }))
  t.match(rows(), [{ marketIds: null }])
  log.note(note({ kind: 'disconnected', slots: slots.slice(1) }))
  t.equal(rows()[1]?.marketIds?.length, 599)
  for (const slot of slots) store.books.resynced(slot)
  t.equal(log.size, 0)
})

t.test('open gaps are bounded: what is too much is told as one', async (t) => {
  const { store, log, slots, raise, rows } = logged()
  const [a, b] = slots as [number, number]
  raise('sequence_gap', a, b)
  for (let n = 0; n < 1_500; n++) log.note(note({ slots: [n === 1_400 ? b : a], startedAtMs: 90 - n }))
  t.equal(log.size, 1_000)
  t.match(rows().at(-1), {
    fromSequence: null,
    startedAtMs: 90 - 1_499,
    marketIds: [market(0).id, market(1).id]
  })
  log.note(note({ kind: 'drift', slots: [a] }))
  t.equal(log.size, 1_001, 'another kind is kept apart')
  store.books.resynced(a)
  t.equal(log.size, 1)
  store.books.resynced(b)
  t.equal(log.size, 0)
})

function fillerOf(options: Partial<GapFillerOptions> = {}) {
  const history = new MemoryHistoryStore()
  const clock = new Clock()
  const store = options.store ?? newStore()
  const trades: TradeRecord[] = []
  const filler = new GapFiller({
    store,
    history: Promise.resolve(history),
    sessionId: 'now',
    startedAtMs: RECEIVED_AT_MS,
    write: (gap) => history.gapRows.set(gap.id, gap),
    addTrade: (one) => trades.push(one),
    fetchTrades: null,
    fetchCandles: null,
    giveUpAfterMs: 3_600_000,
    now: clock.now,
    log: SILENT,
    ...options
  })
  const add = (gap: Partial<GapRecord>) => {
    const { slots: _, ...base } = note({ startedAtMs: RECEIVED_AT_MS - 60_000 })
    const open = { endedAtMs: null, recoveredBy: null, decidedAtMs: null }
    const row = { ...base, id: 'g', marketIds: ['kalshi:A'], ...open, ...gap }
    history.gapRows.set(row.id, row)
  }
  const gap = (id = 'g') => history.gapRows.get(id)
  return { history, clock, store, trades, filler, add, gap }
}

const T = RECEIVED_AT_MS

t.test(
  'a gap that an earlier run left open is closed by the first live book that was recorded after it',
  async (t) => {
    const { history, clock, store, filler, add, gap } = fillerOf()
    add({ detectedAtMs: T - 1_000, marketIds: ['kalshi:A', 'kalshi:B'] })
    for (const [n, id] of ['kalshi:A', 'kalshi:B'].entries()) serve(store, market(n, { id }))
    history.snapshotRows.push(
      snapshot({ atMs: T - 1_000 }),
      ...Array.from({ length: 600 }, () => snapshot({ atMs: T - 900, state: 'stale' })),
      snapshot({ atMs: T - 500 }),
      snapshot({ atMs: T - 400 }),
      snapshot({ marketId: 'kalshi:B', atMs: T - 300, state: 'suspect' })
    )
    await filler.run()
    t.match(gap(), { endedAtMs: null, recoveredBy: null }, 'a flagged book closes nothing')
    clock.ms = T + 700
    history.snapshotRows.push(
      snapshot({ marketId: 'kalshi:B', atMs: T - 300, source: 'poll', cause: 'poll' }),
      snapshot({ marketId: 'kalshi:B', atMs: T - 200, source: 'poll' })
    )
    await filler.run()
    t.match(gap(), { endedAtMs: T - 200, recoveredBy: 'rest', decidedAtMs: T + 700 })
    t.match(filler.status(), { runs: 2, closed: { rest: 1, snapshot: 0 }, successRate: 1 })
    t.equal(history.snapshotRows.length, 606, 'no book is ever filled in')
  }
)

t.test('what nothing recovered within its time is given up, and looked at no more', async (t) => {
  const { history, clock, filler, add, gap } = fillerOf()
  add({ id: 'open', detectedAtMs: T - 1 })
  add({ id: 'restart', kind: 'restart', marketIds: null, detectedAtMs: T, startedAtMs: T - 9, endedAtMs: T })
  add({ id: 'drift:now:0', detectedAtMs: T })
  await filler.run()
  t.equal(filler.status().lookedAt, 2, 'this run’s own open gaps end by themselves')
  t.equal(filler.status().successRate, null)
  clock.ms += 3_600_000
  await filler.run()
  const givenUp = { endedAtMs: T, recoveredBy: 'none', decidedAtMs: T + 3_600_000 }
  t.match([gap('open'), gap('restart')], [givenUp, givenUp])
  t.match(gap('drift:now:0'), { recoveredBy: null })
  t.match(filler.status(), { unrecoverable: 2, successRate: 0 })
  await filler.run()
  t.equal(filler.status().unrecoverable, 2)
  t.strictSame([history.snapshotRows, history.coverageRows.size], [[], 0], 'and nothing was made up')
})

t.test('a gap of more markets than can be asked for each ends when the last of them is proven', async (t) => {
  const store = newStore(200)
  const { history, clock, filler, add, gap } = fillerOf({ store })
  const ids = Array.from({ length: 150 }, (_, n) => serve(store, market(n)).id)
  const session = { startedAtMs: T - 90_000, heartbeatAtMs: T - 500, endedAtMs: null }
  history.sessionRows.set('before', { sessionId: 'before', ...session })
  for (const marketId of [...ids, 'polymarket:P'])
    await history.writeCoverage([
      { marketId, sessionId: 'before', fromMs: T - 90_000, toMs: null, kind: 'verified', reason: null }
    ])
  add({ id: 'named', kind: 'disconnected', detectedAtMs: T - 1_000, marketIds: ids })
  add({ id: 'all', kind: 'disconnected', detectedAtMs: T - 1_000, marketIds: null })
  const [late, ...others] = ids as [string, ...string[]]
  for (const marketId of others) history.snapshotRows.push(snapshot({ marketId, atMs: T + 200 }))
  clock.ms = T + 5_000
  await filler.run()
  t.match([gap('named'), gap('all')], [{ endedAtMs: null }, { endedAtMs: null }], 'one is still awaited')
  history.snapshotRows.push(snapshot({ marketId: late, atMs: T + 6_000 }))
  clock.ms = T + 7_000
  await filler.run()
  const proven = { endedAtMs: T + 6_000, recoveredBy: 'snapshot' }
  t.match([gap('named'), gap('all')], [proven, proven])
})

t.test('a gap of an earlier run never outlasts it for books that do not come back', async (t) => {
  const store = newStore()
  const { history, clock, filler, add, gap } = fillerOf({ store })
  serve(store, market(1, { id: 'kalshi:A' }))
  add({ id: 'left', detectedAtMs: T - 9, marketIds: ['kalshi:GONE'] })
  add({ id: 'halted', detectedAtMs: T - 9, marketIds: ['kalshi:A', 'kalshi:GONE'] })
  add({ id: 'before', detectedAtMs: T - 9, marketIds: ['kalshi:B', 'kalshi:GONE'] })
  add({ id: 'storage', kind: 'storage_down', detectedAtMs: T - 9, marketIds: null })
  add({ id: 'given up', detectedAtMs: T - 9, marketIds: ['kalshi:GONE'], recoveredBy: 'none' })
  add({ id: 'drift:beside:0', detectedAtMs: T - 9, marketIds: ['kalshi:GONE'] })
  add({ id: 'storage now', kind: 'storage_down', detectedAtMs: T + 1, marketIds: null })
  const beside = { sessionId: 'beside', startedAtMs: T - 99, heartbeatAtMs: T + 50, endedAtMs: null }
  history.sessionRows.set('beside', beside)
  history.snapshotRows.push(snapshot({ marketId: 'kalshi:B', atMs: T - 5 }))
  clock.ms = T + 60
  await filler.run()
  const ends = (...ids: string[]) => ids.map((id) => gap(id)?.endedAtMs)
  t.strictSame(ends('left', 'before', 'storage', 'given up'), [T, T, T, T], 'the restart gap ends there too')
  t.strictSame(ends('halted', 'drift:beside:0', 'storage now'), [null, null, null])
  clock.ms = T + 3_600_000
  await filler.run()
  t.match(gap('halted'), { endedAtMs: T, recoveredBy: 'none' }, 'a book in doubt is waited for an hour')
  t.strictSame(ends('drift:beside:0', 'storage now'), [null, null], 'they end by themselves')
})

t.test(
  'trades of a gap are read again where the venue keeps them, once, without those that are known',
  async (t) => {
    const asked: unknown[] = []
    const at = (tradeId: string | null, ms: number) =>
      trade({ tradeId, venueTimeMs: T + ms, receivedAtMs: T + 50_000 })
    let answer: () => TradeRecord[] | null = () => [
      at('old', -70_000),
      at('known', -30),
      at('new', -20),
      at('late', 0)
    ]
    const { history, clock, store, trades, filler, add, gap } = fillerOf({
      fetchTrades: async (...args) => {
        asked.push(args)
        return answer()
      }
    })
    serve(store, market(1, { id: 'kalshi:A' }))
    serve(store, market(2, { id: 'polymarket:P', venue: 'polymarket' }))
    history.tradeRows.push(at('known', -30), at(null, -10))
    add({ kind: 'restart', marketIds: null, endedAtMs: T })
    add({ id: 'h', kind: 'drift', endedAtMs: T, recoveredBy: 'snapshot' })
    await filler.run()
    t.strictSame(asked, [], 'the last trades may still be on their way')
    clock.ms += 10_000
    await filler.run()
    t.strictSame(asked, [['kalshi', 'kalshi:A', T - 60_000, T]])
    t.match(trades, [{ tradeId: 'new', atMs: T - 20, receivedAtMs: T + 50_000 }], 'it counts when it was')
    t.equal(trades.length, 1)
    t.match(gap(), { recoveredBy: 'trades', endedAtMs: T, decidedAtMs: T + 10_000 })
    await filler.run()
    t.equal(asked.length, 1)

    answer = () => [at(null, -10), at(null, -10)]
    add({ id: 'i', kind: 'disconnected', endedAtMs: T, recoveredBy: 'snapshot' })
    await filler.run()
    t.equal(trades.length, 1, 'without an id a trade is known by what it was')
    t.match(gap('i'), { recoveredBy: 'snapshot' }, 'how its books came back stays')

    answer = () => {
      throw new Error('503')
    }
    add({ id: 'j', kind: 'disconnected', endedAtMs: T })
    await filler.run()
    t.match([gap('j')?.recoveredBy, filler.status().failures], [null, 1])
    answer = () => null
    await filler.run()
    await filler.run()
    t.match(gap('j'), { recoveredBy: null }, 'the venue has no such endpoint')
    t.equal(asked.length, 4, 'and is not asked again')
    answer = () => []
    add({
      id: 'k',
      kind: 'disconnected',
      endedAtMs: T,
      marketIds: Array.from({ length: 101 }, (_, n) => `kalshi:${n}`)
    })
    add({ id: 'l', venue: 'kalshi', kind: 'disconnected', endedAtMs: T, marketIds: [] })
    await filler.run()
    t.equal(asked.length, 4)
    t.match(filler.status(), { trades: 1, closed: { trades: 1 } })
  }
)

t.test('minutes of a gap that the venue tells are kept, and close it when none is left out', async (t) => {
  const asked: unknown[] = []
  const minuteMs = Math.floor(T / 60_000) * 60_000
  const bar = { open: 4_100, high: 4_300, low: 4_000, close: 4_200 }
  const told = (marketId: string, ms: number) => ({
    marketId,
    fromMs: minuteMs + ms,
    bid: bar,
    ask: bar,
    price: null,
    volume: 0
  })
  let answer: () => VenueCandle[] | null = () => [told('kalshi:A', -60_000), told('kalshi:A', 60_000)]
  const { history, clock, filler, add, gap } = fillerOf({
    fetchCandles: async (...args) => {
      asked.push(args)
      return answer()
    }
  })
  const kept = () => [...history.venueCandleRows.values()].map(({ fromMs }) => fromMs - minuteMs)
  add({ kind: 'disconnected', startedAtMs: minuteMs - 90_000, endedAtMs: minuteMs - 1 })
  clock.ms = minuteMs + 29_999
  await filler.run()
  t.strictSame(asked, [], 'the last minute may not be there yet')
  clock.ms = minuteMs + 30_000
  await filler.run()
  t.strictSame(asked, [['kalshi', ['kalshi:A'], minuteMs - 120_000, minuteMs]], 'whole minutes')
  t.strictSame(kept(), [-60_000], 'not what was not asked for')
  t.match(gap(), { recoveredBy: null }, 'a minute is left out: it was quiet, or not')
  await filler.run()
  t.equal(asked.length, 1, 'it is not asked again')

  answer = () => [-120_000, -60_000].flatMap((ms) => [told('kalshi:A', ms), told('kalshi:B', ms)])
  const marketIds = ['kalshi:A', 'kalshi:B']
  add({ id: 'h', kind: 'restart', startedAtMs: minuteMs - 90_000, endedAtMs: minuteMs, marketIds })
  await filler.run()
  t.match(gap('h'), { recoveredBy: 'candles', endedAtMs: minuteMs, decidedAtMs: minuteMs + 30_000 })
  t.match(filler.status(), { candles: 5, closed: { candles: 1 }, successRate: 1 })
  add({
    id: 'i',
    kind: 'disconnected',
    startedAtMs: minuteMs - 90_000,
    endedAtMs: minuteMs,
    recoveredBy: 'snapshot'
  })
  await filler.run()
  t.match(gap('i'), { recoveredBy: 'snapshot' }, 'how its books came back stays')

  answer = () => {
    throw new Error('503')
  }
  add({ id: 'j', kind: 'disconnected', startedAtMs: minuteMs - 90_000, endedAtMs: minuteMs })
  await filler.run()
  t.match([gap('j')?.recoveredBy, filler.status().failures], [null, 1])
  answer = () => null
  await filler.run()
  t.equal(asked.length, 5, 'one that failed is asked again')
  const many = Array.from({ length: 1_001 }, (_, n) => `kalshi:${n}`)
  add({ id: 'k', kind: 'disconnected', startedAtMs: minuteMs - 90_000, endedAtMs: minuteMs, marketIds: many })
  add({ id: 'l', kind: 'disconnected', startedAtMs: minuteMs - 50_001 * 60_000, endedAtMs: minuteMs })
  add({ id: 'm', kind: 'drift', startedAtMs: minuteMs - 90_000, endedAtMs: minuteMs })
  await filler.run()
  t.equal(asked.length, 5, 'not for very much, nor where nothing passed unseen')
})

t.test('a venue of very many markets is not asked for each of them', async (t) => {
  const { clock, store, filler, add, gap } = fillerOf({
    store: newStore(200),
    fetchTrades: async () => {
      throw new Error('not to be asked')
    }
  })
  for (let n = 0; n < 150; n++) store.put(market(n), '')
  add({ kind: 'restart', marketIds: null, endedAtMs: T })
  clock.ms += 20_000
  await filler.run()
  t.equal(filler.status().failures, 0)
  t.match(gap(), { recoveredBy: null })
})

t.test('a gap of a whole venue is closed by the markets that were recorded then', async (t) => {
  const minuteMs = Math.floor(T / 60_000) * 60_000
  const recordedThen = async (history: MemoryHistoryStore, ids: readonly string[]) => {
    const session = { startedAtMs: T - 900_000, heartbeatAtMs: minuteMs - 60_000, endedAtMs: null }
    history.sessionRows.set('before', { sessionId: 'before', ...session })
    const span = { sessionId: 'before', fromMs: T - 900_000, toMs: null, reason: null }
    await history.writeCoverage(ids.map((marketId) => ({ marketId, ...span, kind: 'verified' as const })))
  }
  const restart = { kind: 'restart', marketIds: null, startedAtMs: minuteMs - 60_000 } as const
  const ended = { ...restart, detectedAtMs: minuteMs, endedAtMs: minuteMs }

  t.test('of which one is served no more, and one came meanwhile', async (t) => {
    const trades: string[] = []
    const candles: unknown[] = []
    const bar = { open: 1, high: 1, low: 1, close: 1 }
    let isDown = true
    const { history, clock, store, filler, add, gap } = fillerOf({
      fetchTrades: async (_venue, marketId) => {
        trades.push(marketId)
        if (isDown && marketId === 'kalshi:SETTLED') throw new Error('503')
        return []
      },
      fetchCandles: async (_venue, marketIds, fromMs) => {
        candles.push([...marketIds].sort())
        return [{ marketId: 'kalshi:A', fromMs, bid: bar, ask: bar, price: null, volume: 0 }]
      }
    })
    for (const [n, id] of ['kalshi:A', 'kalshi:NEW'].entries()) serve(store, market(n, { id }))
    await recordedThen(history, ['kalshi:A', 'kalshi:SETTLED', 'polymarket:P'])
    add(ended)
    clock.ms = minuteMs + 30_000
    await filler.run()
    const all = ['kalshi:A', 'kalshi:NEW', 'kalshi:SETTLED']
    t.strictSame(candles, [all])
    t.match(gap(), { recoveredBy: null }, 'of two markets nothing was told')
    isDown = false
    trades.length = 0
    await filler.run()
    t.strictSame(trades.sort(), all)
    t.match(gap(), { recoveredBy: 'trades' })
  })

  t.test('unless they are too many, which is asked once', async (t) => {
    let asked = 0
    const { history, clock, store, filler, add, gap } = fillerOf({
      store: newStore(200),
      fetchTrades: async () => {
        throw new Error('not to be asked')
      },
      fetchCandles: async () => {
        throw new Error('not to be asked')
      }
    })
    for (let n = 0; n < 60; n++) serve(store, market(n))
    await recordedThen(
      history,
      Array.from({ length: 950 }, (_, n) => `kalshi:SETTLED-${n}`)
    )
    const { coveredMarkets } = history
    history.coveredMarkets = (range) => {
      asked++
      return coveredMarkets.call(history, range)
    }
    add(ended)
    clock.ms = minuteMs + 30_000
    for (let runs = 0; runs < 3; runs++) await filler.run()
    t.equal(asked, 2, 'for trades and for candles')
    t.equal(filler.status().failures, 0)
    t.match(gap(), { recoveredBy: null })
  })
})

t.test('a filler that finds no database tries again the next time', async (t) => {
  const { history, filler, add, gap } = fillerOf()
  add({ detectedAtMs: T - 1_000 })
  history.snapshotRows.push(snapshot({ atMs: T - 500 }))
  history.away = true
  await Promise.all([filler.run(), filler.run()])
  t.equal(filler.status().failures, 1)
  history.away = false
  await filler.run()
  t.match(gap(), { recoveredBy: 'snapshot' })
})

t.test('the recorder writes a feed’s gap, its end, and lets the filler run', async (t) => {
  const { store, recorder, history, clock } = recorderOf({ gapFillIntervalMs: 5 })
  recorder.start()
  const { slot, id } = serve(store, market(1))
  store.books.raise(slot, 'sequence_gap')
  recorder.onGap(note({ slots: [slot], startedAtMs: clock.ms - 5, detectedAtMs: clock.ms }))
  await until(() => history.gapRows.size === 1)
  t.match(recorder.status(), { openGaps: 1 })
  t.match(await history.openGaps(), [{ marketIds: [id] }])
  clock.ms += 250
  store.books.resynced(slot)
  await until(() => [...history.gapRows.values()][0]?.endedAtMs === RECEIVED_AT_MS + 250)
  await recorder.fillGaps()
  await until(() => recorder.status().gapFiller.runs > 1)
  await recorder.stop()
  recorder.onGap(note())
  t.match(recorder.status(), { openGaps: 0 })
})

t.test('a gap that is open at a clean stop ends with the run', async (t) => {
  const { store, recorder, history, clock } = recorderOf()
  recorder.start()
  const { slot } = serve(store, market(1))
  store.books.raise(slot, 'disconnected')
  recorder.onGap(
    note({ kind: 'disconnected', slots: [slot], startedAtMs: clock.ms - 5, detectedAtMs: clock.ms })
  )
  clock.ms += 700
  await recorder.stop()
  const atStop = RECEIVED_AT_MS + 700
  t.match([...history.gapRows.values()], [{ endedAtMs: atStop, recoveredBy: 'none', decidedAtMs: atStop }])
  t.match(recorder.status(), { openGaps: 0 })
})
