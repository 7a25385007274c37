import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { loadSigner } from '../../../services/kalshi/auth.ts'
import { KalshiFeed, type KalshiFeedOptions, type KalshiSettings } from '../../../services/kalshi/feed.ts'
import { formatPrice, formatSize } from '../../../services/numbers/decimal.ts'
import { getDepth } from '../../../services/orderbook/depth.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../simulator/index.ts'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { testConfig } from '../../helper.ts'

const log = { info: () => {}, warn: () => {} }

/** Waits for a condition; the test's own time limit ends a wait that does not. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10)
}

async function simulate(t: Test, options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({
    marketsPerVenue: 12,
    rate: 400,
    churnMs: 0,
    openDelayMs: 0,
    ...options
  })
  t.teardown(() => simulator.stop())
  return simulator
}

function follow(
  t: Test,
  { kalshi }: Pick<Simulator, 'kalshi'>,
  settings: Partial<KalshiSettings> = {},
  hasKey = true,
  options: Partial<KalshiFeedOptions> = {}
) {
  const store = new SnapshotStore({ capacityMarkets: 64, capacityLevels: 64 * 256 })
  const feed = new KalshiFeed({
    sink: store,
    config: testConfig({
      KALSHI_HTTP_BASE: kalshi.httpBase,
      KALSHI_WS_URL: kalshi.wsUrl,
      MAX_MARKETS_PER_VENUE: 40,
      ...settings
    }),
    signer: hasKey ? loadSigner(kalshi.keyId, kalshi.privateKeyPem) : null,
    log,
    ...options
  })
  t.teardown(() => feed.stop())
  feed.start()
  const slotOf = (ticker: string) => store.get(`kalshi:${ticker}`)?.slot ?? -1
  const verdict = (ticker: string) => store.books.verdicts.get(slotOf(ticker))
  return {
    store,
    feed,
    slotOf,
    verdict,
    depth: (ticker: string) => getDepth(store.books.arena, slotOf(ticker), 1_000)
  }
}
type Followed = ReturnType<typeof follow>

/** The true book in the form of `getDepth`. */
function truth({ book }: SimMarket) {
  const side = (levels: Map<number, number>, direction: number) =>
    [...levels]
      .sort(([a], [b]) => direction * (a - b))
      .map(([price, size]) => ({ price: formatPrice(price), size: formatSize(size) }))
  return { bids: side(book.bids, -1), asks: side(book.asks, 1) }
}

const active = ({ world }: Simulator) => world.markets('kalshi').filter(({ status }) => status === 'active')
const isTrue = ({ depth }: Followed, market: SimMarket) =>
  JSON.stringify(depth(market.id)) === JSON.stringify(truth(market))
const isLive = (followed: Followed, market: SimMarket) =>
  followed.slotOf(market.id) >= 0 && followed.verdict(market.id).state === 'live'

async function becomesTrue(t: Test, simulator: Simulator, followed: Followed): Promise<void> {
  simulator.world.setRate(0)
  await until(() => active(simulator).every((one) => isLive(followed, one) && isTrue(followed, one)))
  for (const one of active(simulator)) t.same(followed.depth(one.id), truth(one))
}

t.test('over the stream every book equals the true one', async (t) => {
  const simulator = await simulate(t)
  simulator.faults.set('kalshi', 'shuffle_answers', {})
  const followed = follow(t, simulator, { KALSHI_SERIES: '' })
  await until(() => followed.feed.status().synced)
  await until(() => followed.feed.status().counters.applied > 200)
  await becomesTrue(t, simulator, followed)
  const status = followed.feed.status()
  t.match(status, {
    source: 'websocket',
    note: null,
    connections: [{ state: 'open', markets: 12, reconnects: 0 }]
  })
  t.notOk(status.counters.ignored.has('drift'))
  const [market] = active(simulator) as [SimMarket]
  t.match(followed.verdict(market.id), { source: 'websocket', reason: null })
  const event = followed.store.getEvent(`kalshi:${market.event.id}`)
  t.ok(event?.marketIds.includes(`kalshi:${market.id}`), 'its event is served')
})

