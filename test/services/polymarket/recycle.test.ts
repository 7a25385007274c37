import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Config } from '../../../schemas/config.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { PolymarketFeed } from '../../../services/polymarket/feed.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { type SimulatorOptions, startSimulator } from '../../../simulator/index.ts'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { testConfig } from '../../helper.ts'

/** Reads count as young after 2 s, and an audit of its own takes longer than a handover. */
const EARLY_READS = { AUDIT_PERIOD_MS: 4_000, SNAPSHOT_TIMEOUT_MS: 1_000 }

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

async function setUp(t: Test, options: SimulatorOptions = {}, config: Partial<Config> = {}) {
  const venue = await startSimulator({
    marketsPerVenue: 40,
    rate: 1_000,
    churnMs: 0,
    openDelayMs: 0,
    ...options
  })
  const store = new SnapshotStore({ capacityMarkets: 128, capacityLevels: 128 * 256 })
  const feed = new PolymarketFeed({
    sink: store,
    config: testConfig({
      POLYMARKET_HTTP_BASE: venue.polymarket.clobBase,
      POLYMARKET_GAMMA_BASE: venue.polymarket.gammaBase,
      POLYMARKET_WS_URL: venue.polymarket.wsUrl,
      POLYMARKET_ASSETS_PER_CONNECTION: 15,
      MAX_MARKETS_PER_VENUE: 60,
      SNAPSHOT_TIMEOUT_MS: 400,
      ...config
    }),
    log: { info: () => {}, warn: () => {} }
  })
  t.teardown(async () => {
    await feed.stop()
    await venue.stop()
  })
  feed.start()
  const active = () => venue.world.markets('polymarket').filter(({ status }) => status === 'active')
  const slotOf = (market: SimMarket) => store.get(`polymarket:${market.id}`)?.slot ?? -1
  const stateOf = (market: SimMarket) => store.books.verdicts.state(slotOf(market))
  const recycle = () => feed.recycle({ signal: new AbortController().signal, onProgress: () => {} })
  await until(() => feed.status().synced)
  await until(() => active().every((market) => stateOf(market) === 'live'))
  const seen: string[] = []
  const tell = store.books.onState
  store.books.onState = (slot) => {
    tell(slot)
    seen.push(
      `${store.at(slot)?.id} ${store.books.verdicts.get(slot).state} ${store.books.verdicts.get(slot).reason}`
    )
  }
  return { venue, store, feed, active, slotOf, stateOf, recycle, seen }
}
type Setup = Awaited<ReturnType<typeof setUp>>

/** True when a book is level by level what the venue's is. */
function isTrue({ store, slotOf }: Setup, market: SimMarket): boolean {
  const { arena } = store.books
  const slot = slotOf(market)
  const { bids, asks } = market.book
  const equal = (levels: Map<number, number>, outcome: typeof YES | typeof NO) =>
    arena.count(slot, outcome) === levels.size &&
    [...levels].every(
      ([price, size]) => arena.sizeOf(slot, outcome, outcome === YES ? price : 10_000 - price) === size
    )
  return equal(bids, YES) && equal(asks, NO)
}

async function becomesTrue(t: Test, setup: Setup): Promise<void> {
  setup.venue.world.setRate(0)
  const { active, stateOf } = setup
  await until(() => active().every((market) => stateOf(market) === 'live' && isTrue(setup, market)))
  t.ok(active().length > 0)
}

t.test('under traffic every connection is renewed and no book ever leaves live', async (t) => {
  const setup = await setUp(t)
  const { feed, seen, recycle } = setup
  const before = feed.status().connections
  t.equal(before.length, 3)
  const report = await recycle()
  const after = feed.status().connections
  t.same(seen, [], 'no book changed its state')
  t.equal(report.discoveryError, null)
  for (const connection of report.connections) {
    t.match(connection, { outcome: 'swapped', reason: null, mended: 0 })
    t.same(connection.differed, [])
  }
  t.same(
    report.connections.map(({ name, markets }) => [name, markets]),
    before.map(({ name, markets }) => [name, markets])
  )
  for (const [i, { connectedAtMs, state, name }] of after.entries()) {
    t.ok((connectedAtMs ?? 0) > (before[i]?.connectedAtMs ?? 0), `${name} is another connection`)
    t.equal(state, 'open')
  }
  const { applied } = feed.status().counters
  await until(() => feed.status().counters.applied > applied + 500)
  await becomesTrue(t, setup)
  t.same(seen, [])
})

