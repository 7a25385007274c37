import t from 'tap'
import {
  encodeBook,
  encodeEntry,
  encodeMark,
  type MarketChange
} from '../../../services/replication/codec.ts'
import { clusterKeys, MARK_FIELD } from '../../../services/replication/keys.ts'
import { MarketChanges } from '../../../services/replication/market-changes.ts'
import type { RedisLink } from '../../../services/replication/redis.ts'
import { ReplicaBooks } from '../../../services/replication/replica-books.ts'
import { shardOf } from '../../../services/replication/shards.ts'
import { market, serve } from '../../helper.ts'
import { inspector, NO_REDIS, ownCluster, REDIS_URL, until } from './real-redis.ts'
import {
  connect,
  differing,
  newStore,
  nextRound,
  SHARDS,
  startReplica,
  through,
  writing
} from './writer-and-replica.ts'

t.setTimeout(120_000)

/** Of another shard than the market's own event. */
const [ELSEWHERE = ''] = Array.from({ length: 50 }, (_, n) => `kalshi:KXTEST-OTHER-${n}`).filter(
  (eventId) => shardOf(market(0, { eventId }), SHARDS) !== shardOf(market(0), SHARDS)
)

/**
 * A connection by which the whole books of one shard come last, and are as they were at some time before.
 */
async function withOldBooks(link: RedisLink, cluster: string, shard: number) {
  const keys = clusterKeys(cluster, SHARDS)
  const old = (await link.call('HGETALL', keys.books(shard))) as Buffer[]
  let others = SHARDS - 1
  let isOld = true
  return through(link, async (command, args, ask) => {
    const reply = await ask()
    if (command !== 'HGETALL' || !isOld) return reply
    if (args[0] !== keys.books(shard)) {
      others--
      return reply
    }
    await until(() => others === 0, 'the other shards were filled')
    isOld = false
    return old
  })
}

t.test(
  'a market that changed shards is served by a replica that fills the one that it left last',
  { skip: NO_REDIS },
  async (t) => {
    const { cluster, source, inspected } = await writing(t)
    const { id } = market(0)
    await nextRound(inspected, cluster)
    const link = await withOldBooks(await connect(t), cluster, shardOf(market(0), SHARDS))
    source.patch(id, { eventId: ELSEWHERE })
    await nextRound(inspected, cluster)
    const copy = newStore()
    const left: (string | null)[] = []
    copy.watchBindings((_, bound) => {
      if (bound === null) left.push(bound)
    })
    const replica = startReplica(t, cluster, copy, link)
    const isSame = () => replica.isFilled && differing(source, copy).length === 0
    await until(isSame, 'it serves what the writer does')
    t.equal(copy.get(id)?.market.eventId, ELSEWHERE)
    t.same(left, [], 'no market was away meanwhile')
    t.match(replica.status(), { gaps: 0 })

    t.comment('and back again')
    source.patch(id, { eventId: market(0).eventId })
    await until(isSame, 'it serves what the writer does')
    source.remove(id)
    await until(() => copy.get(id) === undefined, 'it is gone with its last shard')
  }
)

t.test(
  'the new name of an event comes through, though the market that might tell it leaves',
  { skip: NO_REDIS },
  async (t) => {
    const { cluster, source } = await writing(t)
    const copy = newStore()
    const replica = startReplica(t, cluster, copy, await connect(t))
    await until(() => replica.isFilled && differing(source, copy).length === 0, 'it was filled')
    const { marketIds, ...header } = source.getEvent('kalshi:KXTEST-EVENT-1') as NonNullable<
      ReturnType<typeof source.getEvent>
    >
    source.putEvent({ ...header, title: 'Renamed' })
    source.remove(marketIds[0] as string)
    await until(() => copy.getEvent(header.id)?.title === 'Renamed', 'the replica has the name')
    t.same(copy.getEvent(header.id), source.getEvent(header.id))
  }
)