t.test('merged subscriptions, and a snapshot that does not come unasked', async (t) => {
  const simulator = await simulate(t)
  const [market] = active(simulator) as [SimMarket]
  simulator.faults.set('kalshi', 'merged_subscribe', {})
  simulator.faults.set('kalshi', 'no_snapshot', { market: market.id, count: 2 })
  const followed = follow(t, simulator, { SNAPSHOT_TIMEOUT_MS: 100 })
  await becomesTrue(t, simulator, followed)
  t.equal(simulator.faults.fired('kalshi', 'no_snapshot'), 2, 'the third one came: after a new subscription')
})

t.test('a market whose snapshot never comes stays flagged and is reported', async (t) => {
  const simulator = await simulate(t)
  const [market, other] = active(simulator) as [SimMarket, SimMarket]
  simulator.faults.set('kalshi', 'no_snapshot', { market: market.id })
  const followed = follow(t, simulator, { SNAPSHOT_TIMEOUT_MS: 100 })
  await until(() => followed.feed.status().note === '1 subscribed markets got no snapshot')
  t.equal(followed.verdict(market.id).reason, 'awaiting_snapshot')
  t.equal(followed.verdict(other.id).state, 'live')
  t.equal(followed.feed.status().synced, true)
})

t.test('what spoils books is mended, each in its way', async (t) => {
  const simulator = await simulate(t)
  const { faults } = simulator
  const followed = follow(t, simulator)
  await until(() => active(simulator).every((one) => isLive(followed, one)))
  const { ignored } = followed.feed.status().counters
  // A book that is doubtful already does not notice: each goes on until one did.
  for (const [name, reason] of [
    ['drop_delta', 'awaiting_snapshot'],
    ['reorder_delta', 'awaiting_snapshot'],
    ['duplicate_delta', 'duplicate'],
    ['renamed_field', 'drift'],
    ['too_many_decimals', 'drift'],
    ['negative_level', 'negative_level'],
    ['unknown_ids', 'unknown_market'],
    ['unknown_type', 'unknown_type'],
    ['nonjson_text', 'not_json']
  ] as const) {
    const before = ignored.get(reason) ?? 0
    await until(() => {
      if (faults.active('kalshi', name) === undefined) faults.set('kalshi', name)
      return (ignored.get(reason) ?? 0) > before
    })
    faults.clear(name)
  }
  const isCrossed = () => active(simulator).some((one) => followed.verdict(one.id).reason === 'crossed')
  await until(() => {
    if (faults.active('kalshi', 'crossed_book') === undefined) faults.set('kalshi', 'crossed_book')
    return isCrossed()
  })
  faults.clear('crossed_book')
  for (const code of [25, 10, 17]) {
    const before = ignored.get('error') ?? 0
    faults.set('kalshi', 'kalshi_error', { code })
    await until(() => (ignored.get('error') ?? 0) > before)
    await until(() => active(simulator).every((one) => isLive(followed, one)))
  }
  faults.set('kalshi', 'cut_socket')
  await until(() => followed.feed.status().connections[0]?.reconnects === 1)
  await becomesTrue(t, simulator, followed)
})

t.test('a limit on markets halves the chunk, and a limit on commands waits', async (t) => {
  const simulator = await simulate(t)
  simulator.faults.set('kalshi', 'kalshi_error', { code: 26, count: 2 })
  const first = follow(t, simulator)
  await becomesTrue(t, simulator, first)
  await first.feed.stop()
  simulator.faults.set('kalshi', 'kalshi_error', { code: 27, count: 2 })
  await becomesTrue(t, simulator, follow(t, simulator))
})

t.test('markets are added, paused, closed and settled by message and by clock', async (t) => {
  const simulator = await simulate(t)
  const { world } = simulator
  const followed = follow(t, simulator)
  const { store, verdict, feed } = followed
  await until(() => active(simulator).every((one) => isLive(followed, one)))

  const fresh = world.list('kalshi')
  await until(() => isLive(followed, fresh))
  t.ok(isTrue(followed, fresh) || world.running)

  const [paused, settled, timed] = active(simulator) as [SimMarket, SimMarket, SimMarket]
  world.pause(paused)
  await until(() => verdict(paused.id).state === 'halted')
  world.resume(paused)
  await until(() => verdict(paused.id).state === 'live')

  world.settle(settled, 'yes')
  await until(() => store.get(`kalshi:${settled.id}`)?.market.status === 'settled')
  t.match(store.get(`kalshi:${settled.id}`)?.market, { result: 'yes' })
  t.match(verdict(settled.id), { state: 'closed', reason: 'market_settled' })

  // The venue sends nothing at the close: only the time is known beforehand.
  const { market } = store.get(`kalshi:${timed.id}`) as { market: { closeTime: string | null } }
  t.ok(market.closeTime !== null)
  store.patch(`kalshi:${timed.id}`, {})
  await becomesTrue(t, simulator, followed)
  t.equal(feed.status().connections[0]?.markets, active(simulator).length)
})

