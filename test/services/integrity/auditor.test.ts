import t from 'tap'
import { Auditor, type AuditorOptions, type AuditResult } from '../../../services/integrity/auditor.ts'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'

/** A venue of `count` books with a fake clock: what REST says of each is a list of its sizes at one price. */
function venue(count: number, options: Partial<AuditorOptions> = {}) {
  const table = new BookTable({ capacityMarkets: count, capacityLevels: 100 * count })
  const slots = Array.from({ length: count }, () => table.allocate())
  const clock = { ms: 0 }
  const incidents = new Incidents({ steadyNow: () => clock.ms })
  /** The size that a read gives; undefined for no answer. */
  const rest = new Map<number, number | undefined>()
  const repaired: [number, number][] = []
  const reads: number[][] = []
  const ids = new Map(slots.map((slot) => [slot, `v:${slot}`]))
  const yes = new LevelList()
  const no = new LevelList()
  const set = (slot: number, size: number) => {
    table.arena.setLevel(slot, YES, 4_000, size)
    table.received(slot, clock.ms, Number.NaN, Number.NaN)
    table.touch(slot)
  }
  const auditor = new Auditor({
    venue: 'kalshi',
    table,
    slots: () => slots,
    marketId: (slot) => ids.get(slot) ?? null,
    read: async (asked, take) => {
      reads.push([...asked])
      for (const slot of asked) {
        const size = rest.get(slot)
        if (size === undefined) continue
        yes.clear()
        no.clear()
        yes.push(4_000, size)
        no.push(5_000, 7)
        take(slot, yes, no)
      }
    },
    booksPerRead: () => 100,
    periodMs: 60_000,
    repair: (slot, attempt) => repaired.push([slot, attempt]),
    incidents,
    now: () => 1_000_000 + clock.ms,
    steadyNow: () => clock.ms,
    random: () => 0.5,
    ...options
  })
  for (const slot of slots) {
    table.arena.setLevel(slot, NO, 5_000, 7)
    set(slot, 1)
    table.resynced(slot)
    rest.set(slot, 1)
  }
  /** Lets time pass, in the steps of the auditor's timer. */
  const pass = async (ms: number) => {
    for (const end = clock.ms + ms; clock.ms < end; ) {
      clock.ms += 250
      auditor.tick()
      await null
      await null
    }
  }
  return { table, slots, clock, incidents, rest, repaired, reads, ids, set, auditor, pass }
}

t.test('every book is compared once in a period, in batches', async (t) => {
  const { auditor, pass, reads, table, slots, repaired } = venue(300, { random: Math.random })
  await pass(120_000)
  const { equal, mismatch, ageMs } = auditor.status()
  t.ok(equal >= 300 && equal <= 900, `${equal} comparisons in two periods`)
  t.equal(mismatch, 0)
  t.ok((ageMs?.max ?? Infinity) <= 60_000, `none is older than a period: ${ageMs?.max}`)
  t.ok(reads.length < 120, `${reads.length} reads`)
  t.ok(slots.every((slot) => table.verdicts.verifiedAtMs(slot) > 1_000_000))
  t.same(repaired, [])
})

t.test('a lost change is found within a period, and mended', async (t) => {
  const { auditor, pass, rest, table, slots, repaired, clock, set, incidents } = venue(20)
  await pass(60_000)
  const [wrong, right] = slots as [number, number]
  rest.set(wrong, 2)
  const lostAtMs = clock.ms
  while (repaired.length === 0 && clock.ms < lostAtMs + 120_000) await pass(250)
  t.ok(clock.ms - lostAtMs <= 60_000, `found after ${clock.ms - lostAtMs} ms`)
  t.same(repaired, [[wrong, 1]])
  t.match(table.verdicts.get(wrong), { state: 'suspect', reason: 'audit_mismatch', mismatches: 1 })
  t.equal(table.verdicts.state(right), 'live')
  t.match(incidents.latest(1), [{ kind: 'audit_mismatch', marketId: `v:${wrong}` }])
  t.match(auditor.status(), { mismatch: 2, confirmed: 1 })
  // Nothing mended it: it is looked at again, and more is done.
  await pass(40_000)
  t.same(repaired[1], [wrong, 2])
  set(wrong, 2)
  table.resynced(wrong)
  await pass(60_000)
  t.equal(repaired.filter(([slot]) => slot !== wrong).length, 0)
  t.equal(table.verdicts.state(wrong), 'live')
})

