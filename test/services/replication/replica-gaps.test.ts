import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { ChangeWriter } from '../../../services/replication/change-writer.ts'
import { clusterKeys } from '../../../services/replication/keys.ts'
import { type Lease, leaseOf } from '../../../services/replication/lease.ts'
import { type RedisArgument, RedisLink } from '../../../services/replication/redis.ts'
import { ReplicaFeed } from '../../../services/replication/replica-feed.ts'
import { ACQUIRE, RELEASE } from '../../../services/replication/scripts.ts'
import { shardOf } from '../../../services/replication/shards.ts'
import { getDetail } from '../../../services/snapshots/aggregate.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import type { TradeNote } from '../../../services/venue/wire-tap.ts'
import { createRandom } from '../../../simulator/model/random.ts'
import { market, serve } from '../../helper.ts'
import { inspector, NO_REDIS, ownCluster, REDIS_URL, until } from './real-redis.ts'

t.setTimeout(120_000)

const SHARDS = 4
const MARKETS = 40
const silent = { info: () => {}, warn: () => {} }

function newStore(capacityMarkets = 200): SnapshotStore {
  return new SnapshotStore({ capacityMarkets, capacityLevels: 20_000 })
}

async function connect(t: Test): Promise<RedisLink> {
  const link = new RedisLink({ url: REDIS_URL, name: 'test', log: silent })
  link.start()
  t.teardown(() => link.stop())
  await until(() => link.isReady, 'Redis is there')
  return link
}

/** A writer of all shards, under leases that the test takes by hand. */
async function startWriter(t: Test, cluster: string, store: SnapshotStore) {
  const redis = await connect(t)
  const keys = clusterKeys(cluster, SHARDS)
  const lost: Lease[] = []
  const writer = new ChangeWriter({
    store,
    redis,
    keys,
    shards: SHARDS,
    completeFor: () => ['kalshi', 'polymarket'],
    onLost: (lease) => lost.push(lease)
  })
  writer.start()
  t.teardown(() => writer.stop())
  const leases: Lease[] = []
  const take = async (member: string) => {
    for (let shard = 0; shard < SHARDS; shard++) {
      const call = { keys: [keys.lease(shard), keys.epoch(shard)], args: [member, 60_000] }
      const epoch = Number(String(await redis.run({ script: ACQUIRE, ...call })))
      if (epoch === 0) throw new Error('the lease is held')
      leases[shard] = leaseOf(shard, epoch, member)
      writer.take(leases[shard] as Lease)
    }
  }
  const release = async () => {
    for (const { shard, text } of leases) {
      writer.drop(shard)
      await redis.run({ script: RELEASE, keys: [keys.lease(shard)], args: [text] })
    }
  }
  return { writer, lost, take, release }
}

/** A store of markets and a writer that tells all of it. */
async function writing(t: Test) {
  const cluster = ownCluster()
  inspector(t, REDIS_URL, cluster)
  const source = newStore()
  for (let n = 0; n < MARKETS; n++) serve(source, market(n))
  const { writer, take } = await startWriter(t, cluster, source)
  await take('writer')
  return { cluster, source, writer }
}

type Streams = [stream: Buffer, entries: unknown[]][]

/** A connection whose reads of streams go through a test's hands. */
function reading(link: RedisLink, read: (ask: () => Promise<Streams | null>) => Promise<Streams | null>) {
  return {
    get isReady() {
      return link.isReady
    },
    get status() {
      return link.status
    },
    call: async (command: string, ...args: RedisArgument[]) => {
      const ask = () => link.call(command, ...args)
      return command === 'XREAD' ? read(ask as () => Promise<Streams | null>) : ask()
    }
  }
}

function startReplica(
  t: Test,
  cluster: string,
  store: SnapshotStore,
  redis: Pick<RedisLink, 'call' | 'isReady' | 'status'>,
  lagMaxMs = 60_000,
  onTrade: (trade: TradeNote) => void = () => {}
) {
  const replica = new ReplicaFeed({
    store,
    redis,
    keys: clusterKeys(cluster, SHARDS),
    shards: SHARDS,
    lagMaxMs,
    onTrade,
    log: silent
  })
  replica.start()
  t.teardown(() => replica.stop())
  return replica
}

