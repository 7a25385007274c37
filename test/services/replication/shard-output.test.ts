import t from 'tap'
import { YES } from '../../../services/orderbook/arena.ts'
import { type ChangeEntry, decodeEntry } from '../../../services/replication/codec.ts'
import { clusterKeys, MARK_FIELD } from '../../../services/replication/keys.ts'
import { MarketChanges } from '../../../services/replication/market-changes.ts'
import type { RedisArgument } from '../../../services/replication/redis.ts'
import { ShardOutput } from '../../../services/replication/shard-output.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import type { TradeNote } from '../../../services/venue/wire-tap.ts'
import { market, serve } from '../../helper.ts'

/** The output of a shard that has that many markets, and what changes them. */
function shardOf(markets: number) {
  const store = new SnapshotStore({ capacityMarkets: 512, capacityLevels: 512 * 64 })
  const changes = new MarketChanges(store)
  store.books.listen(changes)
  const slots = Array.from({ length: markets }, (_, n) => serve(store, market(n)).slot)
  for (const slot of slots) changes.follow(slot)
  const output = new ShardOutput({
    shard: 0,
    lease: { shard: 0, epoch: 5, text: '5 test' },
    keys: clusterKeys('test', 1),
    source: {
      at: (slot) => store.at(slot),
      has: (id) => store.get(id) !== undefined,
      take: (record) => changes.take(record),
      snapshot: (record) => changes.snapshot(record)
    },
    slots,
    completeFor: () => ['kalshi']
  })
  const change = (slot: number, size: number, nowMs: number) => {
    store.books.arena.setLevel(slot, YES, 3_000, size)
    store.books.touch(slot)
    output.changed(slot, nowMs)
  }
  return { output, slots, change }
}

/** Returns the entry of a write. */
function entryOf(args: RedisArgument[] | null): ChangeEntry {
  const at = args?.indexOf('x') ?? -1
  const entry = at < 0 ? null : decodeEntry(args?.[at + 3] as Buffer)
  if (entry === null) throw new Error('the write has no entry')
  return entry
}

/** Returns the ids of the whole books of a write; the last may be the mark. */
function fieldsOf(args: RedisArgument[] | null): string[] {
  return (args ?? []).flatMap((arg, i) => (arg === 'h' ? [String(args?.[i + 2])] : []))
}

t.test('a write that is sent again and again says how long it waits, and takes in nothing new', async (t) => {
  const { output, slots, change } = shardOf(3)
  const [slot = -1, other = -1] = slots
  output.next(1_000)
  output.written('1000-0')
  change(slot, 1_000_000, 2_000)
  const first = output.next(2_020)
  const { length } = first ?? []
  t.match(entryOf(first), { number: 2, backlogMs: 20, changes: { length: 1 } })
  for (let nowMs = 3_020; nowMs <= 30_020; nowMs += 1_000) {
    for (let n = 0; n < 100; n++) change(other, 1_000_000 + nowMs + n, nowMs)
    const again = output.next(nowMs)
    t.equal(again?.length, length)
    t.match(entryOf(again), { number: 2, backlogMs: nowMs - 2_000, changes: { length: 1 } })
    t.equal(output.backlogMs(nowMs), nowMs - 2_020)
  }
  output.written('30020-0')

  t.comment('what came meanwhile is one change, as old as its first part')
  const next = entryOf(output.next(30_050))
  t.match(next, { number: 3, backlogMs: 30_050 - 3_020, changes: { length: 1 } })
  t.match(next.changes[0], [market(1).id])
  output.written('30050-0')
  t.match(entryOf(output.next(31_000)), { number: 4, backlogMs: 0, changes: [] })
  t.equal(output.backlogMs(31_000), 0)
})

t.test('trades that wait while a write is sent again are bounded, and those left out counted', async (t) => {
  const { output } = shardOf(1)
  output.next(1_000)
  for (let n = 0; n < 25_000; n++) {
    output.traded({ tradeId: String(n) } as TradeNote)
    if (n % 1_000 === 0) t.equal(entryOf(output.next(1_000 + n)).trades.length, 0)
  }
  output.written('26000-0')
  const told: string[] = []
  for (let nowMs = 30_000; told.at(-1) !== '24999'; nowMs++) {
    const { trades } = entryOf(output.next(nowMs))
    output.written(`${nowMs}-0`)
    t.ok(trades.length <= 500)
    for (const { tradeId } of trades) told.push(tradeId as string)
  }
  t.ok(told.length <= 10_000 && told.length >= 5_000, `${told.length} waited`)
  t.equal(told.length + output.lostTrades, 25_000)
})

t.test(
  'whole books that were under way when the connection was made anew are all written again',
  async (t) => {
    const { output, slots } = shardOf(300)
    let nowMs = 1_000
    const write = () => {
      const args = output.next(nowMs)
      output.written(`${nowMs++}-0`)
      return fieldsOf(args)
    }
    for (let fields: string[] = []; fields.length === 0; ) fields = write()
    output.rewrite(slots)
    nowMs += 2_000
    const again: string[] = []
    while (again.at(-1) !== MARK_FIELD) again.push(...write())
    again.pop()
    t.equal(new Set(again).size, slots.length, 'before anything is called complete')
  }
)