t.test('a market that takes over the slot of one that was wrong begins anew', async (t) => {
  const { pass, rest, slots, repaired, ids } = venue(1)
  const [slot] = slots as [number]
  rest.set(slot, 2)
  while (repaired.length < 2) await pass(250)
  ids.set(slot, 'v:other')
  while (repaired.length < 3) await pass(250)
  t.same(repaired, [
    [slot, 1],
    [slot, 2],
    [slot, 1]
  ])
})

t.test('a book that comes right by itself is live again', async (t) => {
  const { pass, rest, table, slots, repaired, auditor } = venue(1)
  const [slot] = slots as [number]
  rest.set(slot, 2)
  await pass(60_000)
  t.ok(repaired.length > 0)
  rest.set(slot, 1)
  await pass(60_000)
  t.equal(table.verdicts.state(slot), 'live')
  t.ok(auditor.status().equal > 0)
})

t.test('a read from a cache of 15 s is explained by what the book was', async (t) => {
  const { auditor, pass, rest, slots, repaired, set, clock } = venue(1)
  const [slot] = slots as [number]
  const past: [number, number][] = [[0, 1]]
  for (let size = 2; clock.ms < 300_000; size++) {
    await pass(500)
    set(slot, size)
    past.push([clock.ms, size])
    const seen = past.filter(([atMs]) => atMs <= clock.ms - 15_000).at(-1)
    rest.set(slot, seen?.[1] ?? 1)
  }
  t.same(repaired, [])
  const { explained, mismatch } = auditor.status()
  t.ok(explained.cached >= 4, `${explained.cached} were cached`)
  t.equal(mismatch, 0)
})

t.test('a read that is ahead of the stream proves the book when it gets there', async (t) => {
  const { auditor, pass, rest, slots, table, set, clock, reads } = venue(1)
  const [slot] = slots as [number]
  rest.set(slot, 2)
  while (reads.length === 0) await pass(250)
  const verifiedAtMs = table.verdicts.verifiedAtMs(slot)
  await pass(1_000)
  set(slot, 2)
  set(slot, 3)
  await pass(250)
  t.match(auditor.status(), { explained: { ahead: 1 }, mismatch: 0 })
  t.ok(Number.isNaN(verifiedAtMs))
  t.equal(table.verdicts.verifiedAtMs(slot), 1_000_000 + clock.ms)
})

t.test('a book that changes more often than is kept is too busy to tell', async (t) => {
  const { auditor, pass, rest, slots, set, repaired, clock } = venue(1)
  const [slot] = slots as [number]
  rest.set(slot, 1)
  for (let size = 2; clock.ms < 60_000; ) {
    for (let i = 0; i < 50; i++) set(slot, size++)
    await pass(250)
  }
  t.match(auditor.status(), { explained: { too_busy: 1 }, mismatch: 0 })
  t.same(repaired, [])
})

t.test('what is gone, paused or given to another market meanwhile is explained', async (t) => {
  const { auditor, pass, rest, slots, ids, table, repaired } = venue(3)
  const [gone, paused, other] = slots as [number, number, number]
  await pass(20_000)
  rest.set(gone, undefined)
  rest.set(paused, 9)
  rest.set(other, 9)
  table.raise(paused, 'venue_paused')
  ids.set(other, 'v:new')
  await pass(20_000)
  t.match(auditor.status().explained, { not_read: 1, not_live: 2 })
  t.same(repaired, [])
})

