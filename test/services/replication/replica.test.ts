import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { clusterKeys } from '../../../services/replication/keys.ts'
import { RedisLink } from '../../../services/replication/redis.ts'
import type { SnapshotStore } from '../../../services/snapshots/store.ts'
import { createRandom } from '../../../simulator/model/random.ts'
import { market, serve } from '../../helper.ts'
import { differences, startRole, untilSame } from './apps.ts'
import { inspector, NO_REDIS, ownCluster, REDIS_URL } from './real-redis.ts'

/** Few: their events lose their last market now and then. */
const [MANY, FEW] = [60, 7]
const SHARDS = 8
const ROUNDS = 40
const LATE_REPLICAS = 4

t.setTimeout(300_000)

/** Changes a store as one round of changes does: the same seed, the same changes, at times that are said. */
function change(store: SnapshotStore, markets: number, seed: number, round: number): void {
  const random = createRandom(seed * ROUNDS + round)
  const { books } = store
  for (let times = 0; times < 50; times++) {
    const record = store.get(market(random.int(markets)).id)
    if (record === undefined) continue
    const { slot } = record
    const outcome = random.chance(0.5) ? YES : NO
    const price = 100 * random.between(1, outcome === YES ? 40 : 55)
    books.arena.setLevel(slot, outcome, price, random.chance(0.3) ? 0 : random.between(1, 9_999_999))
    books.received(slot, 1_790_000_000_000 + round, 1_790_000_000_000.5, round)
    if (random.chance(0.05)) books.raise(slot, 'sequence_gap')
    if (random.chance(0.2)) books.resynced(slot)
    if (random.chance(0.1)) books.verdicts.verified(slot, 1_790_000_000_123)
    if (random.chance(0.05)) books.setSource(slot, random.chance(0.5) ? 'poll' : 'websocket')
    books.touch(slot)
  }
  const n = random.int(markets)
  if (round % 4 === 0) store.remove(market(n).id)
  else if (round % 2 === 1) serve(store, market(n, { title: `Number ${n}, round ${round}` }))
  else if (round % 4 === 2) store.patch(market(n).id, { status: round % 8 === 2 ? 'halted' : 'open' })
  // Some of these are of other shards.
  for (let moved = 0; moved < 3; moved++)
    store.patch(market(random.int(markets)).id, {
      eventId: `kalshi:KXTEST-EVENT-${random.between(0, 4)}`
    })
  if (round % 10 !== 9) return
  const event = store.getEvent(`kalshi:KXTEST-EVENT-${random.between(0, 2)}`)
  if (event === undefined) return
  const { marketIds, ...header } = event
  store.putEvent({ ...header, title: `Renamed in round ${round}` })
  // The one that might have told it.
  store.remove(marketIds[0] as string)
}

/** Makes the connections of all replicas slow now and then, as a seed decides: whole books come late, and out of order. */
function slowDown(t: Test, seed: number): void {
  const random = createRandom(seed)
  const { call } = RedisLink.prototype
  t.intercept(RedisLink.prototype, 'call', {
    async value(this: RedisLink, command: string, ...args: never[]) {
      const reply = await call.call(this, command, ...args)
      if (command === 'HGETALL' || command === 'XREAD') await sleep(random.chance(0.3) ? random.int(120) : 0)
      return reply
    }
  })
}

/** Leaves next to nothing of some streams: whoever has not read them missed something. */
async function trim(redis: Redis, cluster: string, random: ReturnType<typeof createRandom>): Promise<void> {
  const keys = clusterKeys(cluster, SHARDS)
  for (let shard = 0; shard < SHARDS; shard++)
    if (random.chance(0.2)) await redis.xtrim(keys.changes(shard), 'MAXLEN', 1)
}

async function startCluster(t: Test, markets: number) {
  const CLUSTER_NAME = ownCluster()
  const redis = inspector(t, REDIS_URL, CLUSTER_NAME)
  const settings = { REDIS_URL, CLUSTER_NAME, SHARDS }
  const ingest = await startRole(t, 'ingest', settings)
  const alone = await startRole(t, 'all', { REDIS_URL: '', CLUSTER_NAME })
  const stores = [ingest.snapshotStore, alone.snapshotStore]
  for (const store of stores) for (let n = 0; n < markets; n++) serve(store, market(n))
  const addReplica = () => startRole(t, 'api', settings)
  const early = await addReplica()
  await untilSame(ingest, early, 'the first replica has all')
  return { redis, ingest, alone, early, stores, addReplica, cluster: CLUSTER_NAME }
}

t.test(
  'a replica answers byte for byte what its writer answers, and what a process alone does',
  { skip: NO_REDIS },
  async (t) => {
    const { ingest, alone, early, stores, addReplica } = await startCluster(t, MANY)
    for (let round = 0; round < ROUNDS; round++) {
      for (const store of stores) change(store, MANY, 1, round)
      await sleep(15)
    }
    t.same(await differences(ingest, alone), [], 'the same was done to both')
    await untilSame(alone, early, 'an early replica caught up')
    const late = await addReplica()
    await untilSame(alone, late, 'a late replica has the same')
    t.equal(late.snapshotStore.size, alone.snapshotStore.size)
    const status = early.replication?.health().replica
    t.match(status, { gaps: 0, withoutRoom: 0, unreadable: 0, filled: true })
    t.ok((status?.changes ?? 0) > ROUNDS)
  }
)

for (const markets of [MANY, FEW])
  t.test(
    `replicas that fill while ${markets} books change, that are slow and that miss something come to the same bytes`,
    { skip: NO_REDIS },
    async (t) => {
      const { redis, ingest, alone, early, stores, addReplica, cluster } = await startCluster(t, markets)
      slowDown(t, 5)
      const random = createRandom(11)
      let gaps = 0
      for (let seed = 2; seed < 2 + LATE_REPLICAS; seed++) {
        const startsIn = random.int(ROUNDS)
        let late: ReturnType<typeof addReplica> | undefined
        for (let round = 0; round < ROUNDS; round++) {
          if (round === startsIn) late = addReplica()
          for (const store of stores) change(store, markets, seed, round)
          if (random.chance(0.1)) await trim(redis, cluster, random)
          await sleep(random.int(40))
        }
        const replica = await (late ?? addReplica())
        t.same(await differences(ingest, alone), [], 'the same was done to both')
        await untilSame(alone, early, `an early replica has the books of seed ${seed}`)
        await untilSame(alone, replica, `one that started in round ${startsIn} has the books of seed ${seed}`)
        gaps += replica.replication?.health().replica?.gaps ?? 0
        await replica.close()
      }
      gaps += early.replication?.health().replica?.gaps ?? 0
      t.ok(gaps > 0, `${gaps} gaps were noticed`)
    }
  )
