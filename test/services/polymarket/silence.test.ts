import t from 'tap'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { setUp, until } from './live-feed.ts'

t.test('mends a market that its connection no longer tells of, by another connection', async (t) => {
  const { venue, fault, act, active, world, feed, seen, isHealed } = await setUp(
    t,
    {},
    { AUDIT_PERIOD_MS: 4_000, SNAPSHOT_TIMEOUT_MS: 500 }
  )
  const [market] = active() as [SimMarket]
  fault('mute_market', { market: market.id, connection: 1 })
  world.setRate(200)
  await until('it was found', () => seen.some(({ reason }) => reason === 'audit_mismatch'))
  await until('it is on another connection', () => feed.status().connections.length > 1)
  await act(market, 20)
  world.setRate(0)
  await until('it is true', () => isHealed(market))
  await act(market, 20)
  await until('it stays so', () => isHealed(market))
  t.same([...new Set(seen.map(({ market: id }) => id))], [market.id])
  t.ok(venue.faults.fired('polymarket', 'mute_market') > 0)
})

t.test('drops a connection that answers and tells nothing, once its books are found wrong', async (t) => {
  const { fault, active, world, feed, seen, incidents, isHealed } = await setUp(t, { seed: 3 })
  world.setRate(300)
  await until('a usual rate is known', () => feed.status().counters.applied > 900)
  const mutedAtMs = performance.now()
  fault('mute_connection', { connection: 1 })
  await until('its books are stale', () => seen.some(({ reason }) => reason === 'silent'))
  t.ok(performance.now() - mutedAtMs < 15_000, `found after ${Math.round(performance.now() - mutedAtMs)} ms`)
  await until('it was dropped', () => feed.status().connections.some(({ reconnects }) => reconnects === 1))
  t.ok(incidents.counts().polymarket?.connection_recycled)
  world.setRate(0)
  await until('every book is true', () => active().every(isHealed))
})

t.test('leaves a connection alone on which nothing happens', async (t) => {
  const { world, feed, active, isHealed, incidents } = await setUp(t, { seed: 4 })
  world.setRate(300)
  await until('a usual rate is known', () => feed.status().counters.applied > 900)
  world.setRate(0)
  await until('it was found quiet', () => (feed.status().liveness?.quietConnections ?? 0) > 0)
  t.ok(active().every(isHealed))
  t.equal(feed.status().connections[0]?.reconnects, 0)
  t.notOk(incidents.counts().polymarket?.audit_mismatch)
})
