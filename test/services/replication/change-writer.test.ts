import t from 'tap'
import type { Market } from '../../../schemas/market.ts'
import { YES } from '../../../services/orderbook/arena.ts'
import { clusterKeys, MARK_FIELD } from '../../../services/replication/keys.ts'
import { shardOf } from '../../../services/replication/shards.ts'
import type { SnapshotStore } from '../../../services/snapshots/store.ts'
import { market, serve } from '../../helper.ts'
import { inspector, NO_REDIS, ownCluster, REDIS_URL, until } from './real-redis.ts'
import {
  connect,
  differing,
  EVERY_SHARD,
  MARKETS,
  newStore,
  nextRound,
  SHARDS,
  startReplica,
  startWriter,
  writing
} from './writer-and-replica.ts'

t.setTimeout(120_000)

t.test(
  'after the connection was made anew all whole books are written again, though nothing changed',
  { skip: NO_REDIS },
  async (t) => {
    const { cluster, source, link, inspected: redis } = await writing(t)
    const keys = clusterKeys(cluster, SHARDS)
    const heldBooks = async () => {
      const fields = await Promise.all(EVERY_SHARD.map((shard) => redis.hkeys(keys.books(shard))))
      return fields.flat().filter((field) => field !== MARK_FIELD).length
    }
    await until(async () => (await heldBooks()) === MARKETS, 'every book is written')
    await nextRound(redis, cluster)

    await redis.del(EVERY_SHARD.map(keys.books))
    const clients = String(await redis.client('LIST')).split('\n')
    const [, id = ''] = clients.find((one) => one.includes(` name=${cluster} `))?.match(/^id=(\d+)/) ?? []
    await redis.client('KILL', 'ID', id)
    await until(() => link.status.connects === 2, 'the connection is made anew')
    await until(async () => (await heldBooks()) === MARKETS, 'every book is written again')
    const copy = newStore()
    startReplica(t, cluster, copy, await connect(t))
    await until(() => differing(source, copy).length === 0, 'who comes now finds all of it')
  }
)

t.test(
  'a market that moves to another event goes to the shard of that, and to its event on the replica',
  { skip: NO_REDIS },
  async (t) => {
    const cluster = ownCluster()
    const redis = inspector(t, REDIS_URL, cluster)
    const keys = clusterKeys(cluster, SHARDS)
    const moved = market(0)
    const old = moved.eventId as string
    const from = shardOf(moved, SHARDS)
    const [home = moved] = Array.from({ length: 50 }, (_, n) =>
      market(1, { eventId: `kalshi:KXTEST-HOME-${n}` })
    ).filter((one) => shardOf(one, SHARDS) !== from)
    const to = shardOf(home, SHARDS)
    /** Every ingest process knows all markets, and writes those of its shards. */
    const start = async (member: string, shards: number[]) => {
      const store = newStore()
      for (const one of [moved, market(3), home]) serve(store, one)
      const { take } = await startWriter(t, cluster, store)
      await take(member, shards)
      return store
    }
    const one = await start(
      'one',
      EVERY_SHARD.filter((shard) => shard !== to)
    )
    const other = await start('other', [to])
    const copy = newStore()
    const replica = startReplica(t, cluster, copy, await connect(t))
    const membersOf = (eventId: string) => copy.getEvent(eventId)?.marketIds
    await until(() => differing(one, copy).length === 0, 'the replica has all')
    t.strictSame([membersOf(old), membersOf(home.eventId as string)], [[moved.id, market(3).id], [home.id]])
    await nextRound(redis, cluster)

    for (const store of [one, other]) store.patch(moved.id, { eventId: home.eventId })
    const setBid = (store: SnapshotStore, size: number) => {
      const { slot } = store.get(moved.id) as { slot: number }
      store.books.arena.setLevel(slot, YES, 1_900, size)
      store.books.touch(slot)
    }
    setBid(other, 7_000_000)
    await until(() => differing(other, copy).length === 0, 'the replica has it from its new writer')
    t.strictSame([membersOf(old), membersOf(home.eventId as string)], [[market(3).id], [moved.id, home.id]])
    setBid(one, 5_000_000)
    setBid(other, 9_000_000)
    await until(() => differing(other, copy).length === 0, 'and follows it')
    await nextRound(redis, cluster)
    t.equal(await redis.hexists(keys.books(from), moved.id), 0, 'its old shard keeps nothing of it')
    t.equal(await redis.hexists(keys.books(to), moved.id), 1)
    t.same(differing(other, copy), [])
    t.equal(replica.status().gaps, 0)
  }
)

t.test(
  'what a new writer does not serve of a venue is gone once that venue is known to it, and not before',
  { skip: NO_REDIS },
  async (t) => {
    const cluster = ownCluster()
    inspector(t, REDIS_URL, cluster)
    const late = (n: number, overrides: Partial<Market> = {}) =>
      market(n, {
        id: `polymarket:0x${n}`,
        venue: 'polymarket',
        venueMarketId: `0x${n}`,
        eventId: `polymarket:EVENT-${n % 3}`,
        ...overrides
      })
    const first = newStore()
    for (let n = 0; n < 8; n++) {
      serve(first, market(n))
      serve(first, late(n))
    }
    const one = await startWriter(t, cluster, first)
    await one.take('one')
    const copy = newStore()
    const replica = startReplica(t, cluster, copy, await connect(t))
    await until(() => differing(first, copy).length === 0, 'it follows the first')

    const second = newStore()
    for (let n = 0; n < 6; n++) serve(second, market(n))
    const known = ['kalshi']
    const other = await startWriter(t, cluster, second, { completeFor: () => [...known] })
    await one.release()
    await other.take('other')
    const held = (venue: string) => [...copy.records()].filter(({ market }) => market.venue === venue).length
    await until(() => held('kalshi') === 6, 'what it does not serve of the venue that it knows is gone')
    t.equal(held('polymarket'), 8, 'of the other one nothing is')
    const reasons = () => [...copy.records()].map(({ slot }) => copy.books.verdicts.reason(slot))
    await until(() => reasons().filter((reason) => reason === 'replica_lagging').length === 8, 'it says so')

    for (let n = 0; n < 5; n++) serve(second, late(n, { title: `Found late, number ${n}` }))
    await until(
      () => reasons().filter((reason) => reason === 'replica_lagging').length === 3,
      'it hears of them'
    )
    t.equal(held('polymarket'), 8)
    known.push('polymarket')
    await until(() => differing(second, copy).length === 0, 'the index is complete')
    t.equal(copy.size, 11)
    t.match(replica.status(), { gaps: 0, unreadable: 0 })
  }
)
