import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { KalshiPoller } from '../../../services/kalshi/poller.ts'
import { KalshiRest } from '../../../services/kalshi/rest.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import type { ServedMarket } from '../../../services/venue/catalogue.ts'
import { Counters } from '../../../services/venue/counters.ts'
import { market } from '../../helper.ts'

const BOOK = { orderbook_fp: { yes_dollars: [['0.4000', '7.00']], no_dollars: [['0.5000', '3.00']] } }
const RENAMED = { orderbook_fp: { yes_levels: [] } }

/** Polls books from a venue that answers as `answer` says: a status and a body for each path, `delayMs` late. */
async function poll(t: Test, answer: (path: string) => [number, unknown], books = 3, delayMs = 0) {
  const server = createServer(async ({ url = '' }, response) => {
    const [status, body] = answer(new URL(url, 'http://127.0.0.1').pathname)
    if (delayMs > 0) await sleep(delayMs)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const store = new SnapshotStore({ capacityMarkets: 32, capacityLevels: 1024 })
  const served: ServedMarket[] = []
  const list = () => {
    const record = store.put(market(served.length + 1), '')
    if (record !== null) served.push(record)
  }
  while (served.length < books) list()
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const rest = new KalshiRest({ base, signer: () => ({ 'kalshi-access-key': 'k' }), random: () => 0 })
  const counters = new Counters()
  const drifts: [string, unknown][] = []
  const poller = new KalshiPoller({
    rest,
    table: store.books,
    counters,
    markets: () => served,
    holds: () => true,
    onDrift: ({ id }, book) => drifts.push([id, book]),
    intervalMs: 50,
    log: { info: () => {}, warn: () => {} }
  })
  t.teardown(async () => {
    await Promise.all([rest.close(), poller.stop()])
    server.closeAllConnections()
    server.close()
  })
  poller.start()
  const states = () => served.map(({ slot }) => store.books.verdicts.reason(slot))
  return { poller, counters, states, drifts, list }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

t.test('one bad book of a batch does not take its neighbours with it', async (t) => {
  const { poller, counters, states } = await poll(t, () => [
    200,
    {
      orderbooks: [
        { ticker: 'KXTEST-0001', ...BOOK },
        { ticker: 'KXTEST-0002', orderbook_fp: 'none today' },
        'not an object',
        { ticker: 'KXTEST-0003', ...BOOK }
      ]
    }
  ])
  await until(() => poller.isSettled)
  t.same(states(), [null, 'drift', null])
  t.ok((counters.ignored.get('drift') ?? 0) > 0, 'and it is counted')
})

t.test(
  'a polled book in a new form is told of once, with a sample, until it was understood again',
  async (t) => {
    let isRenamed = true
    const { counters, states, drifts } = await poll(
      t,
      () => [200, { orderbooks: [{ ticker: 'KXTEST-0001', ...(isRenamed ? RENAMED : BOOK) }] }],
      1
    )
    await until(() => (counters.ignored.get('drift') ?? 0) >= 3)
    t.same(drifts, [['kalshi:KXTEST-0001', RENAMED.orderbook_fp]])
    isRenamed = false
    await until(() => states()[0] === null)
    isRenamed = true
    await until(() => states()[0] === 'drift')
    t.equal(drifts.length, 2)
  }
)

for (const [what, status, body] of [
  ['does not know the batch endpoint', 404, { error: { code: 'not_found', message: 'not found' } }],
  ['refuses the batch endpoint', 403, {}],
  ['answers batches in another form', 200, { books: [] }]
] as const)
  t.test(`a venue that ${what} is asked for single books`, async (t) => {
    const { poller, states } = await poll(t, (path) =>
      path === '/markets/orderbooks' ? [status, body] : [200, BOOK]
    )
    await until(() => poller.isSettled && states().every((reason) => reason === null))
    t.pass('all books came')
  })

t.test(
  'batches that fail for a while are asked for again, and readiness does not wait for them',
  async (t) => {
    let isDown = true
    const { poller, states } = await poll(t, (path) => {
      if (path !== '/markets/orderbooks') return [404, {}]
      if (isDown) return [503, {}]
      return [200, { orderbooks: [1, 2, 3].map((n) => ({ ticker: `KXTEST-000${n}`, ...BOOK })) }]
    })
    await until(() => poller.isSettled)
    t.same(states(), ['awaiting_snapshot', 'awaiting_snapshot', 'awaiting_snapshot'])
    isDown = false
    await until(() => states().every((reason) => reason === null))
  }
)

t.test('readiness does not wait for markets that come all the time', async (t) => {
  let list = () => {}
  const polled = await poll(t, (path) => {
    if (path === '/markets/orderbooks') return [404, {}]
    list()
    return [200, BOOK]
  })
  list = polled.list
  await until(() => polled.poller.isSettled)
  t.ok(polled.states().includes('awaiting_snapshot'), 'the newest was not asked for yet')
})

t.test('a long first round calls no book overdue that it has had', async (t) => {
  const answer = (path: string): [number, unknown] =>
    path === '/markets/orderbooks' ? [404, {}] : [200, BOOK]
  const { poller, states } = await poll(t, answer, 16, 600)
  const seen = new Set<string | null>()
  await until(() => {
    for (const reason of states()) seen.add(reason)
    return poller.isSettled
  })
  t.same([...seen].sort(), ['awaiting_snapshot', null])
})
