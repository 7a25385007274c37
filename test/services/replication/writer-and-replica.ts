import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { ChangeWriter, type ChangeWriterOptions } from '../../../services/replication/change-writer.ts'
import { decodeMark } from '../../../services/replication/codec.ts'
import { clusterKeys, MARK_FIELD } from '../../../services/replication/keys.ts'
import { type Lease, leaseOf } from '../../../services/replication/lease.ts'
import { type RedisArgument, RedisLink } from '../../../services/replication/redis.ts'
import { ReplicaFeed } from '../../../services/replication/replica-feed.ts'
import { ACQUIRE, RELEASE } from '../../../services/replication/scripts.ts'
import { getDetail } from '../../../services/snapshots/aggregate.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import type { TradeNote } from '../../../services/venue/wire-tap.ts'
import type { createRandom } from '../../../simulator/model/random.ts'
import { market, serve } from '../../helper.ts'
import { inspector, ownCluster, REDIS_URL, until } from './real-redis.ts'

export const SHARDS = 4
export const MARKETS = 40
const silent = { info: () => {}, warn: () => {} }

export function newStore(capacityMarkets = 200): SnapshotStore {
  return new SnapshotStore({ capacityMarkets, capacityLevels: 20_000 })
}

export async function connect(t: Test, name = 'test'): Promise<RedisLink> {
  const link = new RedisLink({ url: REDIS_URL, name, log: silent })
  link.start()
  t.teardown(() => link.stop())
  await until(() => link.isReady, 'Redis is there')
  return link
}

export const EVERY_SHARD = Array.from({ length: SHARDS }, (_, shard) => shard)

/** A writer, under leases that the test takes by hand. */
export async function startWriter(
  t: Test,
  cluster: string,
  store: SnapshotStore,
  options: Partial<Pick<ChangeWriterOptions, 'completeFor'>> & { link?: RedisLink } = {}
) {
  const { link, completeFor = () => ['kalshi', 'polymarket'] } = options
  const redis = link ?? (await connect(t))
  const keys = clusterKeys(cluster, SHARDS)
  const lost: Lease[] = []
  const writer = new ChangeWriter({
    store,
    redis,
    keys,
    shards: SHARDS,
    completeFor,
    onLost: (lease) => lost.push(lease)
  })
  writer.start()
  t.teardown(() => writer.stop())
  const leases = new Map<number, Lease>()
  const take = async (member: string, shards: readonly number[] = EVERY_SHARD) => {
    for (const shard of shards) {
      const call = { keys: [keys.lease(shard), keys.epoch(shard)], args: [member, 60_000] }
      const epoch = Number(String(await redis.run({ script: ACQUIRE, ...call })))
      if (epoch === 0) throw new Error('the lease is held')
      const lease = leaseOf(shard, epoch, member)
      leases.set(shard, lease)
      writer.take(lease)
    }
  }
  const release = async () => {
    for (const { shard, text } of leases.values()) {
      writer.drop(shard)
      await redis.run({ script: RELEASE, keys: [keys.lease(shard)], args: [text] })
    }
  }
  return { writer, lost, take, release }
}

/** A store of markets and a writer that tells all of it. */
export async function writing(t: Test) {
  const cluster = ownCluster()
  const inspected = inspector(t, REDIS_URL, cluster)
  const source = newStore()
  for (let n = 0; n < MARKETS; n++) serve(source, market(n))
  const link = await connect(t, cluster)
  const { writer, take } = await startWriter(t, cluster, source, { link })
  await take('writer')
  return { cluster, source, writer, link, inspected }
}

type Streams = [stream: Buffer, entries: unknown[]][]

/** A connection whose commands go through a test's hands. */
export function through(
  link: RedisLink,
  call: (command: string, args: RedisArgument[], ask: () => Promise<unknown>) => Promise<unknown>
) {
  return {
    get isReady() {
      return link.isReady
    },
    get status() {
      return link.status
    },
    call: (command: string, ...args: RedisArgument[]) =>
      call(command, args, () => link.call(command, ...args))
  }
}

/** A connection whose reads of streams do. */
export function reading(
  link: RedisLink,
  read: (ask: () => Promise<Streams | null>) => Promise<Streams | null>
) {
  return through(link, (command, _, ask) =>
    command === 'XREAD' ? read(ask as () => Promise<Streams | null>) : ask()
  )
}

export function startReplica(
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

export function differing(one: SnapshotStore, other: SnapshotStore): string[] {
  const ids = new Set([...one.records(), ...other.records()].map(({ id }) => id))
  return [...ids].filter((id) => {
    const [a, b] = [one.get(id), other.get(id)]
    if (a === undefined || b === undefined) return true
    return JSON.stringify(getDetail(one, a, 100)) !== JSON.stringify(getDetail(other, b, 100))
  })
}

export function change(store: SnapshotStore, random: ReturnType<typeof createRandom>): void {
  const record = store.get(market(random.int(MARKETS)).id)
  if (record === undefined) return
  const outcome = random.chance(0.5) ? YES : NO
  store.books.arena.setLevel(record.slot, outcome, 100 * random.between(1, 40), random.int(5) * 1_000_000)
  store.books.touch(record.slot)
}

/** Returns the number of the entry that each shard's whole books are complete up to; 0 where there are none. */
export async function marks(redis: Redis, cluster: string): Promise<number[]> {
  const keys = clusterKeys(cluster, SHARDS)
  const found = await Promise.all(EVERY_SHARD.map((shard) => redis.hgetBuffer(keys.books(shard), MARK_FIELD)))
  return found.map((bytes) => (bytes === null ? 0 : (decodeMark(bytes)?.number ?? 0)))
}

/** Resolves once whole books of every shard were written in rounds that began after this. */
export async function nextRound(redis: Redis, cluster: string): Promise<void> {
  // What ends first may have begun before.
  for (let round = 0; round < 2; round++) {
    const before = await marks(redis, cluster)
    await until(
      async () => (await marks(redis, cluster)).every((number, shard) => number > (before[shard] as number)),
      'whole books are written'
    )
  }
}
