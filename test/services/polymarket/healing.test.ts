import t from 'tap'
import type { FaultName } from '../../../simulator/faults.ts'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { setUp, until } from './live-feed.ts'

t.test('a long clean run raises no alarm, and every message is proved', async (t) => {
  const { feed, world, incidents, active, seen, isHealed } = await setUp(t, { marketsPerVenue: 300 })
  world.setRate(1_500)
  const proofs = () => feed.status().proofs as Record<string, number>
  await until('five thousand proofs', () => (proofs().hashesMatched as number) > 5_000)
  world.setRate(0)
  await until('every book is true', () => active().every(isHealed))
  const { counters } = feed.status()
  t.ok((counters.ignored.get('last_trade_price') as number) > 300, 'with trades')
  t.match(proofs(), { mismatches: 0, provable: active().length })
  // Those few that a busy machine leaves no time for.
  t.ok((proofs().skipped as number) < 250)
  t.ok((proofs().mirrorsMatched as number) > 300)
  t.same(seen, [])
  t.equal(incidents.total, 0)
  t.notOk(counters.seen.has('best_price_off'))
  const ignored = [...counters.ignored.values()].reduce((sum, count) => sum + count, 0)
  t.equal(counters.frames, counters.applied + ignored)
})

t.test('finds and mends what was lost or spoilt in one market, and touches no other', async (t) => {
  const cases: [FaultName, string[]][] = [
    ['drop_delta', ['hash_mismatch']],
    ['renamed_field', ['drift']],
    ['too_many_decimals', ['drift']],
    ['negative_level', ['drift']],
    ['crossed_book', ['crossed', 'hash_mismatch']],
    ['invalid_utf8', ['hash_mismatch']],
    ['unknown_ids', ['hash_mismatch']]
  ]
  const { venue, fault, act, active, seen, incidents, isHealed, verdictOf } = await setUp(t)
  const [market, other] = active().filter(({ book }) => book.bids.size > 5 && book.asks.size > 5) as [
    SimMarket,
    SimMarket
  ]
  for (const [name, reasons] of cases) {
    seen.length = 0
    const before = incidents.total
    const found = () => seen.some(({ reason }) => reason !== null && reasons.includes(reason))
    // A whole book that comes next, or the same level told again, heals before anything shows: then once more.
    for (let round = 0; round < 40 && !found(); round++) {
      fault(name, { market: market.id })
      await act(market, 3)
      await until(
        'it was met',
        () => venue.faults.active('polymarket', name, { market: market.id }) === undefined || round > 0
      )
      venue.faults.clear(name)
      const deadline = Date.now() + 450
      while (!found() && Date.now() < deadline) await act(other, 1, 5)
    }
    t.ok(found(), `${name} is found: ${JSON.stringify(seen)}`)
    t.ok(incidents.total > before, `${name} is an incident`)
    for (let i = 0; i < 300 && !isHealed(market); i++) await act(other, 1, 10)
    t.ok(isHealed(market), `${name} is mended: ${JSON.stringify(verdictOf(market))}`)
    t.same(
      seen.filter(({ market: id }) => id !== market.id),
      [],
      `${name} touched one market`
    )
  }
})

t.test(
  'is not disturbed by messages told twice, lagging or cached REST answers, or a new tick size',
  async (t) => {
    const { world, fault, act, active, seen, incidents, isHealed } = await setUp(
      t,
      {},
      { AUDIT_PERIOD_MS: 4_000 }
    )
    const market = active().find(({ tickE4, book }) => tickE4 === 100 && book.bids.size > 5) as SimMarket
    fault('duplicate_delta', { count: 20 })
    fault('rest_lag', { ms: 1_000 })
    await act(market, 30, 5)
    fault('rest_stale', { ms: 5_000 })
    await act(market, 200, 5)
    world.changeTick(market, 10)
    await act(market, 300, 10)
    await until('it is true', () => active().every(isHealed))
    t.same(seen, [])
    t.equal(incidents.total, 0)
  }
)