function differing(one: SnapshotStore, other: SnapshotStore): string[] {
  const ids = new Set([...one.records(), ...other.records()].map(({ id }) => id))
  return [...ids].filter((id) => {
    const [a, b] = [one.get(id), other.get(id)]
    if (a === undefined || b === undefined) return true
    return JSON.stringify(getDetail(one, a, 100)) !== JSON.stringify(getDetail(other, b, 100))
  })
}

function change(store: SnapshotStore, random: ReturnType<typeof createRandom>): void {
  const record = store.get(market(random.int(MARKETS)).id)
  if (record === undefined) return
  const outcome = random.chance(0.5) ? YES : NO
  store.books.arena.setLevel(record.slot, outcome, 100 * random.between(1, 40), random.int(5) * 1_000_000)
  store.books.touch(record.slot)
}

t.test(
  'a replica notices every entry that it missed, says so, and mends itself',
  { skip: NO_REDIS },
  async (t) => {
    const { cluster, source } = await writing(t)
    const link = await connect(t)
    let loses = 0
    const random = createRandom(3)
    const lossy = reading(link, async (ask) => {
      // Several entries a read: one that is missing at the end is only read again.
      if (loses > 0) await sleep(80)
      const streams = await ask()
      if (loses === 0 || streams === null) return streams
      return streams.map(([stream, entries]) => [stream, entries.filter(() => !random.chance(0.3))])
    })
    const copy = newStore()
    const replica = startReplica(t, cluster, copy, lossy)
    await until(() => replica.isFilled && differing(source, copy).length === 0, 'it was filled')
    t.equal(replica.status().gaps, 0)
    const seen = new Set<string | null>()
    const watching = setInterval(() => {
      for (const { slot } of copy.records()) seen.add(copy.books.verdicts.reason(slot))
    }, 1)
    const changing = setInterval(() => {
      for (let i = 0; i < 5; i++) change(source, random)
    }, 2)
    t.teardown(() => {
      clearInterval(watching)
      clearInterval(changing)
    })
    loses = 1
    await until(() => replica.status().gaps >= 5, 'it missed something')
    loses = 0
    clearInterval(changing)
    await until(() => differing(source, copy).length === 0, 'it is the same again')
    t.ok(seen.has('replica_gap'), 'it said so meanwhile')
    t.ok(replica.status().fills > SHARDS)
  }
)

t.test(
  'a new writer’s word replaces the old one’s, and what it does not serve is gone',
  { skip: NO_REDIS },
  async (t) => {
    const cluster = ownCluster()
    inspector(t, REDIS_URL, cluster)
    const first = newStore()
    for (let n = 0; n < MARKETS; n++) serve(first, market(n))
    const one = await startWriter(t, cluster, first)
    await one.take('one')
    const copy = newStore()
    const replica = startReplica(t, cluster, copy, await connect(t))
    await until(() => differing(first, copy).length === 0, 'it follows the first')

    const second = newStore()
    for (let n = 0; n < MARKETS - 5; n++)
      serve(second, market(n, { title: `As the second writer has number ${n}` }))
    const other = await startWriter(t, cluster, second)
    await one.release()
    await other.take('other')
    await until(() => differing(second, copy).length === 0, 'it follows the second')
    t.equal(copy.size, MARKETS - 5)
    t.match(replica.status(), { gaps: 0, unreadable: 0 })
  }
)

t.test(
  'a store that is too small says what it leaves out, and serves the rest',
  { skip: NO_REDIS },
  async (t) => {
    const { cluster, source } = await writing(t)
    const copy = newStore(30)
    const replica = startReplica(t, cluster, copy, await connect(t))
    await until(() => replica.isFilled && copy.size === 30, 'it was filled')
    const random = createRandom(4)
    for (let i = 0; i < 200; i++) change(source, random)
    await until(() => replica.status().withoutRoom === MARKETS - 30, 'it counts the others')
    await until(() => differing(source, copy).length === MARKETS - 30, 'the rest is the same')
    t.equal(replica.status().gaps, 0)
  }
)