t.test('a book that had lost a change is found, told of and mended', async (t) => {
  // Else the proofs find it first.
  const setup = await setUp(t, { rate: 0 }, { HASH_BUDGET_PERCENT: 0, ...EARLY_READS })
  const { store, active, slotOf, stateOf, recycle } = setup
  const [wrong] = active() as [SimMarket]
  store.books.arena.setLevel(slotOf(wrong), YES, 1, 7_000_000)
  const { connections } = await recycle()
  t.same(
    connections.flatMap(({ differed }) => differed),
    [
      {
        marketId: `polymarket:${wrong.id}`,
        difference: { levels: 1, first: { side: 'bid', priceE4: 1, sizeE6: 7_000_000, otherSizeE6: 0 } }
      }
    ]
  )
  t.ok(isTrue(setup, wrong))
  t.equal(stateOf(wrong), 'live')
})

t.test(
  'where REST agrees with neither, or cannot be asked, the old connection and its books stay',
  async (t) => {
    for (const isAsked of [true, false]) {
      const setup = await setUp(t, { rate: 0 }, { HASH_BUDGET_PERCENT: 0, ...EARLY_READS })
      const { venue, store, feed, active, slotOf, recycle, seen } = setup
      const [other] = active() as [SimMarket]
      const slot = slotOf(other)
      store.books.arena.setLevel(slot, YES, 1, 7_000_000)
      // A book that goes on without a word: the new connection's snapshot and each read differ.
      let sizeE6 = 1_000_000
      const changing = setInterval(() => other.book.bids.set(2, sizeE6++), 1)
      t.teardown(() => clearInterval(changing))
      if (!isAsked) venue.faults.set('polymarket', 'rest_status', { count: 1_000 })
      const before = feed.status().connections.map(({ connectedAtMs }) => connectedAtMs)
      const version = store.books.versions[slot]
      const { connections } = await recycle()
      const kept = connections.filter(({ outcome }) => outcome === 'kept')
      t.match(kept, [
        {
          reason: /^1 of \d+ books differ with nothing to explain it$/,
          differed: [{ marketId: `polymarket:${other.id}` }]
        }
      ])
      t.equal(kept.length, 1)
      const after = feed.status().connections.map(({ connectedAtMs }) => connectedAtMs)
      t.equal(after.filter((atMs, i) => atMs === before[i]).length, 1, 'it is the same connection')
      t.equal(store.books.versions[slot], version, 'its book is untouched')
      t.equal(store.books.arena.sizeOf(slot, YES, 1), 7_000_000)
      t.same(seen, [], 'no book ever left live')
    }
  }
)

t.test('a connection that does not fill is dropped and the old one stays', async (t) => {
  const setup = await setUp(t)
  const { venue, feed, seen, recycle } = setup
  const before = feed.status().connections.map(({ connectedAtMs }) => connectedAtMs)
  venue.faults.set('polymarket', 'no_snapshot', {})
  const { connections } = await recycle()
  t.equal(connections.length, 3)
  for (const one of connections) t.match(one, { outcome: 'kept', reason: /books did not fill/, fillMs: null })
  t.same(
    feed.status().connections.map(({ connectedAtMs }) => connectedAtMs),
    before
  )
  venue.faults.clear('no_snapshot', 'polymarket')
  t.same(seen, [])
  await becomesTrue(t, setup)
})

t.test('markets that came with the fresh discovery are followed on the new connections', async (t) => {
  const setup = await setUp(t, { rate: 200, churnMs: 300 })
  const report = await setup.recycle()
  t.equal(report.discoveryError, null)
  t.ok(report.after.size > 0)
  const again = await setup.recycle()
  for (const { outcome, reason } of again.connections) t.equal(outcome, 'swapped', String(reason))
})
