import t from 'tap'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { follow, until } from './live-feed.ts'

t.test('a market that is muted among others is found by its silence within 30 s', async (t) => {
  const { simulator, markets, verdict, feed } = await follow(t, {}, 600_000)
  const [muted, ...others] = markets() as [SimMarket, ...SimMarket[]]
  await until(() => feed.status().counters.applied > 2_000)
  const sinceMs = performance.now()
  simulator.faults.set('kalshi', 'mute_market', { market: muted.id })
  await until(() => verdict(muted)?.state === 'suspect')
  const foundAfterMs = performance.now() - sinceMs
  t.ok(foundAfterMs < 30_000, `after ${Math.round(foundAfterMs)} ms`)
  t.ok(others.every((one) => verdict(one)?.state === 'live'))
  t.match(feed.status().liveness, { deadMarkets: 1, silences: 0 })
  simulator.faults.clear('mute_market')
  await until(() => verdict(muted)?.state === 'live')
  t.equal(feed.status().connections[0]?.reconnects, 0)
})
