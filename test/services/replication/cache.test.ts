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
    await until(() => status().written > before.written && status().pending === 0, 'all were written')
    t.equal(status().written - before.written, MARKETS, 'each once for 50 changes')
    t.equal((await calls('set')) - before.sets, 2 * MARKETS, 'its book and its price')
    const scripts = (await calls('evalsha')) - before.scripts
    t.ok(scripts < MARKETS / 2, `in ${scripts} scripts`)
  }
)

t.test(
  'a replica that has a market not yet answers it from the cache, as stale as it is, and counts hits and misses',
  { skip: NO_REDIS_SERVER },
  async (t) => {
    const server = await OwnRedis.start(t)
    const redis = inspector(t, server.url)
    const settings = { REDIS_URL: server.url, CLUSTER_NAME: 'elsewhere' }
    const writer = await startRole(t, 'all', settings)
    const { id } = serve(writer.snapshotStore, market(1))
    const { id: halted } = serve(writer.snapshotStore, market(2, { status: 'halted' }))
    await until(async () => (await redis.dbsize()) === 6, 'the cache has both')
    // Nobody writes what would fill it.
    const replica = await startRole(t, 'api', settings)
    const ask = async (app: typeof replica, path: string) => {
      const response = await app.inject(`/v1/markets/${path}`)
      return { status: response.statusCode, body: response.json() }
    }
    const reads = () => {
      const { hits, misses, readFailures } = (
        replica.replication as NonNullable<typeof replica.replication>
      ).health().cache
      return { hits, misses, readFailures }
    }
    await until(() => replica.replication?.health().redis.state === 'ready', 'Redis is there')

    for (const [path, verdict] of [
      [`${id}?depth=3`, { state: 'stale', reason: 'replica_lagging' }],
      [halted, { state: 'halted', reason: 'venue_paused' }]
    ] as const) {
      const [told, known] = [await ask(replica, path), await ask(writer, path)]
      t.equal(told.status, 200)
      t.strictSame(told.body, {
        ...known.body,
        quotes: { ...known.body.quotes, usable: false },
        verdict: { ...known.body.verdict, ...verdict }
      })
    }
    t.match(await ask(replica, 'kalshi:NONE'), { status: 503, body: { code: 'NOT_READY' } })
    t.match(await ask(replica, 'nonsense'), { status: 503 })
    t.match(await ask(replica, 'index'), { status: 503 }, 'lists wait until all is there')
    t.same(reads(), { hits: 2, misses: 2, readFailures: 0 })
    t.match((await replica.inject('/metrics')).body, /crossbook_cache_reads_total\{what="hit"\} 2/)

    await server.kill()
    await until(() => replica.replication?.health().redis.state !== 'ready', 'Redis is gone')
    t.match(await ask(replica, id), { status: 503 })
    t.match(reads(), { hits: 2, readFailures: 1 })
  }
)

t.test(
  'a replica that was filled asks the cache for nothing: what its writer removed is gone at once',
  { skip: NO_REDIS_SERVER },
  async (t) => {
    const server = await OwnRedis.start(t)
    const redis = inspector(t, server.url)
    const settings = { REDIS_URL: server.url, CLUSTER_NAME: 'removed' }
    const ingest = await startRole(t, 'ingest', settings)
    const { id } = serve(ingest.snapshotStore, market(1))
    const replica = await startRole(t, 'api', settings)
    const status = async () => (await replica.inject(`/v1/markets/${id}`)).statusCode
    await until(
      () => replica.replication?.isReady === true && replica.snapshotStore.size === 1,
      'it was filled'
    )
    await until(async () => (await redis.keys('price:*')).length === 1, 'the cache has it')
    t.equal(await status(), 200)
    ingest.snapshotStore.remove(id)
    await until(() => replica.snapshotStore.size === 0, 'the replica heard of it')
    t.equal(await redis.exists('price:kalshi:KXTEST-0001'), 1, 'the cache has it still')
    t.equal(await status(), 404)
    t.match(replica.replication?.health().cache, { hits: 0, misses: 0 })
  }
)
