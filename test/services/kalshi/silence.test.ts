import t from 'tap'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { follow, until } from './live-feed.ts'

t.test('every live book is proved again and again, and none is called wrong', async (t) => {
  const { markets, verdict, audit, feed, incidents } = await follow(t)
  await until(() => markets().every((one) => verdict(one)?.verifiedAtMs != null))
  await until(() => (audit()?.equal ?? 0) > 24)
  t.match(audit(), { mismatch: 0, confirmed: 0, failedReads: 0 })
  t.ok((audit()?.ageMs?.max ?? Infinity) < 4_000, `oldest ${audit()?.ageMs?.max}`)
  t.equal(incidents.total, 0)
  t.equal(feed.status().connections[0]?.reconnects, 0)
})

t.test('answers that lag or are cached are explained by what the book was', async (t) => {
  const { simulator, audit, incidents } = await follow(t)
  simulator.faults.set('kalshi', 'rest_stale', { ms: 900 })
  simulator.faults.set('kalshi', 'rest_lag', { ms: 700 })
  await until(() => (audit()?.explained.cached ?? 0) > 10)
  t.match(audit(), { confirmed: 0 })
  t.equal(incidents.total, 0)
})

t.test('a muted market is found by the audit, and mended when it speaks again', async (t) => {
  const { simulator, markets, verdict, audit, incidents, feed } = await follow(t)
  const [muted, ...others] = markets() as [SimMarket, ...SimMarket[]]
  simulator.faults.set('kalshi', 'mute_market', { market: muted.id })
  const wrongly: string[] = []
  await until(() => {
    for (const one of others) if (verdict(one)?.state !== 'live') wrongly.push(one.id)
    return verdict(muted)?.reason === 'audit_mismatch'
  })
  t.match(verdict(muted), { state: 'suspect', mismatches: 1 })
  t.same(wrongly, [], 'its neighbours stay live')
  t.match(audit(), { confirmed: 1 })
  t.match(incidents.latest(1), [{ kind: 'audit_mismatch', marketId: `kalshi:${muted.id}` }])
  simulator.faults.clear('mute_market')
  await until(() => verdict(muted)?.state === 'live')
  t.equal(feed.status().connections[0]?.reconnects, 0, 'a snapshot was enough')
})

t.test('a silent connection is stale within 15 s, and is given up when its books are wrong', async (t) => {
  const { simulator, markets, verdict, incidents, feed } = await follow(t, {}, 60_000)
  await until(() => feed.status().counters.applied > 1_000)
  const sinceMs = performance.now()
  simulator.faults.set('kalshi', 'mute_connection', { connection: 1 })
  await until(() => markets().every((one) => verdict(one)?.reason === 'silent'))
  t.ok(performance.now() - sinceMs < 15_000, `after ${performance.now() - sinceMs} ms`)
  await until(() => feed.status().connections[0]?.reconnects === 1)
  t.match(feed.status().liveness, { deadConnections: 1 })
  await until(() => markets().every((one) => verdict(one)?.state === 'live'))
  t.ok(incidents.counts().kalshi?.silent_connection)
})

t.test('a connection that is only quiet is proved, and kept', async (t) => {
  const { simulator, feed, markets, verdict } = await follow(t, {}, 60_000)
  await until(() => feed.status().counters.applied > 1_500)
  simulator.world.setRate(0)
  await until(() => (feed.status().liveness?.quietConnections ?? 0) > 0)
  t.ok(markets().every((one) => verdict(one)?.state === 'live'))
  await until(() => (feed.status().liveness?.quietMarkets ?? 0) > 0)
  t.match(feed.status(), { connections: [{ reconnects: 0 }], audit: { confirmed: 0 } })
})
