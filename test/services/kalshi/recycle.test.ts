import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Config } from '../../../schemas/config.ts'
import { loadSigner } from '../../../services/kalshi/auth.ts'
import { KalshiFeed } from '../../../services/kalshi/feed.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../simulator/index.ts'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { testConfig } from '../../helper.ts'

/** Reads count as young after 2 s, and an audit of its own takes longer than a handover. */
const EARLY_READS = { AUDIT_PERIOD_MS: 4_000, SNAPSHOT_TIMEOUT_MS: 1_000 }

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

async function setUp(t: Test, options: SimulatorOptions = {}, config: Partial<Config> = {}, hasKey = true) {
  const venue = await startSimulator({
    marketsPerVenue: 40,
    rate: 1_000,
    churnMs: 0,
    openDelayMs: 0,
    ...options
  })
  const store = new SnapshotStore({ capacityMarkets: 128, capacityLevels: 128 * 256 })
  const feed = new KalshiFeed({
    sink: store,
    config: testConfig({
      KALSHI_HTTP_BASE: venue.kalshi.httpBase,
      KALSHI_WS_URL: venue.kalshi.wsUrl,
      MAX_MARKETS_PER_VENUE: 60,
      SNAPSHOT_TIMEOUT_MS: 400,
      KALSHI_POLL_INTERVAL_MS: 250,
      ...config
    }),
    signer: hasKey ? loadSigner(venue.kalshi.keyId, venue.kalshi.privateKeyPem) : null,
    log: { info: () => {}, warn: () => {} }
  })
  t.teardown(async () => {
    await feed.stop()
    await venue.stop()
  })
  feed.start()
  await until(() => feed.status().synced)
  const active = () => venue.world.markets('kalshi').filter(({ status }) => status === 'active')
  const slotOf = (market: SimMarket) => store.get(`kalshi:${market.id}`)?.slot ?? -1
  const stateOf = (market: SimMarket) => store.books.verdicts.state(slotOf(market))
  const recycle = () => feed.recycle({ signal: new AbortController().signal, onProgress: () => {} })
  return { venue, store, feed, active, slotOf, stateOf, recycle }
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

/** Every state that any book but a live one was seen in, by the store's own word on each change of state. */
function watch({ store }: Setup): string[] {
  const seen: string[] = []
  const tell = store.books.onState
  store.books.onState = (slot) => {
    tell(slot)
    seen.push(`${store.at(slot)?.id} ${store.books.verdicts.state(slot)}`)
  }
  return seen
}

async function becomesTrue(t: Test, setup: Setup): Promise<void> {
  setup.venue.world.setRate(0)
  const { active, stateOf } = setup
  await until(() => active().every((market) => stateOf(market) === 'live' && isTrue(setup, market)))
  t.ok(active().length > 0)
}

const framesOf = ({ venue }: { venue: Simulator }) => venue.stats().kalshi.framesSent

t.test('under traffic the connection is renewed and no book ever leaves live', async (t) => {
  const setup = await setUp(t)
  const { feed, active, stateOf, recycle } = setup
  await until(() => active().every((market) => stateOf(market) === 'live'))
  const seen = watch(setup)
  const [before] = feed.status().connections
  const report = await recycle()
  const [after] = feed.status().connections
  t.same(seen, [], 'no book changed its state')
  const [connection] = report.connections
  t.match(connection, { outcome: 'swapped', reason: null, markets: 40, mended: 0 })
  t.same(connection?.differed, [])
  t.equal((connection?.equal ?? 0) + (connection?.explained ?? 0), 40, 'every book agreed')
  t.ok((after?.connectedAtMs ?? 0) > (before?.connectedAtMs ?? 0), 'it is another connection')
  t.equal(report.discoveryError, null)
  const applied = feed.status().counters.applied
  await until(() => feed.status().counters.applied > applied + 500)
  await becomesTrue(t, setup)
  t.same(seen, [])
  const frames = framesOf(setup)
  setup.venue.world.setRate(500)
  await until(() => framesOf(setup) > frames + 200)
  t.notOk(feed.status().counters.ignored.has('duplicate'), 'the old connection is closed')
})

t.test('a book that had lost a change is found, told of and mended', async (t) => {
  const setup = await setUp(t, { rate: 0 }, EARLY_READS)
  const { store, active, slotOf, stateOf, recycle } = setup
  await until(() => active().every((market) => stateOf(market) === 'live'))
  const [wrong] = active() as [SimMarket]
  store.books.arena.setLevel(slotOf(wrong), YES, 1, 7_000_000)
  const { connections } = await recycle()
  t.match(connections, [
    {
      outcome: 'swapped',
      differed: [
        {
          marketId: `kalshi:${wrong.id}`,
          difference: { levels: 1, first: { side: 'bid', priceE4: 1, sizeE6: 7_000_000, otherSizeE6: 0 } }
        }
      ]
    }
  ])
  t.ok(isTrue(setup, wrong))
  t.equal(stateOf(wrong), 'live')
})

t.test(
  'where REST agrees with neither, or cannot be asked, the old connection and its books stay',
  async (t) => {
    for (const isAsked of [true, false]) {
      const setup = await setUp(t, { rate: 0 }, EARLY_READS)
      const { venue, store, feed, active, slotOf, stateOf, recycle } = setup
      await until(() => active().every((market) => stateOf(market) === 'live'))
      const [other] = active() as [SimMarket]
      const slot = slotOf(other)
      store.books.arena.setLevel(slot, YES, 1, 7_000_000)
      // A book that goes on without a word: the new connection's snapshot and each read differ.
      let sizeE6 = 1_000_000
      const changing = setInterval(() => other.book.bids.set(2, sizeE6++), 1)
      t.teardown(() => clearInterval(changing))
      if (!isAsked) venue.faults.set('kalshi', 'rest_status', { count: 1_000 })
      const before = feed.status().connections.map(({ connectedAtMs }) => connectedAtMs)
      const version = store.books.versions[slot]
      const seen = watch(setup)
      const { connections } = await recycle()
      const kept = connections.filter(({ outcome }) => outcome === 'kept')
      t.match(kept, [
        {
          reason: /^1 of \d+ books differ with nothing to explain it$/,
          differed: [{ marketId: `kalshi:${other.id}` }]
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
  const { venue, feed, active, stateOf, recycle } = setup
  await until(() => active().every((market) => stateOf(market) === 'live'))
  const seen = watch(setup)
  const [before] = feed.status().connections
  venue.faults.set('kalshi', 'no_snapshot', {})
  const { connections } = await recycle()
  t.match(connections, [{ outcome: 'kept', reason: /of 40 books did not fill/, fillMs: null }])
  t.equal(feed.status().connections[0]?.connectedAtMs, before?.connectedAtMs)
  venue.faults.clear('no_snapshot', 'kalshi')
  t.same(seen, [])
  await becomesTrue(t, setup)
})

t.test('an ended run leaves all as it was', async (t) => {
  const setup = await setUp(t)
  const { feed } = setup
  const report = await feed.recycle({ signal: AbortSignal.abort(), onProgress: () => {} })
  t.match(report, {
    connections: [{ outcome: 'kept', reason: 'the run was ended' }],
    discoveryError: 'the run was ended'
  })
  await becomesTrue(t, setup)
})

t.test('polled books have no connection to renew; the markets are discovered anew', async (t) => {
  const { venue, recycle } = await setUp(t, {}, {}, false)
  const added = venue.world.markets('kalshi').length
  const report = await recycle()
  t.match(report, { connections: [], discoveryError: null })
  t.equal(report.before.size, added)
  t.equal(report.after.size, added)
})