t.test('a market closes by the clock, without a message', async (t) => {
  const simulator = await simulate(t)
  const [market] = active(simulator) as [SimMarket]
  // Time enough to be live before, also on a slow machine.
  market.closeMs = Date.now() + 5_000
  const followed = follow(t, simulator)
  await until(() => isLive(followed, market))
  await until(() => followed.verdict(market.id).reason === 'market_closed')
  t.ok(Date.now() >= market.closeMs)
  t.ok(followed.depth(market.id).bids.length > 0, 'its last book is still served')
})

t.test('a key that REST refuses does not stop the stream', async (t) => {
  const simulator = await simulate(t)
  const followed = follow(t, simulator, { REDISCOVERY_INTERVAL_MS: 1_000 })
  const { feed } = followed
  await until(() => active(simulator).every((one) => isLive(followed, one)))
  const before = feed.status().discovery.lastAtMs as number
  simulator.faults.set('kalshi', 'credentials_refused', {})
  await until(() => feed.status().note !== null && (feed.status().discovery.lastAtMs as number) > before)
  t.match(feed.status(), {
    source: 'websocket',
    note: /^REST is asked without the API key, which it refused \(GET .* answered 401/,
    connections: [{ state: 'open', reconnects: 0 }]
  })
  await becomesTrue(t, simulator, followed)
})

t.test('a key that only the socket refuses still polls books in batches', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 40 })
  simulator.faults.set('kalshi', 'refuse_upgrade', { status: 401 })
  const followed = follow(t, simulator, { KALSHI_POLL_INTERVAL_MS: 250 })
  await becomesTrue(t, simulator, followed)
  const { source, note, rest, counters } = followed.feed.status()
  t.equal(source, 'poll')
  t.match(note, /because Kalshi refused the API key \(upgrade answered 401\)$/)
  t.ok(counters.frames > rest.requests, 'one request brings many books')
})

t.test('a refused key is not tried again: books are polled, and it is said why', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 3 })
  simulator.faults.set('kalshi', 'credentials_refused', {})
  const followed = follow(t, simulator, { KALSHI_POLL_INTERVAL_MS: 250 })
  await becomesTrue(t, simulator, followed)
  const status = followed.feed.status()
  t.equal(status.source, 'poll')
  t.match(status.note, /books are polled over REST, because Kalshi refused the API key/)
  t.ok(simulator.stats().kalshi.upgradesRefused <= 1)
})

t.test('a refused key is asked about now and then, and streams again once it is taken', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 3 })
  simulator.faults.set('kalshi', 'credentials_refused', {})
  const followed = follow(t, simulator, { KALSHI_POLL_INTERVAL_MS: 250 }, true, { refusedRetryMs: 500 })
  const { feed } = followed
  await until(() => active(simulator).every((one) => isLive(followed, one)))
  t.match(feed.status(), { source: 'poll', refused: true })
  await until(() => simulator.stats().kalshi.upgradesRefused === 2)
  t.equal(feed.status().source, 'poll', 'refused once more, it is asked again later')
  simulator.faults.clear('credentials_refused')
  await until(() => feed.status().source === 'websocket')
  await until(() => active(simulator).every((one) => isLive(followed, one)))
  await until(() => feed.status().note === null)
  t.match(feed.status(), { refused: false, connections: [{ state: 'open' }] })
  t.equal(followed.verdict((active(simulator)[0] as SimMarket).id).source, 'websocket')
  await becomesTrue(t, simulator, followed)
})

t.test('error 9 on the stream ends it the same way', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 3 })
  const followed = follow(t, simulator, { KALSHI_POLL_INTERVAL_MS: 250 })
  await until(() => active(simulator).every((one) => isLive(followed, one)))
  simulator.faults.set('kalshi', 'kalshi_error', { code: 9 })
  simulator.world.list('kalshi')
  await until(() => followed.feed.status().source === 'poll')
  await becomesTrue(t, simulator, followed)
})

