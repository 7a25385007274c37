import t from 'tap'
import type { AuditResult } from '../../../services/integrity/auditor.ts'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { Liveness } from '../../../services/integrity/liveness.ts'

/** One connection with `count` books, a fake clock, and audits that end as `answer` says when `reply` is called. */
function venue(count: number) {
  const table = new BookTable({ capacityMarkets: count, capacityLevels: 100 })
  const slots = Array.from({ length: count }, () => table.allocate())
  const clock = { ms: 0 }
  const connection = { key: 'c/1', messages: 0, isOpen: true, slots: () => slots }
  const incidents = new Incidents({ steadyNow: () => clock.ms })
  const asked: { slot: number; atMs: number; unchangedForMs: number; done: (result: AuditResult) => void }[] =
    []
  const recycled: string[] = []
  const liveness = new Liveness({
    venue: 'kalshi',
    table,
    connections: () => (connection.isOpen ? [connection] : []),
    audit: (slot, unchangedForMs, done) => asked.push({ slot, atMs: clock.ms, unchangedForMs, done }),
    recycle: (key) => recycled.push(key),
    incidents,
    steadyNow: () => clock.ms
  })
  for (const slot of slots) table.resynced(slot)
  const receive = (slot: number) => {
    connection.messages++
    table.received(slot, clock.ms + 1, Number.NaN, Number.NaN)
    table.touch(slot)
  }
  /** Lets time pass; `everyMs` says how often each slot's message comes, 0 for never. */
  const pass = (ms: number, everyMs: readonly number[]) => {
    for (const end = clock.ms + ms; clock.ms < end; ) {
      clock.ms += 500
      for (const [slot, every] of everyMs.entries())
        if (every > 0 && clock.ms % every === 0) receive(slots[slot] as number)
      if (clock.ms % 1_000 === 0) liveness.scan()
    }
  }
  const states = () => slots.map((slot) => table.verdicts.reason(slot))
  return { liveness, slots, clock, connection, incidents, asked, recycled, pass, receive, states, table }
}

t.test('a market that is muted among others is asked about in time, a slow one later', async (t) => {
  const { pass, asked, clock, slots, recycled, states } = venue(3)
  const [muted, slow] = slots as [number, number]
  pass(200_000, [500, 40_000, 500])
  t.equal(asked.length, 0, 'nobody is unusually silent')
  const mutedAtMs = clock.ms
  for (let ms = 0; ms < 80_000; ms += 1_000) {
    pass(1_000, [0, 40_000, 500])
    asked.at(-1)?.done('too_busy')
  }
  t.equal(asked[0]?.slot, muted)
  t.ok((asked[0]?.atMs ?? 0) - mutedAtMs <= 10_000, 'soon')
  t.ok((asked[0]?.unchangedForMs ?? 0) >= 8_000)
  t.same(
    asked.map(({ atMs }) => Math.round((atMs - mutedAtMs) / 1_000)),
    [9, 17, 35, 71],
    'then as soon as a read is younger than its silence, and then after twice the time'
  )
  t.ok(asked.every(({ slot }) => slot === muted))
  pass(320_000, [500, 0, 500])
  t.strictSame(
    asked.slice(4).map(({ slot }) => slot),
    [],
    'the slow one may be silent for eight of its gaps'
  )
  pass(10_000, [500, 0, 500])
  t.equal(asked[4]?.slot, slow)
  asked[4]?.done('equal')
  t.same(recycled, [])
  t.same(states(), [null, null, null], 'asking changes nothing')
})

t.test('a book that speaks every few seconds is asked about in time to be found in 30 s', async (t) => {
  for (const everyMs of [5_000, 6_000, 15_000, 17_500]) {
    const { pass, asked, clock } = venue(2)
    pass(120_000, [everyMs, 500])
    t.equal(asked.length, 0)
    const mutedAtMs = clock.ms
    pass(20_000, [0, 500])
    t.equal(asked.length, 1)
    t.ok((asked[0]?.atMs ?? 0) - mutedAtMs <= 19_000, `of every ${everyMs} ms`)
  }
})

t.test('a silent connection is stale in time, and live again when it was only quiet', async (t) => {
  const { pass, asked, states, recycled, incidents, liveness } = venue(12)
  const busy = Array.from({ length: 12 }, (_, slot) => (slot < 2 ? 500 : 2_000))
  const silence = busy.map(() => 0)
  pass(60_000, busy)
  pass(5_000, silence)
  t.ok(states().every((reason) => reason === null))
  pass(2_000, silence)
  t.ok(
    states().every((reason) => reason === 'silent'),
    'within 15 s'
  )
  t.equal(asked.length, 10, 'a sample is audited')
  t.ok(
    [0, 1].every((slot) => asked.some((one) => one.slot === slot)),
    'of the busiest'
  )
  for (const { done } of asked.splice(0)) done('equal')
  t.ok(
    states().every((reason) => reason === 'silent'),
    'that they are equal says nothing yet: the read may be 16 s old'
  )
  pass(10_000, silence)
  t.equal(asked.length, 10, 'it is asked again when it does')
  for (const { done } of asked.splice(0)) done('equal')
  t.ok(states().every((reason) => reason === null))
  t.match(incidents.latest(1), [{ kind: 'silent_connection', connection: 'c/1', endedAtMs: Number }])
  pass(10_000, silence)
  const soon = asked.splice(0)
  pass(10_000, silence)
  t.ok(asked.length >= 10)
  t.ok(
    states().every((reason) => reason === null),
    'nor flagged again in this silence'
  )
  for (const { done } of [...soon, ...asked.splice(0)]) done('equal')
  pass(600_000, silence)
  t.same(recycled, [], 'a quiet connection is never cut')
  t.ok(liveness.status().quietConnections >= 2)
})

