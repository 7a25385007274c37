import t from 'tap'
import { bestPrices, tickerFault } from '../../../services/stream/ticker-check.ts'
import { type Listener, listen, PACED, setBid, slotOf, turns, until, world } from './world.ts'

/** Tickers that came live, each as its best bid and size. */
function quotesOf(listener: Listener): string[] {
  return listener.messages.flatMap((message) =>
    message.type === 'tickers'
      ? message.tickers.map((one) =>
          'quotes' in one ? `${one.quotes.yes.bestBid} ${one.quotes.yes.bestBidSize}` : ''
        )
      : []
  )
}

t.test('prices that must not go out are recognised', async (t) => {
  const good = { yesBid: 4_000, yesAsk: 4_500, noBid: 5_500, noAsk: 6_000 }
  t.equal(tickerFault(good), null)
  t.equal(tickerFault({ yesBid: -1, yesAsk: -1, noBid: -1, noAsk: -1 }), null, 'an empty book')
  t.equal(tickerFault({ ...good, noBid: -1, yesAsk: -1 }), null, 'one side')
  t.equal(tickerFault({ ...good, yesBid: 10_001, noAsk: -1 }), 'out_of_bounds')
  t.equal(tickerFault({ ...good, yesBid: 4_000.5, noAsk: 5_999.5 }), 'out_of_bounds')
  t.equal(tickerFault({ ...good, yesBid: Number.NaN }), 'out_of_bounds')
  t.equal(tickerFault({ ...good, noAsk: 6_001 }), 'not_complementary')
  t.equal(tickerFault({ ...good, noAsk: -1 }), 'not_complementary')
  t.equal(tickerFault({ yesBid: 4_500, yesAsk: 4_500, noBid: 5_500, noAsk: 5_500 }), 'bid_not_below_ask')
})

t.test(
  'a ticker comes once an interval with the latest state, and only when it says something new',
  async (t) => {
    const here = world(t, 2, { defaults: PACED })
    const { hub, store } = here
    const one = listen(hub, { channel: 'ticker', markets: here.ids })
    t.match(one.messages[1], {
      type: 'snapshot',
      remaining: 0,
      tickers: [{ id: here.ids[0] }, { id: here.ids[1] }]
    })
    for (let n = 1; n <= 50; n++) setBid(here, 4_100, n * 1_000_000)
    await until(() => quotesOf(one).length > 0)
    t.same(quotesOf(one), ['0.41 50'])
    t.match(hub.status().tickers, { published: 1, conflated: 49, failed: 0, activeMarkets: 2 })
    for (let n = 1; n <= 3; n++) {
      setBid(here, 4_100, 50_000_000)
      await turns(1)
    }
    t.equal(hub.status().tickers.conflated, 51, 'of one turn or of several')
    // Below the best level, and the clock of a proof: nothing that a ticker says.
    store.books.arena.setLevel(slotOf(here), 0, 100, 9_000_000)
    store.books.verdicts.verified(slotOf(here), 1_795_000_000_000)
    store.books.touch(slotOf(here))
    setBid(here, 4_100, 7_000_000, 1)
    await until(() => quotesOf(one).length > 1)
    t.same(quotesOf(one), ['0.41 50', '0.41 7'])
    store.books.raise(slotOf(here), 'disconnected')
    await until(() => one.messages.length === 5)
    t.match(one.messages.at(-1), {
      tickers: [{ quotes: { usable: false }, verdict: { state: 'stale', reason: 'disconnected' } }]
    })
  }
)

t.test(
  'a ticker that must not go out is withheld and counted, and comes when it is sound again',
  async (t) => {
    const here = world(t, 1, { defaults: PACED })
    const { hub, store } = here
    const one = listen(hub, { channel: 'ticker', markets: here.ids })
    setBid(here, 4_600, 1_000_000)
    t.equal(tickerFault(bestPrices(store.books.arena, slotOf(here))), 'bid_not_below_ask')
    await until(() => hub.statistics.tickersWithheld > 0)
    t.same(quotesOf(one), [])
    setBid(here, 4_600, 0)
    setBid(here, 4_400, 3_000_000)
    await until(() => quotesOf(one).length > 0)
    t.same(quotesOf(one), ['0.44 3'])
    t.same(hub.status().tickers.withheldByReason, { bid_not_below_ask: 1 })
  }
)

