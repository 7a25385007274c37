import t from 'tap'
import { isOnlyDoubt, judge, signsOf, type Trial } from '../../faults/judge.ts'
import { type BookSample, flatten, type Sample } from '../../faults/sample.ts'
import { withoutSilence } from '../../faults/solo/clocks.ts'

const A = 'kalshi:A'
const B = 'kalshi:B'
const LIVE: BookSample = { state: 'live', reason: null, right: true, mismatches: 0, status: 'active' }
const WRONG: BookSample = { ...LIVE, right: false }
const DOUBTED: BookSample = { ...LIVE, state: 'suspect', reason: 'drift' }

const look = (
  atMs: number,
  books: Record<string, BookSample> = {},
  counters: Record<string, number> = {}
): Sample => ({
  atMs,
  books: new Map(Object.entries({ [A]: LIVE, [B]: LIVE, ...books })),
  counters: new Map([['kalshi', new Map(Object.entries(counters))]])
})

const trial = (samples: Sample[], more: Partial<Trial> = {}): Trial => ({
  venue: 'kalshi',
  concerned: new Set([A]),
  alarms: ['reason:drift'],
  isHarmless: false,
  mayReconnect: false,
  limitMs: 500,
  detectMs: 500,
  before: look(0),
  firedAtMs: 100,
  samples,
  messagesLost: null,
  ...more
})

t.test('a fault that is found and healed in time passes', async (t) => {
  t.match(judge(trial([look(250, { [A]: DOUBTED }), look(500, { [A]: DOUBTED }), look(750)])), {
    detected: { by: 'reason:drift', afterMs: 150 },
    wrongLive: { books: 0, marketMs: 0, longestMs: 0 },
    recoveredMs: 650,
    falseAlarms: { books: 0, reconnects: 0 },
    failures: []
  })
})

t.test('a fault that nobody notices is missed', async (t) => {
  t.strictSame(judge(trial([look(250), look(500)])).failures, ['missed'])
})

t.test('a fault that is noticed too late', async (t) => {
  t.match(judge(trial([look(250), look(900, { [A]: DOUBTED }), look(1_000)])).failures, [
    /detected after 800 ms/
  ])
})

t.test('a fault that did nothing proves nothing', async (t) => {
  t.match(judge(trial([look(250, { [A]: DOUBTED }), look(500)], { firedAtMs: null })).failures, [
    /never fired/
  ])
})

t.test('a wrong book that is live is counted from the first look to the last', async (t) => {
  const samples = [250, 500, 750, 1_000].map((atMs) => look(atMs, { [A]: WRONG }))
  const { wrongLive, failures } = judge(trial([...samples, look(1_250, { [A]: DOUBTED }), look(1_500)]))
  t.strictSame(wrongLive, { books: 1, marketMs: 750, longestMs: 750 })
  t.ok(failures.includes('kalshi:A was wrong and live for 750 ms, the limit is 500 ms'))
})

t.test('one look at a wrong book may have met messages in flight', async (t) => {
  const { wrongLive } = judge(
    trial([look(250, { [A]: WRONG }), look(500), look(750, { [A]: WRONG }), look(1_000)])
  )
  t.strictSame(wrongLive, { books: 0, marketMs: 0, longestMs: 0 })
})

t.test('a wrong book that is not called live costs nobody money', async (t) => {
  const wrong = { ...DOUBTED, right: false }
  t.equal(
    judge(trial([look(250, { [A]: wrong }), look(900, { [A]: wrong }), look(1_000)])).wrongLive.books,
    0
  )
})

t.test('a book that stays doubted is lost for good', async (t) => {
  const { recoveredMs, failures } = judge(trial([look(250, { [A]: DOUBTED }), look(9_000, { [A]: DOUBTED })]))
  t.equal(recoveredMs, null)
  t.match(failures, [/1 books did not come back, such as kalshi:A \(suspect, drift\)/])
})

t.test('a right book that the fault does not concern must not be doubted', async (t) => {
  const { falseAlarms, failures } = judge(trial([look(250, { [A]: DOUBTED, [B]: DOUBTED }), look(500)]))
  t.equal(falseAlarms.books, 1)
  t.match(failures, [/1 right books were doubted: kalshi:B/])
})

t.test('a harmless fault may disturb no book at all', async (t) => {
  const samples = [look(250, { [A]: DOUBTED }), look(500)]
  t.match(judge(trial(samples, { alarms: [], isHarmless: true })).failures, [/doubted: kalshi:A/])
})

