import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { Market } from '../../../schemas/market.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { PolymarketFeed, type PolymarketSettings } from '../../../services/polymarket/feed.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { FrameLog } from '../../../services/venue/frame-log.ts'
import type { FaultName, FaultParameters } from '../../../simulator/faults.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../simulator/index.ts'
import type { SimMarket } from '../../../simulator/model/types.ts'

const WAIT_MS = 20_000
const silent = { info: () => {}, warn: () => {} }

interface Setup {
  simulator?: SimulatorOptions
  config?: Partial<PolymarketSettings>
  /** The wall clock. */
  now?: () => number
  reads?: (market: Market) => boolean
  /** A market that the lists leave out from the start. */
  unlists?: (simulator: Simulator) => SimMarket
  /** Room for the levels of all books together. */
  levels?: number
  /** Before the feed starts. */
  prepare?: (simulator: Simulator) => void
}

/** A simulated venue and a feed that reads it over real sockets. */
async function setUp(
  t: Test,
  {
    simulator = {},
    config = {},
    levels = 200_000,
    now = Date.now,
    reads = () => true,
    unlists,
    prepare = () => {}
  }: Setup = {}
) {
  const venue = await startSimulator({
    marketsPerVenue: 30,
    rate: 400,
    churnMs: 0,
    openDelayMs: 0,
    ...simulator
  })
  prepare(venue)
  let isGammaBroken: (url: string) => boolean = () => false
  const breakGamma = (isBroken: typeof isGammaBroken) => {
    isGammaBroken = isBroken
  }
  /** Left out of the lists, not of what is looked up by name. */
  let unlisted = unlists?.(venue) ?? null
  const unlist = (market: SimMarket | null) => {
    unlisted = market
  }
  const listed = (text: string) => {
    if (unlisted === null) return text
    const { id } = unlisted
    const page = JSON.parse(text) as { events: { markets: { conditionId: string }[] }[] }
    for (const event of page.events)
      event.markets = event.markets.filter(({ conditionId }) => conditionId !== id)
    return JSON.stringify(page)
  }
  const gamma = createServer(async (request, response) => {
    const url = request.url ?? ''
    const answer = await fetch(venue.polymarket.gammaBase + url)
    response.writeHead(isGammaBroken(url) ? 400 : answer.status, { 'content-type': 'application/json' })
    const text = await answer.text()
    response.end(url.startsWith('/events') ? listed(text) : text)
  }).listen(0, '127.0.0.1')
  await once(gamma, 'listening')
  const store = new SnapshotStore({ capacityMarkets: 200, capacityLevels: levels })
  const served: string[] = []
  const publish = store.books.onTouch
  store.books.onTouch = (slot) => {
    publish(slot)
    if (store.books.verdicts.state(slot) === 'live' && store.books.arena.crossed(slot)) served.push('crossed')
  }
  const feed = new PolymarketFeed({
    sink: store,
    log: silent,
    now,
    reads,
    random: () => 0.2,
    config: {
      POLYMARKET_HTTP_BASE: venue.polymarket.clobBase,
      POLYMARKET_GAMMA_BASE: `http://127.0.0.1:${(gamma.address() as AddressInfo).port}`,
      POLYMARKET_WS_URL: venue.polymarket.wsUrl,
      POLYMARKET_POLL_INTERVAL_MS: 3_600_000,
      POLYMARKET_TAGS: '',
      POLYMARKET_CONDITION_IDS: '',
      POLYMARKET_ASSETS_PER_CONNECTION: 250,
      MAX_MARKETS_PER_VENUE: 100,
      REDISCOVERY_INTERVAL_MS: 3_600_000,
      ENDED_MARKET_RETENTION_MS: 3_600_000,
      SNAPSHOT_TIMEOUT_MS: 300,
      SILENT_AFTER_MS: 30_000,
      DIALS_PER_SECOND: 1_000,
      BREAKER_FAILURES: 5,
      BREAKER_OPEN_MS: 1_000,
      HASH_BUDGET_PERCENT: 10,
      AUDIT_PERIOD_MS: 60_000,
      ...config
    }
  })
  feed.start()
  t.teardown(async () => {
    await feed.stop()
    gamma.close()
    await venue.stop()
  })
  const { world } = venue
  const fault = (name: FaultName, parameters?: FaultParameters) =>
    venue.faults.set('polymarket', name, parameters)
  const idOf = (market: SimMarket) => `polymarket:${market.id}`
  const verdictOf = (market: SimMarket) => {
    const record = store.get(idOf(market))
    return record === undefined ? undefined : store.books.verdicts.get(record.slot)
  }
  const isLive = (market: SimMarket) => verdictOf(market)?.state === 'live'
  const active = () => world.markets('polymarket').filter(({ status }) => status === 'active')
  const allLive = () => until('every book is live', () => active().length > 0 && active().every(isLive))
  const isTrue = (market: SimMarket) => equalsTruth(store, market)
  /** Stops the world and waits until every book is what it really is. */
  const allTrue = async () => {
    world.stop()
    await until('every book is true', () => active().every((market) => isLive(market) && isTrue(market)))
    t.ok(active().length > 0)
    t.same(served, [], 'no crossed book was served as live')
  }
  const counted = (reason: string) => feed.status().counters.ignored.get(reason) ?? 0
  return {
    venue,
    world,
    store,
    feed,
    fault,
    breakGamma,
    unlist,
    idOf,
    verdictOf,
    isLive,
    isTrue,
    active,
    allLive,
    allTrue,
    counted
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function equalsTruth(store: SnapshotStore, market: SimMarket): boolean {
  const { arena } = store.books
  const record = store.get(`polymarket:${market.id}`)
  if (record === undefined) return false
  const { bids, asks } = market.book
  if (arena.count(record.slot, YES) !== bids.size || arena.count(record.slot, NO) !== asks.size) return false
  for (const [price, size] of bids) if (arena.sizeOf(record.slot, YES, price) !== size) return false
  for (const [price, size] of asks) if (arena.sizeOf(record.slot, NO, 10_000 - price) !== size) return false
  return true
}

t.test('keeps every book true, over as many connections as the assets need', async (t) => {
  const { venue, feed, store, allLive, allTrue, counted } = await setUp(t, {
    simulator: { rate: 1_500 },
    config: { POLYMARKET_ASSETS_PER_CONNECTION: 13 }
  })
  await allLive()
  await until(
    'trades and a thousand changes',
    () => counted('last_trade_price') > 20 && feed.status().counters.applied > 1_000
  )
  await allTrue()
  const status = feed.status()
  t.match(status, { venue: 'polymarket', source: 'websocket', synced: true, note: null })
  t.match(status.discovery, { selected: 30, lastError: null, lastAtMs: Number })
  t.same(
    status.connections.map(({ name, state, markets }) => [name, state, markets]),
    [
      ['polymarket-1', 'open', 13],
      ['polymarket-2', 'open', 13],
      ['polymarket-3', 'open', 4]
    ]
  )
  t.ok(status.rest.requests > 0)
  const announced = venue.stats().polymarket.connections.filter(({ customFeatures }) => customFeatures)
  t.equal(announced.length, 1, 'the announcements come once')
  for (const { slot } of store.records())
    t.match(store.books.verdicts.get(slot), { source: 'websocket', sequence: null, venueTimeMs: Number })
})

t.test('subscribes a hundred ids a frame', async (t) => {
  const { venue, feed, allTrue, allLive } = await setUp(t, {
    simulator: { marketsPerVenue: 130 },
    config: { MAX_MARKETS_PER_VENUE: 200 }
  })
  await allLive()
  t.ok(venue.stats().polymarket.framesReceived >= 2)
  t.equal(feed.status().connections.length, 1)
  await allTrue()
})

t.test('marks the books of a lost connection, and makes them true again after it', async (t) => {
  const { venue, feed, fault, active, verdictOf, allLive, allTrue } = await setUp(t)
  await allLive()
  fault('refuse_upgrade')
  fault('cut_socket')
  await until('every book is stale', () =>
    active().every(
      (market) => verdictOf(market)?.state === 'stale' && verdictOf(market)?.reason === 'disconnected'
    )
  )
  t.match(feed.status().connections[0], { state: 'waiting', lastError: String })
  await until('it is tried again', () => venue.faults.fired('polymarket', 'refuse_upgrade') > 0)
  venue.faults.clear('refuse_upgrade')
  await allLive()
  t.equal(feed.status().connections[0]?.reconnects, 1)
  await allTrue()
})

t.test('reads books over REST where the stream sends no snapshot', async (t) => {
  const { feed, allLive, allTrue } = await setUp(t, {
    prepare: ({ faults }) => faults.set('polymarket', 'no_dump_above', { assets: 1 })
  })
  await allLive()
  t.ok(feed.status().synced)
  await allTrue()
})

t.test('waits no longer when the wall clock is put back', async (t) => {
  let aheadMs = 3_600_000
  const { feed, allLive, allTrue } = await setUp(t, {
    now: () => Date.now() + aheadMs,
    prepare: ({ faults }) => faults.set('polymarket', 'no_snapshot')
  })
  await until('they are subscribed', () => feed.status().connections.some(({ state }) => state === 'open'))
  aheadMs = 0
  await allLive()
  await allTrue()
})

t.test('asks the stream again and says so where neither has a book', async (t) => {
  const { venue, feed, active, verdictOf, allLive, allTrue } = await setUp(t, {
    config: { SNAPSHOT_TIMEOUT_MS: 100 },
    prepare: ({ faults }) => {
      faults.set('polymarket', 'no_snapshot')
      faults.set('polymarket', 'rest_lag', { ms: 3_600_000 })
    }
  })
  await until('it was reported', () => (feed.status().counters.seen.get('no_snapshot') ?? 0) > 0)
  t.ok(active().some((market) => verdictOf(market)?.reason === 'awaiting_snapshot'))
  t.ok(feed.status().synced, 'every book has had its time')
  venue.faults.clearAll()
  await allLive()
  await allTrue()
})

t.test('heals one book and leaves its neighbours alone', async (t) => {
  const faults: [FaultName, string][] = [
    ['too_many_decimals', 'drift'],
    ['renamed_field', 'drift'],
    ['negative_level', 'drift'],
    ['crossed_book', 'crossed']
  ]
  const { venue, store, fault, active, isLive, isTrue, allLive, allTrue, idOf } = await setUp(t)
  await allLive()
  for (const [name, reason] of faults) {
    const market = active().find((one) => one.book.bids.size > 0 && one.book.asks.size > 0) as SimMarket
    const slot = store.get(idOf(market))?.slot
    const reasons = new Set<string | null>()
    const others = new Set<number>()
    store.books.onState = (changed) => {
      if (changed === slot) reasons.add(store.books.verdicts.reason(changed))
      else others.add(changed)
    }
    await until(`${name} was seen`, () => {
      // A whole book that happens to come next heals before anything shows: then once more.
      if (venue.faults.active('polymarket', name, { market: market.id }) === undefined)
        fault(name, { market: market.id })
      return reasons.has(reason)
    })
    venue.faults.clear(name)
    await until(`${name} was healed`, () => isLive(market))
    t.ok(venue.faults.fired('polymarket', name) > 0)
    t.equal(others.size, 0, `${name} touched one market`)
  }
  await until('the last one is true', () => active().every((market) => isLive(market)))
  await allTrue()
  t.ok(active().every(isTrue))
})

t.test('does not let a REST answer that lags replace what the stream told', async (t) => {
  const { venue, store, fault, active, isLive, allLive, allTrue, idOf } = await setUp(t)
  await allLive()
  fault('rest_lag', { ms: 1_000 })
  const [market] = active() as [SimMarket]
  let wasSuspect = false
  store.books.onState = (slot) => {
    if (slot === store.get(idOf(market))?.slot && store.books.verdicts.has(slot, 'drift')) wasSuspect = true
  }
  fault('too_many_decimals', { market: market.id })
  // The stream's own book may heal it at once.
  await until('the book was suspect', () => wasSuspect)
  await until('the book is live again', () => isLive(market))
  venue.faults.clear('rest_lag')
  await allTrue()
})

t.test('takes changes that come before their snapshot for what they are', async (t) => {
  const { allLive, allTrue } = await setUp(t, {
    prepare: ({ faults }) => faults.set('polymarket', 'delta_before_snapshot', { count: 30, ms: 100 })
  })
  await allLive()
  await allTrue()
})

t.test('counts what it does not understand and goes on', async (t) => {
  const { fault, counted, active, isLive, allLive } = await setUp(t)
  await allLive()
  fault('unknown_type')
  fault('nonjson_text')
  fault('unknown_ids')
  await until('all three were seen', () =>
    ['unknown_event_type', 'text', 'unknown_market'].every((reason) => counted(reason) > 0)
  )
  t.ok(active().every(isLive))
})

t.test('follows the tick size', async (t) => {
  const { world, store, idOf, active, allLive, allTrue } = await setUp(t)
  await allLive()
  const market = active().find(({ tickE4 }) => tickE4 === 100) as SimMarket
  world.changeTick(market, 10)
  await until('the grid is finer', () => store.get(idOf(market))?.market.priceBands[0]?.step === '0.001')
  await allTrue()
})

t.test('reads a quiet book anew when its tick size changes, and it stays live', async (t) => {
  const { world, active, isLive, verdictOf, allLive, allTrue } = await setUp(t, { simulator: { rate: 0 } })
  await allLive()
  const market = active().find(({ tickE4 }) => tickE4 === 100) as SimMarket
  const beforeMs = verdictOf(market)?.receivedAtMs as number
  await until('time has passed', () => Date.now() > beforeMs)
  world.changeTick(market, 10)
  await until('the book was read again', () => (verdictOf(market)?.receivedAtMs as number) > beforeMs)
  t.ok(isLive(market))
  await allTrue()
})

t.test('adds a market that is announced, once it was looked up', async (t) => {
  const { world, store, feed, idOf, isLive, allLive, allTrue } = await setUp(t)
  await allLive()
  const market = world.list('polymarket')
  await until('the new market is live', () => market.status === 'active' && isLive(market))
  t.match(store.get(idOf(market))?.market, { symbol: market.slug, title: market.title })
  t.equal(feed.status().connections.length, 1, 'on the connection that had room')
  await allTrue()
})

t.test('a market that is looked up before it opens is looked up again until it has', async (t) => {
  const { world, store, isLive, allLive } = await setUp(t, {
    simulator: { openDelayMs: 5_000 },
    config: { MAX_MARKETS_PER_VENUE: 500 }
  })
  await allLive()
  // Those with a short condition id name their tokens before they open, so that they are followed from then on.
  let market = world.list('polymarket')
  while (market.id.length > 64) market = world.list('polymarket')
  await until('it is live', () => market.status === 'active' && isLive(market))
  await until('its book is true', () => equalsTruth(store, market))
})

t.test('ends a market that is announced as resolved, and serves its last book', async (t) => {
  const { world, store, venue, active, idOf, allLive, allTrue } = await setUp(t)
  await allLive()
  const [market] = active() as [SimMarket]
  const before = venue.stats().polymarket.connections[0]?.assets as number
  world.close(market)
  world.settle(market, 'no')
  await until('it is settled', () => store.get(idOf(market))?.market.status === 'settled')
  t.match(store.get(idOf(market))?.market, { result: 'no' })
  await until('it is unsubscribed', () => venue.stats().polymarket.connections[0]?.assets === before - 1)
  await allTrue()
})

t.test('finds out in time what nobody announces', async (t) => {
  const { world, store, venue, feed, active, idOf, allLive, allTrue } = await setUp(t, {
    simulator: { marketsPerVenue: 8, rate: 50 },
    config: {
      REDISCOVERY_INTERVAL_MS: 1_000,
      ENDED_MARKET_RETENTION_MS: 2_500,
      POLYMARKET_ASSETS_PER_CONNECTION: 7
    },
    prepare: ({ faults }) => faults.set('polymarket', 'no_resolution_message')
  })
  await allLive()
  t.equal(feed.status().connections.length, 2)
  const last = store.get(idOf(active().find((one) => isOn(one, 1)) as SimMarket))
  const market = active().find((one) => idOf(one) === last?.id) as SimMarket
  world.close(market)
  await until('it is closed', () => store.get(idOf(market))?.market.status === 'closed')
  world.settle(market, 'yes')
  await until('its result is known', () => store.get(idOf(market))?.market.result === 'yes')
  await until('its connection is gone', () => feed.status().connections.length === 1)
  await until('it left memory', () => store.get(idOf(market)) === undefined)
  await allTrue()
  t.equal(venue.stats().polymarket.connections.length, 1)

  /** The busiest come first: the last one has a connection of its own. */
  function isOn(one: SimMarket, connection: number): boolean {
    const ranked = [...store.records()].sort((a, b) => a.slot - b.slot)
    return ranked.findIndex(({ id }) => id === idOf(one)) >= 7 * connection
  }
})

t.test('goes on discovering while the results of ended markets cannot be looked up', async (t) => {
  const { world, store, feed, active, idOf, breakGamma, allLive, allTrue } = await setUp(t, {
    simulator: { marketsPerVenue: 8, rate: 50 },
    config: { REDISCOVERY_INTERVAL_MS: 1_000 },
    prepare: ({ faults }) => faults.set('polymarket', 'no_resolution_message')
  })
  await allLive()
  const [market] = active() as [SimMarket]
  world.close(market)
  await until('it is closed', () => store.get(idOf(market))?.market.status === 'closed')
  let asked = 0
  breakGamma((url) => url.includes(market.id) && asked++ >= 0)
  world.settle(market, 'yes')
  await until('its result was asked for', () => asked > 0)
  const { lastAtMs } = feed.status().discovery
  await until('discovery goes on', () => feed.status().discovery.lastAtMs !== lastAtMs)
  t.equal(feed.status().discovery.lastError, null)
  t.equal(store.get(idOf(market))?.market.result, null)
  breakGamma(() => false)
  await until('its result is known', () => store.get(idOf(market))?.market.result === 'yes')
  await allTrue()
})

t.test('makes a book true that did not fit, once there is room', async (t) => {
  const { world, feed, active, verdictOf, allTrue } = await setUp(t, {
    simulator: { marketsPerVenue: 8, rate: 0 },
    config: { SNAPSHOT_TIMEOUT_MS: 100, REDISCOVERY_INTERVAL_MS: 1_000, ENDED_MARKET_RETENTION_MS: 0 },
    levels: 256
  })
  const isFull = (market: SimMarket) => verdictOf(market)?.reason === 'arena_full'
  await until('some do not fit', () => active().some(isFull))
  await until('REST and stream were tried', () => (feed.status().counters.seen.get('no_snapshot') ?? 0) > 0)
  const kept = active().find(isFull)
  for (const market of active()) if (market !== kept) world.close(market)
  await allTrue()
})

t.test('hands the announcements on when their connection goes', async (t) => {
  const { world, venue, store, active, idOf, allLive } = await setUp(t, {
    simulator: { marketsPerVenue: 3, rate: 50 },
    config: { POLYMARKET_ASSETS_PER_CONNECTION: 1 }
  })
  await allLive()
  const [first] = [...store.records()].sort((a, b) => a.slot - b.slot)
  const market = active().find((one) => idOf(one) === first?.id) as SimMarket
  world.close(market)
  world.settle(market, 'yes')
  await until('another connection has them', () => {
    const { connections } = venue.stats().polymarket
    return connections.length === 2 && connections.filter(({ customFeatures }) => customFeatures).length === 1
  })
  t.pass()
})

t.test('selects by tag, by name and by volume', async (t) => {
  const { world, store, active } = await setUp(t, {
    simulator: { rate: 0 },
    config: { MAX_MARKETS_PER_VENUE: 4 }
  })
  await until('four are followed', () => store.size === 4)
  const busiest = active().sort((a, b) => b.volume24hE6 - a.volume24hE6)
  t.same(
    [...store.records()].map(({ market }) => market.venueMarketId).sort(),
    busiest
      .slice(0, 4)
      .map(({ id }) => id)
      .sort()
  )

  const slug = world.events('polymarket').flatMap(({ tags }) => tags.map((tag) => tag.slug))[0] as string
  const isTagged = ({ event }: SimMarket) => event.tags.some((tag) => tag.slug === slug)
  const named = active().find((market) => !isTagged(market)) as SimMarket
  const tagged = await setUp(t, {
    simulator: { rate: 0 },
    config: { POLYMARKET_TAGS: slug, POLYMARKET_CONDITION_IDS: named.id }
  })
  const expected = [
    named.id,
    ...active()
      .filter(isTagged)
      .map(({ id }) => id)
  ].sort()
  await until('the tagged and the named are followed', () => tagged.store.size === expected.length)
  t.same([...tagged.store.records()].map(({ market }) => market.venueMarketId).sort(), expected)
})

t.test('waits for a venue that is down at the start', async (t) => {
  const { venue, feed, store, allLive, allTrue } = await setUp(t, {
    prepare: ({ faults }) => {
      faults.set('polymarket', 'refuse_upgrade')
      faults.set('polymarket', 'rest_status', { status: 502 })
    }
  })
  await until('it failed', () => feed.status().rest.failures > 1)
  t.equal(store.size, 0)
  t.equal(feed.status().synced, false)
  venue.faults.clear('rest_status')
  await until('books are shown, flagged', () =>
    [...store.records()].some(({ slot }) => store.books.arena.count(slot, YES) > 0)
  )
  for (const { slot } of store.records()) t.equal(store.books.verdicts.state(slot), 'syncing')
  venue.faults.clear('refuse_upgrade')
  await allLive()
  await allTrue()
})

t.test('serves what was listed when it had looked and did not listen yet', async (t) => {
  const { world, venue, feed, isLive, allTrue } = await setUp(t, {
    prepare: ({ faults }) => faults.set('polymarket', 'refuse_upgrade')
  })
  await until('it has looked', () => feed.status().discovery.lastAtMs !== null)
  const market = world.list('polymarket')
  venue.faults.clear('refuse_upgrade')
  await until('it is live', () => isLive(market))
  await allTrue()
})

t.test('serves soon what stood on no page of the first look', async (t) => {
  const { world, feed, unlist, store, idOf, isLive } = await setUp(t, {
    unlists: ({ world }) => world.markets('polymarket')[0] as SimMarket
  })
  const market = world.markets('polymarket')[0] as SimMarket
  await until('it has looked', () => feed.status().discovery.lastAtMs !== null)
  t.equal(store.get(idOf(market)), undefined)
  unlist(null)
  await until('it is live', () => isLive(market))
})

t.test('knows on what another process reads, though a look misses it', async (t) => {
  let others: string | null = null
  const { world, feed, unlist, store, idOf, isLive } = await setUp(t, {
    reads: ({ id }) => id !== others,
    config: { REDISCOVERY_INTERVAL_MS: 200 }
  })
  const market = world.markets('polymarket')[0] as SimMarket
  await until('it is live', () => isLive(market))
  others = idOf(market)
  feed.reselect()
  t.equal(store.get(idOf(market)), undefined)
  unlist(market)
  for (let looks = 0; looks < 3; looks++) {
    const lastAtMs = feed.status().discovery.lastAtMs
    await until('it looks again', () => feed.status().discovery.lastAtMs !== lastAtMs)
  }
  others = null
  feed.reselect()
  t.not(store.get(idOf(market)), undefined, 'at once')
  await until('it is live', () => isLive(market))
})

t.test('survives a REST API that refuses, answers HTML or is slow', async (t) => {
  const { feed, allLive, allTrue } = await setUp(t, {
    prepare: ({ faults }) => {
      faults.set('polymarket', 'rest_html', { count: 1 })
      faults.set('polymarket', 'rest_status', { count: 1, status: 429 })
      faults.set('polymarket', 'rest_slow', { count: 2, ms: 50 })
    }
  })
  await allLive()
  t.ok(feed.status().rest.retries >= 2)
  t.equal(feed.status().note, null)
  await allTrue()
})

t.test('says what is wrong and stops at once where nothing listens', async (t) => {
  const store = new SnapshotStore({ capacityMarkets: 1, capacityLevels: 8 })
  const nowhere = 'http://127.0.0.1:1'
  const feed = new PolymarketFeed({
    sink: store,
    log: silent,
    random: () => 0,
    config: {
      POLYMARKET_HTTP_BASE: nowhere,
      POLYMARKET_GAMMA_BASE: nowhere,
      POLYMARKET_WS_URL: 'ws://127.0.0.1:1',
      POLYMARKET_POLL_INTERVAL_MS: 3_600_000,
      POLYMARKET_TAGS: '',
      POLYMARKET_CONDITION_IDS: '',
      POLYMARKET_ASSETS_PER_CONNECTION: 1,
      MAX_MARKETS_PER_VENUE: 1,
      REDISCOVERY_INTERVAL_MS: 1_000,
      ENDED_MARKET_RETENTION_MS: 0,
      SNAPSHOT_TIMEOUT_MS: 100,
      SILENT_AFTER_MS: 1_000,
      DIALS_PER_SECOND: 5,
      HASH_BUDGET_PERCENT: 10,
      AUDIT_PERIOD_MS: 60_000,
      BREAKER_FAILURES: 5,
      BREAKER_OPEN_MS: 10_000
    }
  })
  feed.start()
  await until('discovery failed', () => feed.status().discovery.lastError !== null)
  t.match(feed.status().note, /^discovery fails: .+/)
  await feed.stop()
  await feed.stop()
  t.equal(feed.status().synced, false)
})

t.test('logs the beginning of what it does not understand, once a minute for each reason', async (t) => {
  const lines: unknown[] = []
  let nowMs = 0
  const log = new FrameLog({ warn: (line: unknown) => lines.push(line) }, () => nowMs)
  for (const [atMs, reason] of [
    [0, 'text'],
    [59_999, 'text'],
    [59_999, 'malformed'],
    [60_000, 'text']
  ] as const) {
    nowMs = atMs
    log.note(reason, Buffer.from('x'.repeat(1_000)))
  }
  const sample = 'x'.repeat(300)
  t.same(
    lines,
    ['text', 'malformed', 'text'].map((reason) => ({ reason, bytes: 1_000, sample }))
  )
})
