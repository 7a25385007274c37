import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { YES } from '../../../services/orderbook/arena.ts'
import { encodeEntry, encodeMark } from '../../../services/replication/codec.ts'
import { clusterKeys, MARK_FIELD } from '../../../services/replication/keys.ts'
import { shardOf } from '../../../services/replication/shards.ts'
import type { TradeNote } from '../../../services/venue/wire-tap.ts'
import { createRandom } from '../../../simulator/model/random.ts'
import { market, serve } from '../../helper.ts'
import { inspector, NO_REDIS, ownCluster, REDIS_URL, until } from './real-redis.ts'
import {
  change,
  connect,
  differing,
  MARKETS,
  newStore,
  nextRound,
  reading,
  SHARDS,
  startReplica,
  startWriter,
  writing
} from './writer-and-replica.ts'

t.setTimeout(120_000)

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
    const lacked = [...source.records()].filter(({ id }) => replica.mayLack(id))
    t.same(
      lacked.map(({ id }) => id),
      differing(source, copy),
      'it knows which'
    )
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
    const { cluster, source, inspected } = await writing(t)
    const link = await connect(t)
    let drops = false
    let isDeaf = false
    const failing = reading(link, async (ask) => {
      // One that waited for an answer when it became deaf does not hear that either.
      const streams = isDeaf ? await sleep(20, null) : await ask()
      if (isDeaf) return null
      if (!drops || streams === null) return streams
      drops = false
      return streams.map(([stream, entries]) => [stream, entries.slice(1)])
    })
    const copy = newStore()
    const replica = startReplica(t, cluster, copy, failing)
    const isSame = () => replica.isFilled && differing(source, copy).length === 0
    await until(isSame, 'it was filled')
    const { id } = market(0)
    let grown = 0
    /** The level makes it seen when the replica has heard of it. */
    const grow = (size: number) => {
      const slot = source.get(id)?.slot as number
      for (let n = 0; n < 500; n++) source.books.touch(slot)
      source.books.arena.setLevel(slot, YES, 1_900, size)
      source.books.touch(slot)
      grown = source.books.versions[slot] as number
    }
    const books = clusterKeys(cluster, SHARDS).books(shardOf(market(0), SHARDS))
    const isWhole = async () => (await link.call('HGET', books, id)) !== null
    const version = () => source.books.versions[source.get(id)?.slot as number] as number
    /** Comes to the slot of another market that was little changed, with another book. */
    const back = (size: number, other: number) => {
      source.remove(market(other).id)
      const record = serve(source, market(0))
      source.books.arena.setLevel(record.slot, YES, 1_700, size)
      source.books.touch(record.slot)
      serve(source, market(other))
      t.ok(version() < grown, `version ${version()} after ${grown}`)
    }
    grow(17_000_000)
    await until(isSame, 'its versions are high')
    // Between two writes.
    source.remove(id)
    back(11_000_000, 1)
    await until(isSame, 'it is the new one')

    grow(19_000_000)
    await until(isSame, 'its versions are high again')
    isDeaf = true
    source.remove(id)
    await until(async () => !(await isWhole()), 'it is gone at Redis')
    back(13_000_000, 2)
    await until(isWhole, 'it is back at Redis')
    // No entry that follows the whole books tells of it: the replica has to believe them.
    await nextRound(inspected, cluster)
    drops = true
    isDeaf = false
    await until(() => replica.status().gaps > 0, 'an entry was missed')
    await until(isSame, 'it is the new one again')
  }
)

t.test(
  'after a shard was filled anew, trades go on where they were: none twice, none of what follows left out',
  { skip: NO_REDIS },
  async (t) => {
    const cluster = ownCluster()
    const redis = inspector(t, REDIS_URL, cluster)
    const keys = clusterKeys(cluster, SHARDS)
    const write = (number: number, epoch = 1) => {
      const trade: TradeNote = {
        marketId: market(0).id,
        tradeId: `${epoch}.${number}`,
        venueTimeMs: null,
        receivedAtMs: 1_700_000_000_000,
        price: 4_200,
        size: 1_000_000,
        takerSide: null
      }
      const entry = { epoch, number, backlogMs: 0, changes: [], trades: [trade], completeFor: null }
      return redis.xadd(keys.changes(0), '*', 'e', encodeEntry(entry)) as Promise<string>
    }
    const mark = (number: number, entryId: string, epoch = 1) =>
      redis.hset(keys.books(0), MARK_FIELD, encodeMark({ epoch, number, entryId }))
    const heard: (string | null)[] = []
    const replica = startReplica(t, cluster, newStore(), await connect(t), 60_000, ({ tradeId }) =>
      heard.push(tradeId)
    )
    const filledAnew = async () => {
      const { fills } = replica.status()
      await until(() => replica.status().fills > fills, 'the shard is filled anew')
    }
    await mark(1, await write(1))
    for (const number of [2, 3, 4, 5]) await write(number)
    await until(() => heard.length === 4, 'trades are heard')

    t.comment('from whole books that are older than what was read')
    const unreadable = (await redis.xadd(keys.changes(0), '*', 'e', 'of another version')) as string
    await filledAnew()
    await redis.xdel(keys.changes(0), unreadable)
    const { entries } = replica.status()
    await write(6)
    await until(() => heard.at(-1) === '1.6', 'what follows is heard')
    t.ok(replica.status().entries > entries, 'entries were read again')

    t.comment('from whole books that are ahead: what they stand for was missed')
    const ahead = await write(8)
    await until(() => replica.status().gaps > 1, 'an entry is missed')
    await mark(8, ahead)
    await write(9)
    await until(() => heard.at(-1) === '1.9', 'what follows is heard')

    t.comment('of a new writer, which counts from 1')
    await write(1, 2)
    await write(2, 2)
    await until(() => heard.at(-1) === '2.2', 'it is heard')
    t.strictSame(heard, ['1.2', '1.3', '1.4', '1.5', '1.6', '1.9', '2.1', '2.2'])
  }
)