t.test('reads that fail are repeated, and hold no book up', async (t) => {
  let isDown = true
  const asked: number[] = []
  const { auditor, pass } = venue(2, {
    read: async (slots, take) => {
      asked.push(slots.length)
      if (isDown) throw new Error('down')
      const yes = new LevelList()
      const no = new LevelList()
      yes.push(4_000, 1)
      no.push(5_000, 7)
      for (const slot of slots) take(slot, yes, no)
    }
  })
  await pass(40_000)
  t.ok(auditor.status().failedReads > 1)
  isDown = false
  await pass(10_000)
  t.equal(auditor.status().equal, 2)
})

t.test('an urgent audit comes first, and needs no watching for a silent book', async (t) => {
  const { auditor, pass, rest, slots, reads } = venue(3)
  const [quiet, dead, young] = slots as [number, number, number]
  const results: [number, AuditResult][] = []
  const ask = (slot: number, unchangedForMs: number) =>
    auditor.urgent(slot, unchangedForMs, (result) => results.push([slot, result]))
  rest.set(dead, 5)
  rest.set(young, 5)
  ask(quiet, 20_000)
  ask(dead, 20_000)
  ask(young, 3_000)
  await pass(500)
  t.same(reads[0], [quiet, dead, young], 'at once, and together')
  t.same(results, [[quiet, 'equal']])
  await pass(5_000)
  t.same(results[1], [dead, 'wrong'])
  t.equal(results.length, 2, 'of the young one too little is known')
  await pass(13_500)
  t.same(results[2], [young, 'wrong'])
  t.equal(auditor.status().explained.too_young, 1)
})

t.test('an equal read proves nothing of a silence that is younger than the read may be', async (t) => {
  const { auditor, pass, slots, table } = venue(2)
  const [young, flagged] = slots as [number, number]
  const results: [number, AuditResult][] = []
  auditor.urgent(young, 9_000, (result) => results.push([young, result]))
  table.raise(flagged, 'silent')
  auditor.urgent(flagged, 60_000, (result) => results.push([flagged, result]))
  await pass(500)
  t.same(results, [
    [young, 'cached'],
    [flagged, 'equal']
  ])
  t.ok(Number.isNaN(table.verdicts.verifiedAtMs(young)))
  t.ok(
    Number.isNaN(table.verdicts.verifiedAtMs(flagged)),
    'its connection is silent: it is not called verified'
  )
})

t.test('a doubtful book is not audited: it is being mended', async (t) => {
  const { auditor, table, slots, pass } = venue(1)
  const [slot] = slots as [number]
  table.raise(slot, 'sequence_gap')
  const results: AuditResult[] = []
  auditor.urgent(slot, 0, (result) => results.push(result))
  t.same(results, ['not_live'])
  await pass(120_000)
  t.equal(auditor.status().equal, 0)
})

t.test('nothing is watched after the end', async (t) => {
  const { auditor, pass, table, slots } = venue(2)
  await pass(20_000)
  auditor.stop()
  const watched = (table as unknown as { watched: Uint8Array }).watched
  t.ok(slots.every((slot) => watched[slot] === 0))
})

/** What a poll beside the stream gives the auditor: the book of one size at one price. */
function polling({ auditor, clock }: ReturnType<typeof venue>) {
  const yes = new LevelList()
  const no = new LevelList()
  return (slot: number, size: number, askedAtMs = clock.ms) => {
    yes.clear()
    no.clear()
    yes.push(4_000, size)
    no.push(5_000, 7)
    return auditor.polled(slot, yes, no, askedAtMs)
  }
}

t.test('books that polls find equal are proved by them, and no audit reads them', async (t) => {
  const world = venue(2)
  const { auditor, pass, reads, slots, table } = world
  const [polled, alone] = slots as [number, number]
  const poll = polling(world)
  for (let round = 0; round < 30; round++) {
    await pass(5_000)
    t.equal(poll(polled, 1), true)
  }
  t.ok((auditor.ageMs(polled) ?? Infinity) <= 20_000, 'a proof is never older than a quarter of a period')
  t.ok(table.verdicts.verifiedAtMs(polled) >= 1_000_000 + 130_000)
  t.notOk(
    reads.some((slots) => slots.includes(polled)),
    'only the other one'
  )
  t.ok(reads.some((slots) => slots.includes(alone)))
})

