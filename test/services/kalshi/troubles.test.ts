import t from 'tap'
import type { FaultName } from '../../../simulator/fault-catalogue.ts'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { follow, until } from './live-feed.ts'

type Followed = Awaited<ReturnType<typeof follow>>

/** Sets a fault that fires once, again where its change was lost on a book that was doubtful already. */
async function happens({ simulator, incidents }: Followed, name: FaultName, kind: string): Promise<void> {
  const before = incidents.counts().kalshi?.[kind] ?? 0
  await until(() => {
    if (simulator.faults.active('kalshi', name) === undefined) simulator.faults.set('kalshi', name)
    return (incidents.counts().kalshi?.[kind] ?? 0) > before
  })
  simulator.faults.clear(name)
}

async function allLive({ markets, verdict }: Followed): Promise<void> {
  await until(() => markets().every((one) => verdict(one)?.state === 'live'))
}

for (const [name, kind, names] of [
  ['drop_delta', 'sequence_gap', 'connection'],
  ['reorder_delta', 'sequence_gap', 'connection'],
  ['renamed_field', 'drift', 'market'],
  ['too_many_decimals', 'drift', 'market'],
  ['negative_level', 'negative_level', 'market'],
  ['crossed_book', 'crossed', 'market']
] as const)
  t.test(`${name} is an incident, which ends when the books are whole`, async (t) => {
    const followed = await follow(t, {}, 60_000)
    const { incidents, feed } = followed
    await happens(followed, name, kind)
    await allLive(followed)
    await until(() => incidents.latest(10).every(({ endedAtMs }) => endedAtMs !== null))
    const [incident] = incidents.latest(1)
    t.match(incident, { venue: 'kalshi', kind, connection: 'kalshi' })
    t.equal(incident?.marketId === null, names === 'connection')
    if (kind === 'drift') t.match(incident?.sample, /^\{"type":"orderbook_delta"/)
    t.equal(feed.status().connections[0]?.reconnects, 0)
  })

t.test('one reorder is one gap', async (t) => {
  const followed = await follow(t, {}, 60_000)
  const { simulator, incidents, feed } = followed
  simulator.faults.set('kalshi', 'reorder_delta', { count: 1 })
  await until(() => (feed.status().counters.ignored.get('late') ?? 0) > 0)
  await allLive(followed)
  t.same(incidents.counts(), { kalshi: { sequence_gap: 1 } })
})

t.test('a change under a name that nobody asked for makes all books anew, once a minute', async (t) => {
  let laterMs = 0
  const steadyNow = () => performance.now() + laterMs
  const followed = await follow(t, {}, 600_000, { steadyNow })
  const { incidents, simulator, markets, store } = followed
  const [market] = markets() as [SimMarket]
  const slot = store.get(`kalshi:${market.id}`)?.slot ?? -1
  const { onTouch } = store.books
  let gaps = 0
  store.books.onTouch = (touched) => {
    if (touched === slot && store.books.verdicts.has(slot, 'sequence_gap')) gaps++
    onTouch(touched)
  }
  await happens(followed, 'unknown_ids', 'stray_change')
  t.ok(gaps > 0, 'within that frame')
  await allLive(followed)
  const before = gaps
  await happens(followed, 'unknown_ids', 'stray_change')
  t.equal(gaps, before, 'not for each')
  laterMs = 60_000
  await until(() => gaps > before)
  await allLive(followed)
  t.equal(simulator.faults.active('kalshi', 'unknown_ids'), undefined)
  t.ok((incidents.counts().kalshi?.stray_change ?? 0) >= 2)
})

t.test('while cents are written where exact numbers were, no book is live; then all come back', async (t) => {
  const followed = await follow(t, {}, 60_000)
  const { simulator, incidents, feed, markets, verdict } = followed
  await until(() => feed.status().counters.applied > 100)
  simulator.faults.set('kalshi', 'wire_form', { form: 'cents' })
  const refused = () => feed.status().counters.ignored.get('drift') ?? 0
  await until(() => refused() > 0)
  const states = () => new Set(markets().map((one) => verdict(one)?.state))
  t.same([...states()], ['suspect'], 'all within that frame')
  const before = refused()
  await until(() => refused() > before + 100)
  t.same([...states()], ['suspect'])
  simulator.faults.clear('wire_form')
  await allLive(followed)
  await until(() => incidents.latest(10).every(({ endedAtMs }) => endedAtMs !== null))
  t.equal(feed.status().connections[0]?.reconnects, 0)
})
