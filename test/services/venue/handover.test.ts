import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { type HandoverOptions, handOver } from '../../../services/venue/handover.ts'

const SLOTS = [0, 1, 2]

/** A table of three books, each of one bid and one ask. */
function table(isWhole: boolean): BookTable {
  const books = new BookTable({ capacityMarkets: 4, capacityLevels: 1_024 })
  for (const slot of SLOTS) {
    books.allocate()
    books.arena.setLevel(slot, YES, 4_000, 1_000_000)
    books.arena.setLevel(slot, NO, 5_000, 2_000_000)
    if (isWhole) books.resynced(slot)
  }
  return books
}

function setUp(options: Partial<HandoverOptions> = {}) {
  const live = table(true)
  const shadow = table(true)
  const swaps: (readonly number[])[] = []
  const run = () =>
    handOver({
      live,
      shadow,
      align: () => SLOTS,
      swap: (unfilled) => swaps.push(unfilled),
      isOpen: () => true,
      failure: () => null,
      signal: new AbortController().signal,
      fillTimeoutMs: 200,
      settleMs: 100,
      compareEveryMs: 1,
      steadyNow: performance.now.bind(performance),
      ...options
    })
  return { live, shadow, swaps, run }
}

t.test('books that agree are swapped at once and stay untouched', async (t) => {
  const { live, swaps, run } = setUp()
  const versions = [...live.versions]
  t.match(await run(), { outcome: 'swapped', reason: null, markets: 3, equal: 3, explained: 0, differed: [] })
  t.same(swaps, [[]])
  t.same([...live.versions], versions)
})

t.test('it waits until the last book is filled', async (t) => {
  const { shadow, swaps, run } = setUp()
  shadow.raise(2, 'awaiting_snapshot')
  const running = run()
  await sleep(30)
  t.same(swaps, [])
  shadow.resynced(2)
  t.match(await running, { outcome: 'swapped', equal: 3 })
})

t.test('a change in flight is waited for and explained', async (t) => {
  const { live, shadow, swaps, run } = setUp()
  shadow.arena.setLevel(1, YES, 3_900, 1_000_000)
  const running = run()
  await sleep(20)
  t.same(swaps, [])
  live.arena.setLevel(1, YES, 3_900, 1_000_000)
  t.match(await running, { outcome: 'swapped', equal: 2, explained: 1, differed: [] })
})

t.test('one that agreed and then has a change in flight again holds nothing up', async (t) => {
  const { live, shadow, run } = setUp()
  shadow.raise(2, 'awaiting_snapshot')
  const running = run()
  await sleep(20)
  live.arena.setLevel(0, YES, 100, 5)
  shadow.resynced(2)
  t.match(await running, { outcome: 'swapped', equal: 3, differed: [] })
  t.equal(live.arena.sizeOf(0, YES, 100), 0, 'from now on it is what the new connection has told')
})

t.test('a new connection with a book that is proven wrong is not used', async (t) => {
  for (const reason of ['hash_mismatch', 'audit_mismatch'] as const) {
    const { shadow, swaps, run } = setUp()
    shadow.raise(2, reason)
    t.match(await run(), { outcome: 'kept', reason: '1 of 3 books did not fill in 200 ms' })
    t.same(swaps, [])
  }
})

t.test('a book that differs for good is taken from the new connection, with the level named', async (t) => {
  const { live, shadow, run } = setUp()
  live.arena.setLevel(1, NO, 5_200, 700_000)
  shadow.received(1, 77, 66, 9)
  const versions = live.versions[1] as number
  t.match(await run(), {
    outcome: 'swapped',
    equal: 2,
    differed: [
      {
        slot: 1,
        difference: { levels: 1, first: { side: 'ask', priceE4: 4_800, sizeE6: 700_000, otherSizeE6: 0 } }
      }
    ]
  })
  t.equal(live.arena.sizeOf(1, NO, 5_200), 0)
  t.ok((live.versions[1] as number) > versions)
  t.match(live.verdicts.get(1), { state: 'live', receivedAtMs: 77, venueTimeMs: 66, sequence: 9 })
})

t.test('a book that was doubtful is mended', async (t) => {
  const { live, run } = setUp()
  live.raise(1, 'sequence_gap')
  live.arena.setLevel(1, YES, 1, 1)
  t.match(await run(), { outcome: 'swapped', equal: 2, differed: [], mended: 1 })
  t.equal(live.verdicts.state(1), 'live')
  t.equal(live.arena.sizeOf(1, YES, 1), 0)
})

t.test('a book that neither has does not hold the others up, and is asked for', async (t) => {
  const { live, shadow, swaps, run } = setUp()
  live.raise(1, 'disconnected')
  shadow.raise(1, 'awaiting_snapshot')
  t.match(await run(), { outcome: 'swapped', equal: 2, mended: 0 })
  t.same(swaps, [[1]])
  t.match(live.verdicts.get(1), { state: 'syncing', reason: 'awaiting_snapshot' })
})

t.test('what the venue said of a market is not taken back', async (t) => {
  const { live, run } = setUp()
  live.raise(1, 'venue_paused')
  await run()
  t.match(live.verdicts.get(1), { state: 'halted', reason: 'venue_paused' })
})

t.test('a gap on the new connection, while a difference is settled, is waited out', async (t) => {
  const { live, shadow, swaps, run } = setUp({ settleMs: 30, fillTimeoutMs: 1_000 })
  live.arena.setLevel(1, YES, 1, 1)
  const running = run()
  await sleep(5)
  shadow.raise(2, 'sequence_gap')
  await sleep(60)
  t.same(swaps, [])
  t.equal(live.verdicts.state(2), 'live')
  shadow.resynced(2)
  t.match(await running, { outcome: 'swapped', differed: [{ slot: 1 }] })
  t.equal(live.verdicts.state(2), 'live')
})

t.test('a new connection that does not fill is not used', async (t) => {
  const { live, shadow, swaps, run } = setUp()
  shadow.raise(2, 'awaiting_snapshot')
  t.match(await run(), { outcome: 'kept', reason: '1 of 3 books did not fill in 200 ms', fillMs: null })
  t.same(swaps, [])
  t.equal(live.verdicts.state(2), 'live')
})

t.test('nor is one that never opens, that is refused, or that differs in most books', async (t) => {
  t.match(await setUp({ isOpen: () => false }).run(), { outcome: 'kept' })
  t.match(await setUp({ failure: () => 'refused' }).run(), { outcome: 'kept', reason: 'refused' })
  t.match(await setUp({ signal: AbortSignal.abort() }).run(), { reason: 'the run was ended' })
  const { live, swaps, run } = setUp()
  for (const slot of [0, 1]) live.arena.setLevel(slot, YES, 1, 1)
  t.match(await run(), { outcome: 'kept', reason: /most books/, differed: [{}, {}] })
  t.same(swaps, [])
})

t.test('a book for which there is no room waits for its snapshot', async (t) => {
  const live = new BookTable({ capacityMarkets: 4, capacityLevels: 16 })
  const shadow = table(true)
  for (const slot of SLOTS) {
    live.allocate()
    live.resynced(slot)
  }
  const { run, swaps } = setUp({ live, shadow })
  for (const slot of SLOTS) live.raise(slot, 'disconnected')
  t.match(await run(), { outcome: 'swapped', mended: 1 })
  t.same(swaps, [[1, 2]])
  t.match(live.verdicts.get(1), { state: 'syncing', reason: 'arena_full' })
})
