import t from 'tap'
import { type Incident, Incidents } from '../../../services/integrity/incidents.ts'

const drift = { venue: 'kalshi', kind: 'drift', marketId: 'kalshi:A', detail: 'no price' }

t.test('an incident is listed with what it holds, and ends', async (t) => {
  const incidents = new Incidents({ now: () => 1_000 })
  const id = incidents.note({ ...drift, connection: 'kalshi', sample: 'x'.repeat(900) })
  t.match(incidents.latest(10), [{ id, atMs: 1_000, ...drift, connection: 'kalshi', endedAtMs: null }])
  t.equal(incidents.latest(1)[0]?.sample?.length, 500, 'a sample is cut')
  incidents.end(id, 2_000)
  incidents.end(id, 3_000)
  t.equal(incidents.latest(1)[0]?.endedAtMs, 2_000, 'it ends once')
})

t.test('the same thing at the same place is counted, and listed once a minute', async (t) => {
  let nowMs = 0
  const listed: Incident[] = []
  const incidents = new Incidents({ steadyNow: () => nowMs, onListed: (incident) => listed.push(incident) })
  const first = incidents.note(drift)
  incidents.end(first)
  nowMs = 59_999
  t.equal(incidents.note(drift), first, 'it is the one that is listed')
  t.equal(incidents.latest(10)[0]?.endedAtMs, null, 'which goes on')
  t.not(incidents.note({ ...drift, marketId: 'kalshi:B' }), first)
  nowMs = 60_000
  t.not(incidents.note(drift), first)
  t.same(incidents.counts(), { kalshi: { drift: 4 } })
  t.equal(incidents.total, 4)
  t.equal(listed.length, 3)
  t.same(
    incidents.latest(2).map(({ marketId }) => marketId),
    ['kalshi:A', 'kalshi:B'],
    'newest first'
  )
})

t.test('the list does not grow beyond its bound', async (t) => {
  let nowMs = 0
  const incidents = new Incidents({ capacity: 3, steadyNow: () => nowMs })
  for (let i = 0; i < 10; i++) incidents.note({ ...drift, marketId: `kalshi:${i}` })
  t.same(
    incidents.latest(100).map(({ marketId }) => marketId),
    ['kalshi:9', 'kalshi:8', 'kalshi:7']
  )
  incidents.end(1)
  t.equal(incidents.total, 10)
  incidents.note({ ...drift, marketId: 'kalshi:0' })
  t.equal(incidents.latest(1)[0]?.marketId, 'kalshi:9', 'one that left the list is still known')
  nowMs = 60_000
  incidents.note({ ...drift, marketId: 'kalshi:0' })
  t.equal(incidents.latest(1)[0]?.marketId, 'kalshi:0', 'and is listed again after its minute')
})

t.test(
  'in a storm over more places than are kept, each is listed once and the rest are counted',
  async (t) => {
    let nowMs = 0
    let listed = 0
    const incidents = new Incidents({ capacity: 10, steadyNow: () => nowMs, onListed: () => listed++ })
    const ids = new Set<number>()
    for (nowMs = 0; nowMs < 50_000; nowMs += 1_000)
      for (let i = 0; i < 50; i++) ids.add(incidents.note({ ...drift, marketId: `kalshi:${i}` }))
    t.equal(listed, 50)
    t.equal(ids.size, 50)
    t.same(incidents.counts(), { kalshi: { drift: 2_500 } })
  }
)

t.test('of one kind at one venue a bounded number is listed in a minute', async (t) => {
  let nowMs = 0
  let listed = 0
  const incidents = new Incidents({ steadyNow: () => nowMs, onListed: () => listed++ })
  let last = 0
  for (let i = 0; i < 6_000; i++) last = incidents.note({ ...drift, marketId: `kalshi:${i}` })
  t.equal(listed, 100)
  t.equal(last, incidents.latest(1)[0]?.id, 'what is only counted has the id of the last one')
  incidents.note({ ...drift, kind: 'crossed' })
  t.equal(listed, 101, 'other kinds are listed')
  nowMs = 60_000
  incidents.note({ ...drift, marketId: 'kalshi:5999' })
  t.equal(listed, 102, 'as is the next minute')
  t.equal(incidents.total, 6_002)
})