t.test('without a key books are polled, and age is flagged', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 3 })
  const followed = follow(t, simulator, { KALSHI_POLL_INTERVAL_MS: 250 }, false)
  await becomesTrue(t, simulator, followed)
  const [market] = active(simulator) as [SimMarket]
  t.match(followed.verdict(market.id), { source: 'poll', sequence: null, venueTimeMs: null })
  t.match(followed.feed.status(), { source: 'poll', synced: true, connections: [] })
  const version = followed.store.books.versions[followed.slotOf(market.id)]
  const { ignored } = followed.feed.status().counters
  const unchanged = ignored.get('unchanged') ?? 0
  await until(() => (ignored.get('unchanged') ?? 0) > unchanged + 3)
  t.equal(followed.store.books.versions[followed.slotOf(market.id)], version, 'an equal book is no change')
  simulator.faults.set('kalshi', 'rest_status', { status: 503 })
  await until(() => followed.verdict(market.id).reason === 'poll_overdue')
  simulator.faults.clear('rest_status')
  await until(() => followed.verdict(market.id).state === 'live')
})

t.test('a venue that is down at the start is retried', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 3 })
  simulator.faults.set('kalshi', 'refuse_upgrade', { status: 503, count: 1 })
  simulator.faults.set('kalshi', 'rest_html', { status: 502, count: 2 })
  const followed = follow(t, simulator)
  await becomesTrue(t, simulator, followed)
  await followed.feed.stop()
  const gone = follow(t, {
    kalshi: { ...simulator.kalshi, httpBase: 'http://127.0.0.1:9/x', wsUrl: 'ws://127.0.0.1:9/x' }
  })
  await until(() => gone.feed.status().connections[0]?.state === 'waiting')
  t.match(gone.feed.status(), { synced: false, connections: [{ lastError: /ECONNREFUSED/ }] })
})

/** A log that keeps its warnings. */
function listening() {
  const warnings: { text: string; fields: Record<string, unknown> }[] = []
  const warn = (fields: unknown, text?: unknown) => {
    warnings.push({ text: String(text), fields: { ...(fields as object) } })
  }
  const count = (text: string) => warnings.filter((one) => one.text === text).length
  return { warnings, count, log: { info: () => {}, warn } }
}

t.test('a gap is mended by snapshots, else by a new subscription, else by a new connection', async (t) => {
  const simulator = await simulate(t)
  const { faults } = simulator
  const followed = follow(t, simulator, { SNAPSHOT_TIMEOUT_MS: 60_000 }, true, { gapTimeoutMs: 300 })
  const allLive = () => active(simulator).every((one) => isLive(followed, one))
  const { ignored } = followed.feed.status().counters
  const reconnects = () => followed.feed.status().connections[0]?.reconnects
  const isGap = () => active(simulator).some((one) => followed.verdict(one.id).reason === 'sequence_gap')
  const loseOne = async () => {
    faults.set('kalshi', 'drop_delta', {})
    await until(isGap)
  }
  await until(allLive)

  await loseOne()
  await until(allLive)
  t.notOk(ignored.has('unsubscribed'), 'snapshots were enough')
  t.equal(reconnects(), 0)

  // No market is asked for again within two seconds; by then they are all asked for at once.
  await sleep(2_000)
  faults.set('kalshi', 'no_snapshot', { count: active(simulator).length })
  await loseOne()
  await until(allLive)
  t.equal(ignored.get('unsubscribed'), 1, 'a new subscription was enough')
  t.equal(reconnects(), 0)

  faults.set('kalshi', 'no_snapshot', {})
  await loseOne()
  await until(() => reconnects() === 1)
  faults.clear('no_snapshot')
  faults.set('kalshi', 'cut_socket')
  await becomesTrue(t, simulator, followed)
})