t.test('a silent connection with a wrong book is cut, once', async (t) => {
  const { pass, asked, recycled, incidents, connection, liveness, states } = venue(3)
  pass(60_000, [500, 500, 500])
  pass(8_000, [0, 0, 0])
  const [first, second, third] = asked as [(typeof asked)[0], (typeof asked)[0], (typeof asked)[0]]
  first.done('equal')
  second.done('wrong')
  third.done('wrong')
  t.same(recycled, ['c/1'])
  t.match(incidents.latest(1), [{ endedAtMs: Number }])
  t.equal(liveness.status().deadConnections, 1)
  t.ok(states().includes('silent'), 'its books wait for the next connection')
  connection.isOpen = false
  pass(2_000, [0, 0, 0])
  connection.isOpen = true
  connection.key = 'c/2'
  pass(2_000, [500, 500, 500])
  t.same(states(), [null, null, null])
})

t.test('silence that nothing proves stays flagged, and ends with the first message', async (t) => {
  const { pass, asked, states, recycled } = venue(2)
  pass(60_000, [500, 500])
  pass(8_000, [0, 0])
  for (const { done } of asked.splice(0)) done('not_read')
  t.same(states(), ['silent', 'silent'])
  pass(10_000, [0, 0])
  t.ok(asked.length > 0, 'it is asked again')
  pass(1_000, [0, 500])
  t.same(states(), [null, null])
  for (const { done } of asked.splice(0)) done('wrong')
  t.same(recycled, [], 'a connection that speaks again is not cut for its silence')
})

t.test(
  'a connection that is silent from its opening on is stale in time, and live once it is found quiet',
  async (t) => {
    // Whatever came between its opening and the first look: snapshots, or nothing at all.
    for (const messages of [0, 40]) {
      const { pass, asked, states, recycled, connection, incidents } = venue(2)
      connection.messages = messages
      pass(12_000, [0, 0])
      t.same(states(), [null, null])
      pass(2_000, [0, 0])
      t.same(states(), ['silent', 'silent'], 'within 15 s of its opening')
      t.equal(asked.length, 2)
      for (const { done } of asked.splice(0)) done('equal')
      t.same(states(), ['silent', 'silent'], 'what was read may be from before the silence')
      pass(4_000, [0, 0])
      t.equal(asked.length, 2, 'it is asked again when that tells')
      for (const { done } of asked.splice(0)) done('equal')
      t.same(states(), [null, null])
      t.match(incidents.latest(1), [
        { detail: 'no data for 13000 ms, since it was opened', endedAtMs: Number }
      ])
      for (let minute = 0; minute < 60; minute++) {
        pass(60_000, [0, 0])
        if (states().some((reason) => reason !== null)) t.fail('it was flagged again in this silence')
        for (const { done } of asked.splice(0)) done('equal')
      }
      t.same(recycled, [], 'a quiet connection is never cut')
    }
  }
)

t.test('a connection that is silent from its opening on, with a wrong book, is cut', async (t) => {
  const { pass, asked, states, recycled } = venue(2)
  pass(14_000, [0, 0])
  asked[0]?.done('equal')
  asked[1]?.done('wrong')
  t.same(recycled, ['c/1'])
  t.same(states(), ['silent', 'silent'], 'its books wait for the next connection')
})

t.test('audits that are late do not put off the ones that tell', async (t) => {
  const { pass, asked, states } = venue(1)
  pass(20_000, [0])
  const [early] = asked.splice(0)
  t.same(states(), ['silent'])
  early?.done('equal')
  t.same(states(), ['silent'], 'it may have been read before the silence')
  pass(1_000, [0])
  asked[0]?.done('equal')
  t.same(states(), [null])
})

t.test('a book that REST gave to a connection which never spoke is stale at once', async (t) => {
  const { pass, asked, states, slots, table } = venue(2)
  const [first] = slots as [number, number]
  for (const slot of slots) table.raise(slot, 'awaiting_snapshot')
  pass(14_000, [0, 0])
  t.same(asked, [])
  table.resynced(first)
  pass(1_000, [0, 0])
  t.same(states(), ['silent', 'awaiting_snapshot'])
})

t.test('a connection that was opened again and falls silent at once is stale in time', async (t) => {
  for (const [before, after] of [
    ['polymarket-1/0/1', 'polymarket-1/0/2'],
    ['kalshi@1000', 'kalshi@2000']
  ] as const) {
    const { pass, states, connection } = venue(2)
    connection.key = before
    pass(60_000, [500, 500])
    connection.key = after
    pass(8_000, [0, 0])
    t.same(states(), ['silent', 'silent'], 'its usual gap is that of the connecting before')
  }
})