t.test('an equal poll proves nothing of a book that is in doubt', async (t) => {
  const world = venue(1)
  const { auditor, slots, table } = world
  const [slot] = slots as [number]
  table.raise(slot, 'silent')
  t.equal(polling(world)(slot, 1), null)
  table.clear(slot, 'silent')
  table.raise(slot, 'disconnected')
  t.equal(polling(world)(slot, 1), null)
  t.equal(auditor.ageMs(slot), null)
  t.ok(Number.isNaN(table.verdicts.verifiedAtMs(slot)))
})

t.test('polls that differ accuse no book, and bring no audit of one that goes on changing', async (t) => {
  const world = venue(1, { random: () => 1 })
  const { auditor, pass, slots, table, reads, set, rest } = world
  const [slot] = slots as [number]
  const poll = polling(world)
  for (let size = 2; size < 6; size++) {
    set(slot, size)
    rest.set(slot, size)
    // What a cache of 15 s says.
    t.equal(poll(slot, 1), false)
    await pass(5_000)
  }
  t.equal(table.verdicts.state(slot), 'live')
  t.match(auditor.status(), { mismatch: 0, equal: 0 })
  t.same(reads, [])
})

t.test('a book that stays other than polls say is audited before its turn, and mended', async (t) => {
  const world = venue(1, { random: () => 1 })
  const { auditor, pass, clock, slots, rest, repaired, table } = world
  const [slot] = slots as [number]
  const poll = polling(world)
  const age = () => auditor.ageMs(slot)
  poll(slot, 1)
  t.equal(age(), 0)
  rest.set(slot, 2)
  const lostAtMs = clock.ms
  while (repaired.length === 0 && clock.ms < lostAtMs + 60_000) {
    await pass(5_000)
    poll(slot, 2)
    if (clock.ms - lostAtMs < 20_000) t.equal(table.verdicts.state(slot), 'live', 'a cache explains it')
  }
  t.same(repaired, [[slot, 1]])
  t.ok(clock.ms - lostAtMs <= 35_000, `found after ${clock.ms - lostAtMs} ms, a turn is after 48 s`)
})

t.test('where an audit is due a poll is its read; before that it is not', async (t) => {
  const world = venue(3, { read: () => new Promise(() => {}), booksPerRead: () => 1, random: () => 0 })
  const { auditor, clock, slots, pass } = world
  const [slot, ...others] = slots as [number, number, number]
  const poll = polling(world)
  // Reads that are never answered, as many as may be under way: what is compared from now on are polls.
  for (const other of others) auditor.urgent(other)
  await pass(1_250)
  clock.ms += 8_000
  poll(slot, 1)
  t.equal(auditor.status().equal, 0, 'the book is watched, but not for long enough')
  clock.ms += 8_000
  poll(slot, 1, clock.ms - 1_000)
  t.equal(auditor.status().equal, 0, 'it was asked for too early')
  poll(slot, 2)
  await pass(2_000)
  t.match(auditor.status(), { mismatch: 1, confirmed: 0 }, 'one alone convicts no book')
  poll(slot, 2)
  await pass(2_000)
  t.match(auditor.status(), { mismatch: 2, confirmed: 1 })
})

t.test('of a book that goes wrong after equal polls the turn is drawn anew', async (t) => {
  const world = venue(1, { random: () => 0.1 })
  const { pass, clock, slots, set, rest, repaired } = world
  const [slot] = slots as [number]
  const poll = polling(world)
  for (let round = 0; round < 8; round++) {
    await pass(5_000)
    poll(slot, 1)
  }
  rest.set(slot, 100)
  const lostAtMs = clock.ms
  // It goes on changing, without the change that was lost.
  for (let size = 2; repaired.length === 0 && size < 100; size++) {
    set(slot, size)
    rest.set(slot, size + 100)
    poll(slot, size + 100)
    await pass(1_000)
  }
  t.ok(clock.ms - lostAtMs < 30_000, `found after ${clock.ms - lostAtMs} ms; a rest alone is 32 s`)
})
