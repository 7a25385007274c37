import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { SidePolls, type SidePollsOptions } from '../../../services/integrity/side-polls.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'

/** Polls of `count` books whose clock runs ten times as fast as ours. */
function polls(t: Test, count: number, options: Partial<SidePollsOptions> = {}) {
  const startedMs = performance.now()
  const nowMs = () => (performance.now() - startedMs) * 10
  const reads: { atMs: number; slots: readonly number[] }[] = []
  const side = new SidePolls({
    slots: () => Array.from({ length: count }, (_, slot) => slot),
    booksPerRead: () => 10,
    read: async (slots, take) => {
      reads.push({ atMs: nowMs(), slots })
      for (const slot of slots) take(slot, new LevelList(), new LevelList())
    },
    compare: () => true,
    hasRoom: () => true,
    intervalMs: 5_000,
    steadyNow: nowMs,
    ...options
  })
  t.teardown(() => side.stop())
  side.start()
  return { side, reads, nowMs }
}

const until = async (condition: () => boolean) => {
  while (!condition()) await sleep(5)
}

t.test('every book is read once a round, in batches, and the rounds keep their interval', async (t) => {
  const { reads, side } = polls(t, 25, { intervalMs: 12_000 })
  await until(() => reads.length >= 6)
  const round = reads.slice(0, 3).flatMap(({ slots }) => slots)
  t.same(round, [...Array(25).keys()], 'in their order')
  const starts = [0, 3].map((index) => reads[index]?.atMs ?? 0) as [number, number]
  t.ok(starts[0] >= 12_000, 'the first begins an interval after the start')
  t.ok(starts[1] - starts[0] >= 12_000, `${starts[1] - starts[0]} ms from round to round`)
  t.match(side.status(), { failed: 0, differing: 0 })
  t.ok(side.status().equal >= 50)
})

t.test('more books make a longer round, not more reads', async (t) => {
  const { reads } = polls(t, 200, { intervalMs: 250 })
  await until(() => reads.length >= 5)
  for (const [index, { atMs }] of reads.slice(1).entries())
    t.ok(
      atMs - (reads[index]?.atMs ?? 0) >= 499,
      `${atMs - (reads[index]?.atMs ?? 0)} ms after the one before`
    )
  t.equal(new Set(reads.slice(0, 5).flatMap(({ slots }) => slots)).size, 50, 'no book twice in a round')
})

t.test('one read is under way at a time, however long it takes', async (t) => {
  let underWay = 0
  let most = 0
  let ended = 0
  polls(t, 20, {
    intervalMs: 250,
    read: async () => {
      most = Math.max(most, ++underWay)
      await sleep(600)
      underWay--
      ended++
    }
  })
  await until(() => ended >= 2)
  t.equal(most, 1)
})

t.test('reads that fail are counted, and do not end the polls', async (t) => {
  let isDown = true
  const { side } = polls(t, 30, {
    intervalMs: 250,
    read: async (slots, take) => {
      if (isDown) throw new Error('the venue is down')
      for (const slot of slots) take(slot, new LevelList(), new LevelList())
    }
  })
  await until(() => side.status().failed >= 2)
  isDown = false
  await until(() => side.status().books >= 30)
  t.equal(side.status().equal, side.status().books)
})

t.test('no turn is taken while REST has no room, and the books are not forgotten', async (t) => {
  let hasRoom = false
  const asked: number[] = []
  const { reads } = polls(t, 5, {
    intervalMs: 250,
    hasRoom: () => {
      asked.push(1)
      return hasRoom
    }
  })
  await until(() => asked.length > 2)
  t.same(reads, [])
  hasRoom = true
  await until(() => reads.length > 0)
  t.same(reads[0]?.slots, [0, 1, 2, 3, 4])
})

t.test('what comes after the stop is compared with nothing', async (t) => {
  const compared: number[] = []
  let answer = () => {}
  let isTaken = false
  const { side } = polls(t, 1, {
    intervalMs: 250,
    read: async (_, take) => {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      take(0, new LevelList(), new LevelList())
      isTaken = true
    },
    compare: (slot) => {
      compared.push(slot)
      return null
    }
  })
  const idle = answer
  await until(() => answer !== idle)
  side.stop()
  answer()
  await until(() => isTaken)
  t.same(compared, [])
  t.match(side.status(), { books: 0 })
})