t.test('what is told of a market by a shard that has it no longer is not served', (t) => {
  const source = newStore()
  const changes = new MarketChanges(source)
  const copy = newStore()
  const books = new ReplicaBooks(copy, SHARDS)
  const { slot } = serve(source, market(0))
  const record = source.at(slot) as NonNullable<ReturnType<typeof source.at>>
  const told = () => changes.snapshot(record)
  const title = () => copy.get(record.id)?.market.title
  const [before, now] = [1, 2]

  t.equal(books.apply(before, 1, told(), 0, 1_000), 'applied')
  const former = told()
  source.patch(record.id, { title: 'Moved' })
  t.equal(books.apply(now, 1, told(), 0, 2_000), 'applied')
  const [id, , to, verdict] = told()
  const empty: MarketChange = [id, to - 1, to, verdict, [[1_000], [0]], null, null]
  t.equal(books.apply(before, 1, empty, 0, 3_000), 'known')
  t.equal(title(), 'Moved')
  t.equal(books.remove(before, id), null)
  t.equal(title(), 'Moved')

  t.comment('told whole by the former once more, as by whole books that are old')
  t.equal(books.apply(before, 1, former, 0, 1_500), 'known', 'before the other')
  t.equal(title(), 'Moved')
  t.equal(books.apply(before, 1, told(), 0, 2_000), 'applied', 'as it seems after it')
  t.equal(books.remove(before, id), now, 'the other has to be filled')
  t.equal(title(), 'Moved', 'until then the market is served on')
  t.equal(books.remove(now, id), null)
  t.equal(copy.size, 0)
  t.end()
})

t.test(
  'a market that a shard gives up to one that is broken is doubtful until that was filled anew',
  { skip: NO_REDIS },
  async (t) => {
    const cluster = ownCluster()
    const redis = inspector(t, REDIS_URL, cluster)
    const keys = clusterKeys(cluster, SHARDS)
    const [giver, taker] = [1, 2]
    const write = (shard: number, number: number, ...changes: (MarketChange | [id: string])[]) => {
      const entry = { epoch: 1, number, backlogMs: 0, changes, trades: [], completeFor: null }
      return redis.xadd(keys.changes(shard), '*', 'e', encodeEntry(entry)) as Promise<string>
    }
    const mark = (shard: number, number: number, entryId: string) =>
      redis.hset(keys.books(shard), MARK_FIELD, encodeMark({ epoch: 1, number, entryId }))
    for (const shard of [giver, taker]) await mark(shard, 1, await write(shard, 1))
    let holds = false
    const link = through(await connect(t), async (command, args, ask) => {
      if (command === 'HGET' && args[0] === keys.books(taker)) await until(() => !holds, 'it may be filled')
      return ask()
    })
    const copy = newStore()
    const replica = startReplica(t, cluster, copy, link)
    await until(() => replica.status().fills === 2, 'both shards are read')

    const source = newStore()
    const { id } = serve(source, market(0))
    const told = () => {
      const record = source.get(id) as NonNullable<ReturnType<typeof source.get>>
      return new MarketChanges(source).snapshot(record)
    }
    await write(taker, 2, told())
    await until(() => copy.get(id) !== undefined, 'the one has it')
    source.patch(id, { title: 'Moved' })
    await write(giver, 2, told())
    await until(() => copy.get(id)?.market.title === 'Moved', 'then the other')
    holds = true
    const last = await write(taker, 4)
    await until(() => replica.status().gaps === 1, 'of the one an entry is missing')
    const { changes } = replica.status()
    const reason = () => copy.books.verdicts.reason(copy.get(id)?.slot as number)
    t.equal(reason(), null)
    await write(giver, 3, [id])
    await until(() => replica.status().changes > changes, 'the other has it no more')
    t.equal(reason(), 'replica_gap')
    await redis.hset(keys.books(taker), id, encodeBook(1, told()))
    await mark(taker, 4, last)
    holds = false
    await until(() => reason() === null, 'it was filled anew')
    t.equal(copy.get(id)?.market.title, 'Moved')
  }
)

t.test('a time of the venue that the next writer does not know is known no more', (t) => {
  const copy = newStore()
  const books = new ReplicaBooks(copy, SHARDS)
  const source = newStore()
  const record = serve(source, market(0))
  const [id, , to, verdict, , whole, metadata] = new MarketChanges(source).snapshot(record)
  const tell = (venueTimeMs: number | null, epoch: number) => {
    const [reasons, origin, mismatches, sequence, , ...ours] = verdict
    books.apply(
      0,
      epoch,
      [id, -1, to, [reasons, origin, mismatches, sequence, venueTimeMs, ...ours], null, whole, metadata],
      0,
      epoch
    )
    return copy.books.verdicts.get(copy.get(id)?.slot as number).venueTimeMs
  }
  t.equal(tell(1_790_000_000_000, 1), 1_790_000_000_000)
  t.equal(tell(null, 2), null)
  t.end()
})