t.test('the compatibility form has numbers, and only live books', async (t) => {
  const here = world(t, 1, { defaults: PACED })
  const one = listen(here.hub, { channel: 'ticker', markets: here.ids, form: 'summary' })
  t.match(one.messages[1], {
    tickers: [
      {
        market_id: here.ids[0],
        platform: 'kalshi',
        summary_stats: {
          yes: { bid: 0.4, ask: 0.45, volume: 1_000 },
          no: { bid: 0.55, ask: 0.6, volume: 1_000 }
        }
      }
    ]
  })
  here.store.books.raise(slotOf(here), 'disconnected')
  await until(() => here.hub.statistics.tickerFaults.get('not_live') === 1)
  here.store.books.clear(slotOf(here), 'disconnected')
  setBid(here, 4_100, 1_000_000)
  await until(() => one.messages.length > 2)
  t.match(one.messages[2], { tickers: [{ summary_stats: { yes: { bid: 0.41 } } }] })
})

for (const form of ['crossbook', 'summary'] as const)
  t.test(
    `one tick writes a ticker of the form ${form} once, however many take it, and groups have it at different times`,
    async (t) => {
      const here = world(t, 1, { defaults: { ...PACED, tickerIntervalMs: 400 } })
      const clients = Array.from({ length: 150 }, () =>
        listen(here.hub, { channel: 'ticker', venue: 'kalshi', form })
      )
      const told = ({ messages }: Listener) => messages.filter(({ type }) => type === 'tickers').length
      const before = here.hub.status().serialized
      setBid(here, 4_200, 1_000_000)
      await until(() => clients.every((one) => told(one) === 1))
      t.equal(here.hub.status().serialized - before, 1)
      t.equal(here.hub.status().topics, 3)
      t.equal(here.hub.statistics.tickersPublished, 3, 'once for each group')
    }
  )

t.test('depth is the top of the book at the rate and to the depth that were asked', async (t) => {
  const here = world(t, 1, { defaults: PACED })
  const one = listen(here.hub, { channel: 'depth', markets: here.ids, depth: 2, intervalMs: 100 })
  t.match(one.messages[1], {
    type: 'snapshot',
    depth: [{ bids: [{ price: '0.4' }, { price: '0.39' }], asks: [{ price: '0.45' }, { price: '0.46' }] }]
  })
  const deeper = listen(here.hub, { channel: 'depth', markets: here.ids, depth: 100, intervalMs: 100 })
  // Below what the first asked for: the other hears of it twice, and by then the first had its turn as well.
  for (const told of [3, 4]) {
    setBid(here, 100, told * 1_000_000)
    await until(() => deeper.messages.length === told)
  }
  t.equal(one.messages.length, 2)
  for (let n = 0; n < 20; n++) setBid(here, 3_950, 1_000_000 + n)
  await until(() => one.messages.length > 2)
  const [, , message] = one.messages
  t.match(message, {
    type: 'depth',
    seq: 1,
    depth: [{ bids: [{ price: '0.4' }, { price: '0.395', size: '1.000019' }] }]
  })
  t.equal(message?.type === 'depth' && message.depth[0]?.bids.length, 2)
})

t.test('whoever came between two ticks is told when what it saw is no longer so', async (t) => {
  const here = world(t, 1, { defaults: { ...PACED, tickerIntervalMs: 300 } })
  const first = listen(here.hub, { channel: 'ticker', markets: here.ids })
  setBid(here, 4_100, 1_000_000)
  await until(() => quotesOf(first).length === 1)
  setBid(here, 4_200, 2_000_000)
  const second = listen(here.hub, { channel: 'ticker', markets: here.ids })
  t.match(second.messages[1], { tickers: [{ quotes: { yes: { bestBid: '0.42' } } }] })
  setBid(here, 4_200, 0)
  await until(() => quotesOf(second).length === 1)
  t.same(quotesOf(second), ['0.41 1'])
})

