import t, { type Test } from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { NO, type Outcome, YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'
import { type HandoverOptions, handOver } from '../../../services/venue/handover.ts'
import type { IndependentReads } from '../../../services/venue/handover-differences.ts'

const SLOTS = [0, 1, 2]
const LOOK_MS = 10
const SETTLE_MS = 100
const LEAD_MS = 150
const READ_TIMEOUT_MS = 100
/** A handover is decided at this time, one way or the other, once every book was filled. */
const DECIDED_MS = LEAD_MS + READ_TIMEOUT_MS + 2 * LOOK_MS

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

function levelsOf({ arena }: BookTable, slot: number, outcome: Outcome): LevelList {
  const levels = new LevelList()
  for (let depth = arena.count(slot, outcome) - 1; depth >= 0; depth--)
    levels.push(arena.priceAt(slot, outcome, depth), arena.sizeAt(slot, outcome, depth))
  return levels
}

/**
 * Two connections, and a venue that is read. The clock goes on by `LOOK_MS` with each look at the books; `at` says what
 * happens before one of them, counted from 1.
 */
function setUp(options: Partial<HandoverOptions> = {}, read?: IndependentReads['read']) {
  const live = table(true)
  const shadow = table(true)
  const venue = table(true)
  const swaps: (readonly number[])[] = []
  const clock = { ms: 0 }
  const asked: { atMs: number; slots: readonly number[] }[] = []
  const acts = new Map<number, () => void>()
  let everyLook = () => {}
  let looks = 0
  const give: IndependentReads['read'] = async (slots, take) => {
    for (const slot of slots) take(slot, levelsOf(venue, slot, YES), levelsOf(venue, slot, NO))
  }
  const run = () =>
    handOver({
      live,
      shadow,
      align: () => {
        looks++
        acts.get(looks)?.()
        everyLook()
        clock.ms += LOOK_MS
        return SLOTS
      },
      swap: (unfilled) => swaps.push(unfilled),
      isOpen: () => true,
      failure: () => null,
      signal: new AbortController().signal,
      reads: {
        read: (slots, take) => {
          asked.push({ atMs: clock.ms, slots })
          return (read ?? give)(slots, take)
        },
        booksPerRead: () => 2,
        leadMs: LEAD_MS
      },
      fillTimeoutMs: 200,
      settleMs: SETTLE_MS,
      readTimeoutMs: READ_TIMEOUT_MS,
      readEveryMs: 2 * LOOK_MS,
      compareEveryMs: 0,
      steadyNow: () => clock.ms,
      ...options
    })
  const at = (look: number, act: () => void) => acts.set(look, act)
  const atEveryLook = (act: (look: number) => void) => {
    everyLook = () => act(looks)
  }
  return { live, shadow, venue, swaps, clock, asked, at, atEveryLook, give, run }
}

t.test('books that agree are swapped at once and stay untouched', async (t) => {
  const { live, swaps, run, asked } = setUp()
  const versions = [...live.versions]
  const report = await run()
  t.match(report, { outcome: 'swapped', reason: null, markets: 3, equal: 3, explained: 0 })
  t.same(report.differed, [])
  t.same(swaps, [[]])
  t.same([...live.versions], versions)
  t.same(asked, [], 'nothing is read')
})

t.test('it waits until the last book is filled', async (t) => {
  const { shadow, swaps, run, at } = setUp()
  shadow.raise(2, 'awaiting_snapshot')
  at(5, () => {
    t.same(swaps, [])
    shadow.resynced(2)
  })
  t.match(await run(), { outcome: 'swapped', equal: 3, fillMs: 4 * LOOK_MS })
})

t.test('a change in flight is waited for and explained', async (t) => {
  const { live, shadow, swaps, run, at, asked } = setUp()
  shadow.arena.setLevel(1, YES, 3_900, 1_000_000)
  at(5, () => {
    t.same(swaps, [])
    live.arena.setLevel(1, YES, 3_900, 1_000_000)
  })
  const report = await run()
  t.match(report, { outcome: 'swapped', equal: 2, explained: 1 })
  t.same(report.differed, [])
  t.same(asked, [])
})

t.test(
  'a book that changes all the time and is never equal at one look is known by what the other was',
  async (t) => {
    const { live, shadow, run, atEveryLook, asked } = setUp()
    shadow.arena.setLevel(1, YES, 3_900, 1)
    atEveryLook((look) => {
      live.arena.setLevel(1, YES, 3_900, 1_000 + look)
      if (look > 3) shadow.arena.setLevel(1, YES, 3_900, 1_000 + look - 2)
    })
    const report = await run()
    t.match(report, { outcome: 'swapped', equal: 2, explained: 1 })
    t.same(report.differed, [])
    t.same(asked, [])
  }
)

t.test('one that agreed and then has a change in flight again holds nothing up', async (t) => {
  const { live, shadow, run, at } = setUp()
  shadow.raise(2, 'awaiting_snapshot')
  at(3, () => {
    live.arena.setLevel(0, YES, 100, 5)
    shadow.resynced(2)
  })
  const report = await run()
  t.match(report, { outcome: 'swapped', equal: 3 })
  t.same(report.differed, [])
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

t.test(
  'a book of which a read gives what the new connection has is taken, with the level named',
  async (t) => {
    const { live, shadow, run, asked } = setUp()
    live.arena.setLevel(1, NO, 5_200, 700_000)
    shadow.received(1, 77, 66, 9)
    const versions = live.versions[1] as number
    t.match(await run(), {
      outcome: 'swapped',
      reason: null,
      equal: 2,
      differed: [
        {
          slot: 1,
          difference: { levels: 1, first: { side: 'ask', priceE4: 4_800, sizeE6: 700_000, otherSizeE6: 0 } }
        }
      ]
    })
    t.same(
      asked.map(({ slots }) => slots),
      [[1]],
      'what agrees is not read'
    )
    t.equal(live.arena.sizeOf(1, NO, 5_200), 0)
    t.ok((live.versions[1] as number) > versions)
    t.match(live.verdicts.get(1), { state: 'live', receivedAtMs: 77, venueTimeMs: 66, sequence: 9 })
  }
)

t.test(
  'so are most books of a connection that had stopped, read as many at once as the venue gives',
  async (t) => {
    const { live, run, asked } = setUp()
    for (const slot of SLOTS) live.arena.setLevel(slot, YES, 1, 1)
    t.match(await run(), { outcome: 'swapped', equal: 0, differed: [{}, {}, {}] })
    t.same(
      asked.map(({ slots }) => slots),
      [[0, 1], [2]]
    )
  }
)

/** Runs a handover in which one book differs and expects that the old connection and its books stay as they are. */
async function staysKept(t: Test, setup: ReturnType<typeof setUp>): Promise<void> {
  const { live, swaps, run, clock } = setup
  live.arena.setLevel(1, YES, 3_900, 7)
  const versions = [...live.versions]
  t.match(await run(), {
    outcome: 'kept',
    reason: '1 of 3 books differ with nothing to explain it',
    equal: 2,
    differed: [{ slot: 1, difference: { levels: 1 } }]
  })
  t.ok(clock.ms <= DECIDED_MS, 'in time')
  t.same(swaps, [])
  t.same([...live.versions], versions, 'untouched')
  t.equal(live.arena.sizeOf(1, YES, 3_900), 7)
  t.equal(live.verdicts.state(1), 'live')
}

t.test('where a read agrees with neither the old connection is kept', async (t) => {
  const setup = setUp()
  setup.venue.arena.setLevel(1, YES, 3_900, 8)
  await staysKept(t, setup)
  t.ok(setup.asked.length > 1, 'it is read again')
})

t.test('so it is where reads give what the old one has', async (t) => {
  const setup = setUp()
  setup.venue.arena.setLevel(1, YES, 3_900, 7)
  await staysKept(t, setup)
})

t.test('so it is where reads fail, give no book, or never end', async (t) => {
  const never = new Promise<void>(() => {})
  for (const read of [() => Promise.reject(new Error('503')), async () => {}, () => never])
    await staysKept(t, setUp({}, read))
})

t.test('a read that failed is made again', async (t) => {
  let reads = 0
  const { live, run, give } = setUp({}, async (slots, take) => {
    if (++reads < 3) throw new Error('503')
    await give(slots, take)
  })
  live.arena.setLevel(1, YES, 3_900, 7)
  t.match(await run(), { outcome: 'swapped', differed: [{ slot: 1 }] })
  t.equal(reads, 3)
})

t.test(
  'a read from before a change that only the old connection told proves nothing for the new one',
  async (t) => {
    // The venue answers from a cache for as long as it may.
    const setup = setUp({}, async (slots, take) => {
      if (setup.clock.ms > LEAD_MS) setup.venue.arena.setLevel(1, YES, 3_900, 7)
      await setup.give(slots, take)
    })
    await staysKept(t, setup)
  }
)

t.test('a read that was under way when the new connection lost its book is not taken for it', async (t) => {
  let answer = () => {}
  const setup = setUp({ readTimeoutMs: 60 }, (slots, take) => {
    answer = () => void setup.give(slots, take)
    return new Promise(() => {})
  })
  const { shadow, at, asked } = setup
  at(LEAD_MS / LOOK_MS + 3, () => {
    t.equal(asked.length, 1)
    shadow.raise(1, 'sequence_gap')
  })
  at(LEAD_MS / LOOK_MS + 4, () => shadow.resynced(1))
  at(LEAD_MS / LOOK_MS + 5, () => answer())
  await staysKept(t, setup)
})

t.test('a book that was doubtful, or is proven wrong, is mended, and nothing is read for it', async (t) => {
  for (const reason of ['sequence_gap', 'audit_mismatch'] as const) {
    const { live, run, asked } = setUp()
    live.raise(1, reason)
    live.arena.setLevel(1, YES, 1, 1)
    const report = await run()
    t.match(report, { outcome: 'swapped', equal: 2, mended: 1 })
    t.same(report.differed, [])
    t.equal(live.verdicts.state(1), 'live')
    t.equal(live.arena.sizeOf(1, YES, 1), 0)
    t.same(asked, [])
  }
})

t.test('a book that differed and was then found doubtful is mended too', async (t) => {
  const { live, run, at } = setUp()
  live.arena.setLevel(1, YES, 1, 1)
  at(4, () => live.raise(1, 'hash_mismatch'))
  const report = await run()
  t.match(report, { outcome: 'swapped', mended: 1 })
  t.same(report.differed, [])
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
  const { live, shadow, swaps, run, at } = setUp()
  live.arena.setLevel(1, YES, 1, 1)
  at(3, () => shadow.raise(2, 'sequence_gap'))
  at(LEAD_MS / LOOK_MS + 6, () => {
    t.same(swaps, [])
    t.equal(live.verdicts.state(2), 'live')
    shadow.resynced(2)
  })
  t.match(await run(), { outcome: 'swapped', differed: [{ slot: 1 }] })
  t.equal(live.verdicts.state(2), 'live')
})

t.test('a book that agreed and was then filled anew is compared anew', async (t) => {
  const setup = setUp()
  const { shadow, venue, at } = setup
  at(3, () => shadow.raise(0, 'awaiting_snapshot'))
  at(5, () => {
    shadow.arena.setLevel(0, YES, 3_900, 1)
    shadow.resynced(0)
    venue.arena.setLevel(1, YES, 3_900, 8)
  })
  setup.live.arena.setLevel(1, YES, 3_900, 7)
  t.match(await setup.run(), {
    outcome: 'kept',
    reason: '2 of 3 books differ with nothing to explain it',
    differed: [{ slot: 0 }, { slot: 1 }]
  })
})

t.test('a new connection that does not fill, or does not stay so, is not used', async (t) => {
  for (const reason of ['1 of 3 books did not fill in 200 ms', '1 of 3 books did not fill in 250 ms']) {
    const { live, shadow, swaps, run, at, clock } = setUp()
    const isFilledFirst = reason.includes('250')
    if (isFilledFirst) {
      live.arena.setLevel(1, YES, 1, 1)
      at(3, () => shadow.raise(2, 'awaiting_snapshot'))
    } else shadow.raise(2, 'awaiting_snapshot')
    t.match(await run(), { outcome: 'kept', reason, fillMs: isFilledFirst ? 0 : null })
    t.ok(clock.ms <= DECIDED_MS, 'in time')
    t.same(swaps, [])
    t.equal(live.verdicts.state(2), 'live')
  }
})

t.test('nor is one that never opens, that is refused, or where the run was ended', async (t) => {
  t.match(await setUp({ isOpen: () => false }).run(), { outcome: 'kept' })
  t.match(await setUp({ failure: () => 'refused' }).run(), { outcome: 'kept', reason: 'refused' })
  t.match(await setUp({ signal: AbortSignal.abort() }).run(), { reason: 'the run was ended' })
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