t.test('a wrong book that is doubted is no false alarm', async (t) => {
  const wrong = { ...DOUBTED, right: false }
  t.equal(judge(trial([look(250, { [A]: DOUBTED, [B]: wrong }), look(500)])).falseAlarms.books, 0)
})

t.test('a reconnect needs a cause', async (t) => {
  const samples = [look(250, { [A]: DOUBTED }), look(500, {}, { 'connections.reconnects': 2 })]
  t.match(judge(trial(samples)).failures, ['2 reconnects without a cause'])
  t.strictSame(judge(trial(samples, { mayReconnect: true })).failures, [])
})

t.test('the other venue is judged in its own lane', async (t) => {
  const samples = [250, 900, 1_500].map((atMs) =>
    look(atMs, { 'polymarket:X': WRONG, 'polymarket:Y': DOUBTED })
  )
  const { wrongLive, falseAlarms } = judge(trial(samples))
  t.equal(wrongLive.books + falseAlarms.books, 0)
})

t.test('what an earlier fault left broken is not told of again', async (t) => {
  const before = look(0, { [B]: WRONG })
  const samples = [look(250, { [A]: DOUBTED, [B]: WRONG }), look(900, { [B]: WRONG })]
  t.strictSame(judge(trial(samples, { before })).failures, [])
  t.match(judge(trial(samples, { before: look(0, { [A]: WRONG, [B]: WRONG }) })).failures[0], /most books/)
})

t.test('a market that does not trade must not be live', async (t) => {
  const closed: BookSample = {
    state: 'closed',
    reason: 'market_closed',
    right: true,
    mismatches: 0,
    status: 'closed'
  }
  t.strictSame(judge(trial([look(250, { [A]: closed })], { alarms: ['state:closed'] })).failures, [])
})

t.test('signs are what the look before did not show', async (t) => {
  const before = look(0, { [A]: DOUBTED }, { 'incidents.drift': 1, 'rest.failures': 3 })
  const after = look(
    1,
    { [A]: { ...DOUBTED, mismatches: 1 } },
    { 'incidents.drift': 2, 'rest.failures': 3, new: 1 }
  )
  t.strictSame(
    [...signsOf({ venue: 'kalshi', concerned: new Set([A]), before }, after)],
    ['mismatch', 'incident:drift', 'counter:new']
  )
  const gone = { ...look(2), books: new Map() }
  t.ok(signsOf({ venue: 'kalshi', concerned: new Set([A]), before }, gone).has('state:gone'))
})

t.test('numbers of the health are found by their path, arrays added up', async (t) => {
  const found = flatten({
    a: 1,
    connections: [{ reconnects: 2 }, { reconnects: 3, name: 'x' }],
    deep: { er: { n: 4 } }
  })
  t.strictSame(
    [...found],
    [
      ['a', 1],
      ['connections.reconnects', 5],
      ['deep.er.n', 4]
    ]
  )
})

t.test('of sudden quiet only the doubt of right books for their silence is forgiven', async (t) => {
  const silent: BookSample = { ...LIVE, state: 'stale', reason: 'silent' }
  const kept = [
    { ...silent, right: false },
    { ...silent, reason: 'disconnected' },
    { ...silent, state: 'suspect' }
  ]
  t.strictSame(withoutSilence(look(250, { [A]: silent })).books.get(A), LIVE)
  for (const book of kept) t.strictSame(withoutSilence(look(250, { [A]: book })).books.get(A), book)
})

t.test(
  'only doubts of right books are worth a second try, and nothing that anybody could have lost by',
  async (t) => {
    const doubt = look(250, { [A]: DOUBTED, [B]: DOUBTED })
    const wrong = [look(250, { [A]: WRONG }), look(1_000, { [A]: WRONG })]
    t.ok(isOnlyDoubt(judge(trial([doubt, look(500)]))))
    t.notOk(isOnlyDoubt(judge(trial([look(250, { [A]: DOUBTED }), look(500)]))), 'nothing failed')
    t.notOk(isOnlyDoubt(judge(trial([look(250, { [B]: DOUBTED }), look(500)]))), 'missed as well')
    t.notOk(isOnlyDoubt(judge(trial([doubt, ...wrong, look(1_250)]))), 'wrong while live as well')
    t.notOk(isOnlyDoubt(judge(trial([doubt]))), 'not recovered as well')
    const reconnected = look(500, {}, { 'connections.reconnects': 1 })
    t.notOk(isOnlyDoubt(judge(trial([doubt, reconnected]))), 'reconnected without a cause as well')
  }
)