t.test('markets enter and leave a filter by what they are', async (t) => {
  const here = world(t, 3, { defaults: PACED })
  const one = listen(here.hub, { channel: 'depth', filter: { state: 'live' }, depth: 1 })
  t.match(one.messages[0], { markets: 3 })
  here.store.books.raise(slotOf(here, 1), 'disconnected')
  await until(() => one.messages.length === 3)
  t.match(one.messages[2], { type: 'depth', removed: [here.ids[1]], depth: [] })
  here.store.books.clear(slotOf(here, 1), 'disconnected')
  await until(() => one.messages.length === 4)
  t.match(one.messages[3], { type: 'depth', depth: [{ id: here.ids[1], verdict: { state: 'live' } }] })
  await turns()
})

t.test('a market that joins is told to those who came before it, whoever is told it first', async (t) => {
  const here = world(t, 2, { defaults: PACED })
  const slot = slotOf(here, 1)
  here.store.books.raise(slot, 'disconnected')
  const question = { channel: 'ticker', filter: { state: 'live' } } as const
  const before = listen(here.hub, question)
  t.match(before.messages[1], { type: 'snapshot', tickers: [{ id: here.ids[0] }] })
  here.store.books.clear(slot, 'disconnected')
  await turns()
  const after = listen(here.hub, question)
  t.match(after.messages[1], { type: 'snapshot', tickers: [{}, {}] })
  await until(() => quotesOf(before).length > 0)
  t.match(before.messages.at(-1), { tickers: [{ id: here.ids[1] }] })
})

t.test(
  'when many questions are due at once, a turn tells a share of them, and none is left out',
  async (t) => {
    const clock = { ms: 1_000 }
    const here = world(t, 30, { defaults: PACED, steadyNow: () => clock.ms })
    const { hub, ids } = here
    const clients = ids.map((_, n) => listen(hub, { channel: 'depth', markets: ids, depth: 1 + n }))
    // None is due before all are.
    clock.ms = 0
    for (const n of ids.keys()) setBid(here, 4_200, 1_000_000 * (n + 1), n)
    await turns()
    const before = hub.status().serialized
    let last = before
    let mostInATurn = 0
    const everyTurn = () => {
      const { serialized } = hub.status()
      mostInATurn = Math.max(mostInATurn, serialized - last)
      last = serialized
      looking = setImmediate(everyTurn)
    }
    let looking = setImmediate(everyTurn)
    t.teardown(() => clearImmediate(looking))
    clock.ms = 1_100
    const told = () =>
      clients.map(({ messages }) =>
        messages.flatMap((one) =>
          one.type === 'depth' ? one.depth.map(({ id, bids }) => `${id} ${bids[0]?.size}`) : []
        )
      )
    await until(() => told().every((books) => books.length >= ids.length))
    const whole = ids.map((id, n) => `${id} ${n + 1}`)
    for (const books of told()) t.same(books.sort(), whole)
    t.equal(hub.status().serialized - before, ids.length ** 2, 'each once')
    t.ok(mostInATurn > 128 && mostInATurn <= 256, `${mostInATurn} in one turn at most`)
  }
)

t.test('questions that are asked and left again and again neither pile up nor go on for ever', async (t) => {
  const here = world(t, 3, { defaults: PACED })
  const { hub, ids } = here
  const one = listen(hub, { channel: 'book', markets: ids })
  let refused = 0
  for (let n = 0; n < 600; n++) {
    const other = listen(hub, { channel: 'trades', markets: ids })
    for (let again = 0; again < 150; again++) {
      const before = other.messages.length
      other.client.receive(
        JSON.stringify({ op: 'subscribe', id: 'x', channel: 'trades', filter: { q: `${n} ${again}` } })
      )
      if (other.messages[before]?.type === 'error') {
        refused++
        break
      }
      other.client.receive(JSON.stringify({ op: 'unsubscribe', id: 'x' }))
      if (n > 2) break
    }
    hub.disconnected(other.client)
  }
  t.ok(refused >= 3, 'a client that asks without end is slowed down')
  t.ok(hub.status().topics <= 203, `${hub.status().topics} topics are kept`)
  setBid(here, 4_100, 1_000_000)
  await turns()
  t.match(one.messages.at(-1), { type: 'change', books: [{ id: ids[0] }] })
})
