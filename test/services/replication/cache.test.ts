import { decode } from '@msgpack/msgpack'
import t from 'tap'
import type { ReplicationHealth } from '../../../schemas/replication-health.ts'
import { NO } from '../../../services/orderbook/arena.ts'
import { getAggregate } from '../../../services/snapshots/aggregate.ts'
import { market, serve } from '../../helper.ts'
import { startRole } from './apps.ts'
import { inspector, NO_REDIS_SERVER, OwnRedis, until } from './real-redis.ts'

const SECONDS = { CACHE_TTL_MARKET_S: 8, CACHE_TTL_BOOK_S: 4, CACHE_TTL_PRICE_S: 2 }

t.test(
  'the cache holds markets, books and prices, alive as long as they are served',
  { skip: NO_REDIS_SERVER },
  async (t) => {
    const server = await OwnRedis.start(t)
    const redis = inspector(t, server.url)
    const app = await startRole(t, 'all', { REDIS_URL: server.url, CLUSTER_NAME: 'cache', ...SECONDS })
    const store = app.snapshotStore
    const record = serve(store, market(1))
    const keys = ['market:kalshi:KXTEST-0001', 'orderbook:kalshi:KXTEST-0001', 'price:kalshi:KXTEST-0001']
    const read = async (key: string) => {
      const bytes = await redis.getBuffer(key)
      return bytes === null ? null : (decode(bytes) as Record<string, unknown>)
    }
    await until(async () => (await redis.exists(keys)) === 3, 'all three are there')
    const { orderBook, quotes, verdict, lastUpdatedMs } = getAggregate(store, record, 100)
    t.strictSame(await read(keys[0] as string), { market: record.market, rules: record.rules })
    t.strictSame(await read(keys[1] as string), { id: record.id, orderBook, verdict, lastUpdatedMs })
    t.strictSame(await read(keys[2] as string), { id: record.id, quotes, verdict, lastUpdatedMs })
    t.ok((await redis.pttl(keys[2] as string)) <= 2_000)
    t.ok((await redis.pttl(keys[0] as string)) > 4_000)

    t.comment('a quiet book does not expire')
    const quietUntilMs = performance.now() + 5_000
    let gone = 0
    await until(async () => {
      if ((await redis.exists(keys)) !== 3) gone++
      return performance.now() > quietUntilMs
    }, 'it was quiet for long')
    t.equal(gone, 0)

    t.comment('a change is there soon, and Redis that lost everything is filled again')
    store.books.arena.setLevel(record.slot, NO, 6_600, 5_000_000)
    store.books.touch(record.slot)
    await until(async () => {
      const book = (await read(keys[1] as string)) as { orderBook: { asks: { price: string }[] } } | null
      return book?.orderBook.asks[0]?.price === '0.34'
    }, 'the change is there')
    await server.kill()
    await server.run()
    await until(async () => (await redis.exists(keys).catch(() => 0)) === 3, 'all three are there again')

    t.comment('reads are counted, and hit or miss')
    const { cache } = app.replication as NonNullable<typeof app.replication>
    t.match(await cache.getBook('kalshi', 'KXTEST-0001'), { id: record.id })
    t.match(await cache.getPrice('kalshi', 'KXTEST-0001'), { quotes: { usable: true } })
    t.match(await cache.getMarket('kalshi', 'KXTEST-0001'), { rules: record.rules })
    t.equal(await cache.getMarket('kalshi', 'NONE'), null)
    t.match(app.getHealth().replication?.cache, { hits: 3, misses: 1, readFailures: 0 })
    t.match((await app.inject('/metrics')).body, /crossbook_cache_reads_total\{what="hit"\} 3/)

    store.remove(record.id)
    await until(async () => (await redis.exists(keys)) === 0, 'what is no longer served expires')
  }
)

t.test(
  'by default a market lives for 5 minutes, a book for 10 s and a price for 5 s, and changes are conflated',
  { skip: NO_REDIS_SERVER },
  async (t) => {
    const MARKETS = 100
    const server = await OwnRedis.start(t)
    const redis = inspector(t, server.url)
    const app = await startRole(t, 'all', { REDIS_URL: server.url, CLUSTER_NAME: 'ttls' })
    const store = app.snapshotStore
    const records = Array.from({ length: MARKETS }, (_, n) => serve(store, market(n)))
    const status = () => app.replication?.health().cache as ReplicationHealth['cache']
    await until(async () => (await redis.dbsize()) === 3 * MARKETS, 'all keys are there')

    const longest = new Map<string, number>()
    const lives = [
      ['market', 300_000],
      ['orderbook', 10_000],
      ['price', 5_000]
    ] as const
    let title = 0
    await until(async () => {
      // All three are written again.
      store.patch(market(1).id, { title: `Title ${++title}` })
      for (const [name] of lives) {
        const leftMs = await redis.pttl(`${name}:kalshi:KXTEST-0001`)
        longest.set(name, Math.max(longest.get(name) ?? 0, leftMs))
      }
      return lives.every(([name, ms]) => (longest.get(name) as number) > ms - 1_000)
    }, 'each is seen soon after it was written')
    for (const [name, ms] of lives)
      t.ok((longest.get(name) as number) <= ms, `${name}: ${longest.get(name)} ms`)

    const calls = async (command: string) =>
      Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await redis.info('commandstats'))?.[1] ?? 0)
    await until(() => status().pending === 0, 'all is written')
    const before = { written: status().written, sets: await calls('set'), scripts: await calls('evalsha') }
    for (let times = 0; times < 50; times++) for (const { slot } of records) store.books.touch(slot)
    await until(async () => (await calls('set')) >= before.sets + 2 * MARKETS, 'all were written')
    t.equal(status().written - before.written, MARKETS, 'each once for 50 changes')
    t.equal((await calls('set')) - before.sets, 2 * MARKETS, 'its book and its price')
    const scripts = (await calls('evalsha')) - before.scripts
    t.ok(scripts < MARKETS / 2, `in ${scripts} scripts`)
  }
)