t.test('while the exchange pauses all books are halted, new ones too, and it is said', async (t) => {
  const simulator = await simulate(t)
  const followed = follow(t, simulator, {}, true, { pauseCheckMs: 50 })
  const { feed, verdict } = followed
  await until(() => active(simulator).every((one) => isLive(followed, one)))
  // The venue answers 503 with its status when it has paused.
  simulator.faults.set('kalshi', 'rest_status', { status: 503 })
  await until(() => active(simulator).every((one) => verdict(one.id).reason === 'venue_paused'))
  t.equal(feed.status().note, 'Kalshi has paused trading')
  const [market] = active(simulator) as [SimMarket]
  simulator.world.changeTick(market, 50)
  await until(() => followed.store.get(`kalshi:${market.id}`)?.market.priceBands[0]?.step === '0.005')
  await until(() => verdict(market.id).reason === 'venue_paused')
  simulator.faults.clear('rest_status')
  await until(() => active(simulator).every((one) => isLive(followed, one)))
  t.equal(feed.status().note, null)
})

for (const hasKey of [true, false])
  t.test(`a market that opens again waits for its book, ${hasKey ? 'streamed' : 'polled'}`, async (t) => {
    const simulator = await simulate(t, { marketsPerVenue: 3 })
    const [market] = active(simulator) as [SimMarket]
    const closeMs = market.closeMs
    market.closeMs = Date.now() + 1_200
    const followed = follow(
      t,
      simulator,
      { KALSHI_POLL_INTERVAL_MS: 250, REDISCOVERY_INTERVAL_MS: 1_000 },
      hasKey
    )
    await until(() => isLive(followed, market))
    await until(() => followed.verdict(market.id).reason === 'market_closed')
    market.closeMs = closeMs
    const slot = followed.slotOf(market.id)
    const reasons: unknown[] = []
    const { books } = followed.store
    const { onTouch } = books
    books.onTouch = (touched) => {
      if (touched === slot) reasons.push(books.verdicts.reason(slot))
      onTouch(touched)
    }
    await until(() => isLive(followed, market) && isTrue(followed, market))
    t.ok(reasons.includes('awaiting_snapshot'))
  })

t.test('without a key a new market is found between two discoveries', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 3 })
  const followed = follow(
    t,
    simulator,
    { KALSHI_POLL_INTERVAL_MS: 250, REDISCOVERY_INTERVAL_MS: 20_000 },
    false
  )
  await until(() => followed.feed.status().synced)
  const { lastAtMs } = followed.feed.status().discovery
  const fresh = simulator.world.list('kalshi')
  await until(() => isLive(followed, fresh))
  t.equal(followed.feed.status().discovery.lastAtMs, lastAtMs)
  t.ok(followed.store.getEvent(`kalshi:${fresh.event.id}`), 'with its event')
})

t.test('that books are polled is said once in the log', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 3 })
  const { log, count } = listening()
  const followed = follow(t, simulator, { KALSHI_POLL_INTERVAL_MS: 250 }, false, { log })
  await becomesTrue(t, simulator, followed)
  const { counters } = followed.feed.status()
  const frames = counters.frames
  await until(() => counters.frames > frames + 9)
  t.equal(count('Kalshi books are polled over REST'), 1)
})

t.test('a message that is not understood is logged once a minute for each reason', async (t) => {
  const simulator = await simulate(t, { marketsPerVenue: 3 })
  const { log, warnings } = listening()
  let laterMs = 0
  const steadyNow = () => performance.now() + laterMs
  const followed = follow(t, simulator, {}, true, { log, steadyNow })
  await until(() => active(simulator).every((one) => isLive(followed, one)))
  const { ignored } = followed.feed.status().counters
  const refused = (reason: string) =>
    warnings.filter(({ text, fields }) => text === 'frame not understood' && fields.reason === reason)
  const send = async (name: 'unknown_type' | 'nonjson_text', reason: string, text = {}) => {
    const before = ignored.get(reason) ?? 0
    simulator.faults.set('kalshi', name, text)
    await until(() => (ignored.get(reason) ?? 0) > before)
  }
  await send('nonjson_text', 'not_json', { text: 'x'.repeat(5_000) })
  await send('nonjson_text', 'not_json')
  await send('unknown_type', 'unknown_type')
  t.equal(refused('not_json').length, 1)
  t.equal(refused('unknown_type').length, 1)
  t.match(refused('not_json')[0]?.fields, { bytes: 5_000, sample: /^x{300}$/ })
  laterMs = 60_000
  await send('nonjson_text', 'not_json')
  t.equal(refused('not_json').length, 2)
})
