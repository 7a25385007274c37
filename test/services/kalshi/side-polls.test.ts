import t, { type Test } from 'tap'
import type { KalshiFeedOptions } from '../../../services/kalshi/feed.ts'
import { follow, until } from './live-feed.ts'

/** A streamed feed that is polled as often as it can be; its audits come too seldom to explain a read. */
async function polled(t: Test, options: Partial<KalshiFeedOptions> = {}) {
  const world = await follow(t, {}, 3_600_000, options, async () => ({ KALSHI_POLL_INTERVAL_MS: 250 }))
  const polls = () => {
    const counts = world.audit()?.polls
    if (counts === undefined) throw new Error('books are not streamed')
    return counts
  }
  return { ...world, polls }
}

t.test('books are polled beside the stream, which goes on unharmed', async (t) => {
  const { polls, markets, verdict, feed, incidents } = await polled(t)
  await until(() => polls().books >= 3 * markets().length)
  t.ok(polls().equal > 0)
  t.ok(markets().every((one) => verdict(one)?.state === 'live' && verdict(one)?.source === 'websocket'))
  t.equal(feed.status().source, 'websocket')
  t.equal(incidents.total, 0)
})

t.test('REST that fails neither hurts streamed books nor ends the polls', async (t) => {
  const { simulator, polls, markets, verdict } = await polled(t)
  await until(() => polls().reads > 0)
  simulator.faults.set('kalshi', 'rest_status', { status: 503 })
  await until(() => polls().failed > 0)
  t.ok(markets().every((one) => verdict(one)?.state === 'live'))
  simulator.faults.clear('rest_status')
  const { books } = polls()
  await until(() => polls().books > books)
  t.ok(markets().every((one) => verdict(one)?.state === 'live'))
})

t.test(
  'books of a stream that is down are polled on, and are neither proved nor made live by it',
  async (t) => {
    const { simulator, polls, markets, verdict } = await polled(t)
    simulator.faults.set('kalshi', 'refuse_upgrade')
    simulator.faults.set('kalshi', 'cut_socket')
    await until(() => markets().every((one) => verdict(one)?.reason === 'disconnected'))
    const provedAt = () => markets().map((one) => verdict(one)?.verifiedAtMs)
    const before = provedAt()
    const { books } = polls()
    await until(() => polls().books >= books + 2 * markets().length)
    t.ok(markets().every((one) => verdict(one)?.reason === 'disconnected'))
    t.same(provedAt(), before)
  }
)

t.test('a handover goes on as polls do', async (t) => {
  const { feed, polls, markets, verdict } = await polled(t)
  const doubtful = new Set<string>()
  const watching = setInterval(() => {
    for (const one of markets()) if (verdict(one)?.state !== 'live') doubtful.add(one.id)
  }, 5)
  t.teardown(() => clearInterval(watching))
  const { books } = polls()
  const report = await feed.recycle({ signal: new AbortController().signal, onProgress: () => {} })
  t.match(report.connections, [{ outcome: 'swapped' }])
  await until(() => polls().books >= books + 2 * markets().length)
  t.same([...doubtful], [])
})

t.test('a stop does not wait for a read that is under way', async (t) => {
  const told: number[] = []
  const { simulator, feed, polls } = await polled(t, {
    history: {
      wire: null,
      onTrade: () => {},
      onGap: () => {},
      onPolled: () => {
        told.push(1)
      }
    }
  })
  await until(() => polls().reads > 0)
  simulator.faults.set('kalshi', 'rest_slow', { ms: 8_000 })
  const { requests } = feed.status().rest
  await until(() => feed.status().rest.requests > requests)
  const before = told.length
  const startedMs = performance.now()
  await feed.stop()
  t.ok(performance.now() - startedMs < 4_000, `${performance.now() - startedMs} ms`)
  t.equal(told.length, before)
  t.match(polls(), { books: before })
})
