import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import operatorWarnings from '../../plugins/operator-warnings.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import type { FeedStatus, VenueFeed } from '../../services/venue/port.ts'
import { market } from '../helper.ts'

t.test('books without room and a venue without markets are told of once, not at every look', async (t) => {
  const lines: { msg: string; books?: number; venue?: string }[] = []
  const stream = { write: (line: string) => lines.push(JSON.parse(line)) }
  const app = Fastify({ logger: { level: 'warn', stream } })
  t.teardown(() => app.close())
  const store = new SnapshotStore({ capacityMarkets: 4, capacityLevels: 8 })
  const record = store.put(market(1), '')
  store.books.raise(record?.slot as number, 'arena_full')
  let looks = 0
  const feed = (venue: 'kalshi' | 'polymarket', selected: number, lastAtMs: number | null) => ({
    venue,
    status: () => {
      looks++
      return { venue, discovery: { selected, lastAtMs, lastError: null } } as FeedStatus
    }
  })
  const feeds = [feed('polymarket', 0, 5), feed('kalshi', 3, 5), feed('kalshi', 0, null)]
  const decorate = (name: string, plugin: string, value: unknown) =>
    app.register(fp(async (inner) => void inner.decorate(name, value), { name: plugin }))
  await decorate('snapshotStore', 'snapshot-store', store)
  await decorate('venueFeeds', 'venue-feeds', feeds as unknown as VenueFeed[])
  await app.register(operatorWarnings, { lookEveryMs: 2 })
  await app.listen({ host: '127.0.0.1', port: 0 })
  while (looks < 12) await sleep(2)
  t.match(lines, [
    { books: 1, levels: 8, msg: /raise BOOK_LEVELS_MAX/ },
    { venue: 'polymarket', msg: /no market is selected/ }
  ])
  t.equal(lines.length, 2)
})