t.test('silence is lag, and lag is said of every book', { skip: NO_REDIS }, async (t) => {
  const { cluster, source, writer } = await writing(t)
  const copy = newStore()
  const replica = startReplica(t, cluster, copy, await connect(t), 1_500)
  const states = () => new Set([...copy.records()].map(({ slot }) => copy.books.verdicts.reason(slot)))
  await until(() => replica.isFilled && differing(source, copy).length === 0, 'it was filled')
  await until(() => states().size === 1 && states().has(null), 'every book is live')
  await writer.stop()
  await until(() => states().size === 1 && states().has('replica_lagging'), 'every book is stale')
  t.equal(replica.status().laggingShards, SHARDS)
  t.ok((replica.status().lagMs ?? 0) >= 1_500)
})

t.test('every trade reaches a replica once, in its order', { skip: NO_REDIS }, async (t) => {
  const { cluster, writer } = await writing(t)
  const heard: TradeNote[] = []
  const replica = startReplica(t, cluster, newStore(), await connect(t), 60_000, (trade) => heard.push(trade))
  await until(() => replica.isFilled, 'the replica is filled')
  const told = Array.from({ length: 2_000 }, (_, n) => ({
    marketId: market(0).id,
    tradeId: n % 2 === 0 ? `trade-${n}` : null,
    venueTimeMs: n % 3 === 0 ? null : 1_700_000_000_000 + n,
    receivedAtMs: 1_700_000_000_000 + n,
    price: 1 + n,
    size: 1_000_000 + n,
    takerSide: (['yes', 'no', null] as const)[n % 3] ?? null
  }))
  for (const trade of told) writer.traded(trade)
  writer.traded({ ...(told[0] as TradeNote), marketId: 'kalshi:NOT-SERVED' })
  await until(() => heard.length >= told.length, 'all are heard')
  t.strictSame(heard, told)
  t.equal(writer.status().lostTrades, 0)
})

t.test(
  'a market that left and came back, with versions that begin anew, is never the one it was',
  { skip: NO_REDIS },
  async (t) => {
    const { cluster, source } = await writing(t)
    const link = await connect(t)
    let drops = false
    let isDeaf = false
    const failing = reading(link, async (ask) => {
      if (isDeaf) {
        await sleep(20)
        return null
      }
      const streams = await ask()
      if (!drops || streams === null) return streams
      drops = false
      return streams.map(([stream, entries]) => [stream, entries.slice(1)])
    })
    const copy = newStore()
    const replica = startReplica(t, cluster, copy, failing)
    const isSame = () => replica.isFilled && differing(source, copy).length === 0
    await until(isSame, 'it was filled')
    const { id } = market(0)
    /** The level makes it seen when the replica has heard of it. */
    const grow = (size: number) => {
      const slot = source.get(id)?.slot as number
      for (let n = 0; n < 500; n++) source.books.touch(slot)
      source.books.arena.setLevel(slot, YES, 1_900, size)
      source.books.touch(slot)
    }
    const books = clusterKeys(cluster, SHARDS).books(shardOf(market(0), SHARDS))
    const isWhole = async () => (await link.call('HGET', books, id)) !== null
    /** Comes to a slot of low versions, with another book. */
    const back = (size: number) => {
      for (let n = 1; n < 6; n++) source.remove(market(n).id)
      const record = serve(source, market(0))
      source.books.arena.setLevel(record.slot, YES, 1_700, size)
      source.books.touch(record.slot)
      for (let n = 1; n < 6; n++) serve(source, market(n))
    }
    grow(17_000_000)
    await until(isSame, 'its versions are high')
    // Between two writes.
    source.remove(id)
    back(11_000_000)
    await until(isSame, 'it is the new one')

    grow(19_000_000)
    await until(isSame, 'its versions are high again')
    isDeaf = true
    source.remove(id)
    await until(async () => !(await isWhole()), 'it is gone at Redis')
    back(13_000_000)
    await until(isWhole, 'it is back at Redis')
    drops = true
    isDeaf = false
    await until(() => replica.status().gaps > 0, 'an entry was missed')
    await until(isSame, 'it is the new one again')
  }
)
