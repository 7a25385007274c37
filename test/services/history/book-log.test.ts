import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { BookUnknownError } from '../../../services/errors.ts'
import { BookLogReader } from '../../../services/history/book-log/reader.ts'
import { BookLogWriter } from '../../../services/history/book-log/writer.ts'
import { JournalReader } from '../../../services/history/journal/reader.ts'
import { JournalWriter } from '../../../services/history/journal/writer.ts'
import type { RecordedLevel } from '../../../services/history/records.ts'
import type { VerdictReason, VerdictSource } from '../../../services/integrity/verdict.ts'
import { ONE_E4 } from '../../../services/numbers/decimal.ts'
import { NO, type Outcome, YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { market } from '../../helper.ts'
import { MemoryJournal } from './memory-journal.ts'

const START_MS = 1_800_000_000_000
const SECOND = 1_000
/** Of the test's markets. */
const SPARE = 4

interface Logged {
  store: SnapshotStore
  journal: MemoryJournal
  writer: BookLogWriter
  reader: BookLogReader
  clock: { ms: number }
  /** Puts a live book of one market into the store, with one level a side; returns its slot. */
  serve(id: string): number
}

async function logged(options: Partial<{ journal: MemoryJournal; ms: number }> = {}): Promise<Logged> {
  const store = new SnapshotStore({ capacityMarkets: SPARE, capacityLevels: 100_000 })
  const { journal = new MemoryJournal(), ms = START_MS } = options
  const clock = { ms }
  const writer = new BookLogWriter({ store, sink: journal, now: () => clock.ms, clockEvery: 1 })
  writer.start()
  await nextTurn()
  const serve = (id: string) => {
    const slot = store.put(market(1, { id }), '')?.slot as number
    const { books } = store
    books.arena.setLevel(slot, YES, 4_000, 5)
    books.arena.setLevel(slot, NO, 5_000, 7)
    books.resynced(slot)
    return slot
  }
  return { store, journal, writer, reader: new BookLogReader(journal), clock, serve }
}

const id = (n: number) => `kalshi:M${n}`

interface TrueBook {
  atMs: number
  id: string
  book: { bids: RecordedLevel[]; asks: RecordedLevel[]; state: string; reason: string | null } | null
}

/** A naive deep copy of what is served. */
function copyOf(store: SnapshotStore, of: string): TrueBook['book'] {
  const slot = store.get(of)?.slot
  if (slot === undefined) return null
  const { arena, verdicts } = store.books
  const side = (outcome: Outcome): RecordedLevel[] =>
    Array.from({ length: arena.count(slot, outcome) }, (_, i) => [
      arena.priceAt(slot, outcome, i),
      arena.sizeAt(slot, outcome, i)
    ])
  const asks = side(NO).map(([price, size]): RecordedLevel => [ONE_E4 - price, size])
  return { bids: side(YES), asks, state: verdicts.state(slot), reason: verdicts.reason(slot) }
}

const market3 = fc.nat(2)
const outcome = fc.constantFrom(YES, NO)
const price = fc.oneof(fc.nat(20), fc.nat(ONE_E4))
const size = fc.oneof(fc.constant(0), fc.nat(2 ** 40))
const reason = fc.constantFrom<VerdictReason>('disconnected', 'sequence_gap', 'venue_paused', 'silent')
const levels = fc.uniqueArray(fc.tuple(price, size), { selector: ([at]) => at, maxLength: 60, size: 'max' })
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('set' as const), market: market3, outcome, price, size })
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('change' as const), market: market3, outcome, price, size })
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('replace' as const), market: market3, outcome, levels })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), market: market3 }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('raise' as const), market: market3, reason }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clear' as const), market: market3, reason }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('resync' as const), market: market3 }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rebind' as const), market: market3 }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('untouched' as const), market: market3, price, size })
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), market: market3, ms: fc.nat(40_000) })
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('turn' as const), market: market3 }) }
)
type Operation = typeof operation extends fc.Arbitrary<infer One> ? One : never

/** Time in which nothing happens but signs of life. */
async function pass(ms: number, clock: Logged['clock'], writer: BookLogWriter): Promise<void> {
  const endMs = clock.ms + ms
  while (clock.ms < endMs) {
    clock.ms = Math.min(endMs, clock.ms + SECOND)
    writer.tick()
  }
  await nextTurn()
}

async function perform(one: Operation, { store, clock, writer }: Logged): Promise<void> {
  if (one.kind === 'turn') return void (await nextTurn())
  if (one.kind === 'wait') {
    await pass(one.ms, clock, writer)
    return
  }
  const record = store.get(id(one.market))
  if (one.kind === 'rebind') {
    if (record === undefined) store.put(market(1, { id: id(one.market) }), '')
    else store.remove(record.id)
  }
  if (record === undefined) return
  const { slot } = record
  const { books } = store
  const { arena } = books
  switch (one.kind) {
    case 'set':
      arena.setLevel(slot, one.outcome, one.price, one.size)
      arena.setLevel(slot, one.outcome, one.price + 1, one.size)
      return books.touch(slot)
    case 'change':
      if (arena.changeLevel(slot, one.outcome, one.price, one.size) >= 0) books.touch(slot)
      return
    case 'replace': {
      const list = new LevelList()
      for (const [at, resting] of one.levels) list.push(at, resting)
      list.sort()
      arena.replace(slot, one.outcome, list)
      return books.touch(slot)
    }
    case 'release':
      arena.release(slot)
      return books.touch(slot)
    case 'raise':
      return books.raise(slot, one.reason)
    case 'clear':
      return books.clear(slot, one.reason)
    case 'resync':
      return books.resynced(slot)
    case 'untouched':
      // As a book that does not fit, or a match that is taken back: nobody says that it changed, and it is served.
      arena.setLevel(slot, YES, one.price, one.size)
      await nextTurn()
  }
}

t.test('the book of every recorded instant is the one that a naive copy kept', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 120, size: 'max' }), async (operations) => {
      const all = await logged()
      const { store, clock, writer, reader } = all
      for (const n of [0, 1, 2]) store.put(market(1, { id: id(n) }), '')
      const truth: TrueBook[] = []
      for (const one of operations) {
        clock.ms++
        await perform(one, all)
        for (const n of [0, 1, 2]) truth.push({ atMs: clock.ms, id: id(n), book: copyOf(store, id(n)) })
      }
      clock.ms++
      await writer.stop()
      for (const { atMs, id, book } of truth) {
        if (book === null) {
          const found = await reader.bookAt(id, atMs).catch((error: unknown) => error)
          if (!(found instanceof BookUnknownError)) return false
          continue
        }
        const { bids, asks, state, reason, proven } = await reader.bookAt(id, atMs)
        const isRight = state === 'live' || reason === 'venue_paused' ? undefined : false
        if (JSON.stringify({ bids, asks, state, reason }) !== JSON.stringify(book)) return false
        if (isRight === false && proven) return false
        if (state === 'live' && !proven) return false
      }
      return true
    }),
    { numRuns: 60 }
  )
  t.pass('all equal')
})

t.test('a proved book says what it was built from', async (t) => {
  const { store, clock, writer, reader, serve } = await logged()
  const slot = serve(id(1))
  clock.ms += 5
  store.books.arena.changeLevel(slot, YES, 4_100, 3)
  store.books.touch(slot)
  const version = store.books.versions[slot]
  clock.ms += 5
  writer.beat()
  const book = await reader.bookAt(id(1), START_MS + 7)
  t.match(book, {
    bids: [
      [4_100, 3],
      [4_000, 5]
    ],
    asks: [[5_000, 7]],
    state: 'live',
    reason: null,
    version,
    base: { atMs: START_MS, kind: 'checkpoint' },
    proven: true,
    hole: null
  })
  t.match(book.digest, /^[0-9a-f]{32}$/)
  t.equal(book.deltas, 2, 'the first book and one level')
  await writer.stop()
})

t.test('a market that was not served then is unknown', async (t) => {
  const { store, clock, writer, reader, serve } = await logged()
  serve(id(1))
  clock.ms += 10
  store.remove(id(1))
  clock.ms += 10
  await writer.stop()
  await t.rejects(reader.bookAt(id(1), START_MS - 1), BookUnknownError)
  await t.rejects(reader.bookAt(id(2), START_MS + 5), BookUnknownError)
  await t.rejects(reader.bookAt(id(1), START_MS + 10), { code: 'BOOK_UNKNOWN' })
  t.ok((await reader.bookAt(id(1), START_MS + 9)).proven)
})

t.test('a doubtful book is given back, with the doubt as its hole', async (t) => {
  const { store, clock, writer, reader, serve } = await logged()
  const slot = serve(id(1))
  clock.ms += 10
  store.books.raise(slot, 'sequence_gap')
  clock.ms += 10
  store.books.raise(slot, 'venue_paused')
  clock.ms += 10
  store.books.resynced(slot)
  clock.ms += 10
  await writer.stop()
  t.match(await reader.bookAt(id(1), START_MS + 12), {
    state: 'suspect',
    proven: false,
    hole: { fromMs: START_MS + 10, toMs: null, reason: 'sequence_gap' }
  })
  t.match(await reader.bookAt(id(1), START_MS + 25), {
    state: 'halted',
    reason: 'venue_paused',
    hole: { fromMs: START_MS + 10, reason: 'sequence_gap' }
  })
  t.match(await reader.bookAt(id(1), START_MS + 35), { state: 'halted', proven: true })
})

t.test('a book that is only polled is not proved between two polls, though it is live', async (t) => {
  const { store, clock, writer, reader, serve } = await logged()
  const slot = serve(id(1))
  const { books } = store
  const become = (source: VerdictSource, change: () => void = () => {}) => {
    clock.ms += 10
    books.setSource(slot, source)
    change()
    books.touch(slot)
  }
  become('poll')
  become('poll', () => books.arena.setLevel(slot, YES, 4_000, 6))
  become('poll', () => books.raise(slot, 'poll_overdue'))
  become('poll', () => books.resynced(slot))
  become('poll', () => books.raise(slot, 'market_settled'))
  become('websocket')
  clock.ms += 10
  await writer.stop()
  const at = async (ms: number) => {
    const { state, proven, hole } = await reader.bookAt(id(1), START_MS + ms)
    return [state, proven, hole]
  }
  const polled = { fromMs: START_MS + 10, toMs: null, reason: 'polled' }
  t.strictSame(await at(9), ['live', true, null])
  t.strictSame(await at(15), ['live', false, polled])
  t.strictSame(await at(20), ['live', false, polled], 'nor when one came: it may be of a cache')
  t.strictSame(await at(35), ['stale', false, { ...polled, reason: 'poll_overdue' }])
  t.strictSame(await at(45), ['live', false, polled])
  t.strictSame(await at(55), ['closed', false, polled])
  t.strictSame(await at(65), ['closed', true, null])
})

t.test('a record that is missing is found, whichever it is', async (t) => {
  const { store, journal, clock, writer, reader, serve } = await logged()
  const slots = [serve(id(1)), serve(id(2))]
  for (let i = 0; i < 40; i++) {
    clock.ms++
    const slot = slots[i % 2] as number
    store.books.arena.setLevel(slot, YES, 100 + (i % 7), i + 1)
    store.books.touch(slot)
  }
  clock.ms++
  writer.beat()
  await writer.stop()
  const whole = journal.entries
  const end = whole.findIndex(({ record }) => record.atMs === clock.ms)
  const first = whole.findLastIndex(({ key }) => key === id(2))
  t.ok((await reader.bookAt(id(1), clock.ms - 1)).proven)
  for (let lost = first + 1; lost < end; lost++) {
    journal.entries = whole.toSpliced(lost, 1)
    const atMs = (whole[lost] as (typeof whole)[number]).record.atMs
    for (const one of [id(1), id(2)]) {
      const { proven, hole } = await reader.bookAt(one, clock.ms - 1)
      t.notOk(proven)
      t.match(hole, { reason: 'record_lost', fromMs: Math.max(START_MS, atMs - 1), toMs: atMs + 1 })
    }
  }
})

t.test('a hole of the journal unproves what lies in and behind it, until the next checkpoint', async (t) => {
  const { store, journal, clock, writer, reader, serve } = await logged()
  const slot = serve(id(1))
  const change = (size: number) => {
    clock.ms += 10
    store.books.arena.setLevel(slot, YES, 100, size)
    store.books.touch(slot)
  }
  change(1)
  writer.beat()
  const kept = journal.entries.length
  change(2)
  writer.beat()
  journal.entries.length = kept
  const hole = {
    journal: 'books',
    fromMs: START_MS + 20,
    toMs: START_MS + 20,
    records: 2,
    reason: 'queue_full'
  }
  journal.append('hole', hole.toMs, 0, Buffer.from(JSON.stringify(hole)))
  change(3)
  clock.ms += 10
  writer.checkpointAll()
  await nextTurn()
  clock.ms += 10
  await writer.stop()
  const at = async (ms: number) => {
    const { proven, hole } = await reader.bookAt(id(1), START_MS + ms)
    return [proven, hole?.reason ?? null]
  }
  t.strictSame(await at(19), [true, null])
  t.strictSame(await at(20), [false, 'queue_full'])
  t.strictSame(await at(35), [false, 'queue_full'])
  t.strictSame(await at(45), [true, null])
  t.match(await reader.bookAt(id(1), START_MS + 35), { hole: { fromMs: hole.fromMs, toMs: hole.toMs } })
  // An instant before the hole, in a log that goes on with it.
  const later = { ...hole, fromMs: START_MS + 49, toMs: START_MS + 60 }
  journal.entries = journal.entries.filter(({ record }) => record.atMs < START_MS + 50)
  journal.append('hole', later.toMs, 0, Buffer.from(JSON.stringify(later)))
  t.strictSame(await at(50), [false, 'queue_full'])
  t.strictSame(await at(48), [false, 'not_recorded'])
})

t.test('a log that ends by a kill does not prove the silence after it', async (t) => {
  const first = await logged()
  first.serve(id(1))
  first.clock.ms += SECOND
  first.writer.tick()
  await nextTurn()
  const killedMs = first.clock.ms
  const journal = new MemoryJournal()
  journal.entries = [...first.journal.entries]
  const at = (ms: number) => new BookLogReader(journal).bookAt(id(1), ms)
  t.ok((await at(killedMs - 1)).proven)
  t.match(await at(killedMs + 1), {
    proven: false,
    hole: { fromMs: killedMs, toMs: null, reason: 'not_recorded' }
  })

  const again = await logged({ journal, ms: killedMs + 9 * SECOND })
  t.match(await at(killedMs + SECOND), {
    proven: false,
    hole: { fromMs: killedMs, toMs: killedMs + 9 * SECOND, reason: 'restart' }
  })
  again.clock.ms += SECOND
  again.writer.beat()
  t.match(await at(killedMs + 10 * SECOND), {
    bids: [[4_000, 5]],
    proven: false,
    hole: { fromMs: killedMs, toMs: null, reason: 'restart' }
  })
  // Another market in the slot that this one had: its changes are not this one's.
  again.serve(id(2))
  again.clock.ms += SECOND
  t.match(await at(again.clock.ms), { bids: [[4_000, 5]], deltas: 0, proven: false })
  again.serve(id(1))
  const servedMs = again.clock.ms
  again.clock.ms += SECOND
  await again.writer.stop()
  t.match(await at(servedMs), { proven: true, base: { atMs: servedMs } })
  t.match(await at(again.clock.ms + 1), { proven: false, hole: { reason: 'stopped', fromMs: servedMs } })
  await first.writer.stop()
})

t.test('the silence of a process that stood still proves nothing', async (t) => {
  const { store, journal, clock, writer, reader, serve } = await logged()
  const slot = serve(id(1))
  const change = (size: number) => {
    store.books.arena.setLevel(slot, YES, 4_000, size)
    store.books.touch(slot)
  }
  await pass(3 * SECOND, clock, writer)
  const stoodMs = clock.ms
  clock.ms += 25 * SECOND
  const wokeMs = clock.ms
  // Who asks, or a frame that waited, may come before the sign that is due.
  change(6)
  writer.tick()
  // So many that the next whole book is where a reader would start.
  for (let size = 7; size <= 16; size++) {
    clock.ms += 10
    change(size)
  }
  writer.checkpointAll()
  await nextTurn()
  await pass(3 * SECOND, clock, writer)
  const hole = { fromMs: stoodMs, toMs: wokeMs + SECOND, reason: 'standstill' }
  for (const atMs of [stoodMs, stoodMs + 1, wokeMs - 1, wokeMs, wokeMs + 200, wokeMs + SECOND - 1])
    t.match(await reader.bookAt(id(1), atMs), { proven: false, hole })
  t.match(await reader.bookAt(id(1), stoodMs - 1), { bids: [[4_000, 5]], proven: true })
  t.match(await reader.bookAt(id(1), wokeMs + SECOND), {
    bids: [[4_000, 16]],
    proven: true,
    base: { atMs: wokeMs + 100 }
  })

  // Frames that waited were too many for the journal: what it lost begins with the wake.
  const lost = { fromMs: wokeMs, toMs: wokeMs + 500, records: 2, reason: 'queue_full', journal: 'books' }
  journal.entries = journal.entries.filter(({ record }) => record.atMs < wokeMs || record.atMs > lost.toMs)
  const after = journal.entries.findIndex(({ record }) => record.atMs > lost.toMs)
  const body = Buffer.from(JSON.stringify(lost))
  const record = { kind: 'hole' as const, atMs: lost.toMs, connection: 0, body }
  journal.entries.splice(after, 0, { record, key: undefined })
  t.match(await reader.bookAt(id(1), stoodMs + SECOND), { proven: false, hole: { reason: 'standstill' } })
  t.ok((await reader.bookAt(id(1), stoodMs - 1)).proven)
  await writer.stop()
})

t.test('a delay of a busy machine is no standstill, and a restart is none', async (t) => {
  const { journal, clock, writer, reader, serve } = await logged()
  serve(id(1))
  clock.ms += 5 * SECOND
  writer.tick()
  await nextTurn()
  t.ok((await reader.bookAt(id(1), START_MS + 2 * SECOND)).proven)
  await writer.stop()
  const again = await logged({ journal, ms: clock.ms + 60 * SECOND })
  again.serve(id(1))
  again.clock.ms += SECOND
  await again.writer.stop()
  t.ok((await reader.bookAt(id(1), again.clock.ms - 1)).proven)
})

t.test('a book whose levels are not those that were recorded is not proved', async (t) => {
  const { journal, clock, writer, reader, serve } = await logged()
  serve(id(1))
  clock.ms += SECOND
  await writer.stop()
  const entry = journal.entries.findLast(({ record }) => record.body.length > 40 && record.kind === 'book')
  const { body } = (entry as (typeof journal.entries)[number]).record
  // The last byte of the last level's size.
  body.writeUInt8((body.at(-1) as number) ^ 1, body.length - 1)
  t.match(await reader.bookAt(id(1), clock.ms - 1), { proven: false, hole: { reason: 'print_mismatch' } })
})

t.test('checkpoints in the middle change nothing but where reading starts', async (t) => {
  const { store, journal, clock, writer, reader, serve } = await logged()
  const slot = serve(id(1))
  for (let i = 0; i < 200; i++) {
    clock.ms += SECOND
    store.books.arena.setLevel(slot, i % 2 === 0 ? YES : NO, 100 + (i % 11), i % 5)
    store.books.touch(slot)
    writer.tick()
    await nextTurn()
  }
  clock.ms += SECOND
  await writer.stop()
  const middle = journal.entries.filter(({ key }) => key === id(1)).length
  t.ok(middle >= 6, 'one each thirty seconds')
  const seconds = Array.from({ length: 200 }, (_, i) => START_MS + (i + 1) * SECOND)
  const withAll = await Promise.all(seconds.map((ms) => reader.bookAt(id(1), ms)))
  t.ok(withAll.every(({ proven, deltas }) => proven && deltas <= 31))
  const bind = journal.entries.findIndex(({ key }) => key === id(1))
  for (const [index, entry] of journal.entries.entries()) if (index > bind) entry.key = undefined
  for (const { record } of journal.entries.slice(bind + 1))
    if (record.kind === 'checkpoint') record.body = Buffer.from(record.body.toString().replace(id(1), id(3)))
  const withOne = await Promise.all(seconds.map((ms) => reader.bookAt(id(1), ms)))
  const bare = ({ bids, asks, state, version, digest, proven }: (typeof withAll)[number]) => ({
    bids,
    asks,
    state,
    version,
    digest,
    proven
  })
  t.strictSame(withOne.map(bare), withAll.map(bare))
})

t.test('a book gets a checkpoint after many changes, and now and then while it rests', async (t) => {
  const { store, journal, clock, writer, serve } = await logged()
  const slot = serve(id(1))
  const checkpoints = () => journal.entries.filter(({ key }) => key === id(1)).length
  const settled = async () => {
    writer.tick()
    await nextTurn()
  }
  await settled()
  const before = checkpoints()
  for (let i = 0; i < 1_999; i++) {
    store.books.arena.setLevel(slot, YES, 100, i + 1)
    store.books.touch(slot)
  }
  await settled()
  t.equal(checkpoints(), before)
  store.books.arena.setLevel(slot, YES, 100, 0)
  store.books.touch(slot)
  await settled()
  t.equal(checkpoints(), before + 1)
  clock.ms += 60 * SECOND
  await settled()
  t.equal(checkpoints(), before + 1, 'it rests')
  for (let i = 0; i < 5; i++) {
    clock.ms += 60 * SECOND
    await settled()
  }
  t.equal(checkpoints(), before + 3)
  await writer.stop()
})

t.test('books that were served before the log began are in it', async (t) => {
  const store = new SnapshotStore({ capacityMarkets: 200, capacityLevels: 10_000 })
  const slots = Array.from({ length: 200 }, (_, i) => store.put(market(1, { id: id(i) }), '')?.slot as number)
  for (const slot of slots) {
    store.books.arena.setLevel(slot, YES, 100 + slot, 1)
    store.books.resynced(slot)
  }
  const journal = new MemoryJournal()
  const clock = { ms: START_MS }
  const writer = new BookLogWriter({ store, sink: journal, now: () => clock.ms })
  writer.start()
  const whole = () => journal.entries.filter(({ record }) => record.kind === 'checkpoint').length
  while (whole() < slots.length) await nextTurn()
  clock.ms++
  await writer.stop()
  const reader = new BookLogReader(journal)
  for (let i = 0; i < 200; i++) {
    t.match(await reader.bookAt(id(i), START_MS), { bids: [[100 + (slots[i] as number), 1]], proven: true })
  }
})

t.test('only what changed is recorded', async (t) => {
  const { store, journal, clock, writer, serve } = await logged()
  const slot = serve(id(1))
  writer.beat()
  const before = journal.entries.length
  const { books } = store
  clock.ms++
  books.touch(slot)
  books.arena.setLevel(slot, YES, 4_000, 5)
  books.touch(slot)
  books.setSource(slot, 'websocket')
  books.touch(slot)
  await nextTurn()
  t.equal(journal.entries.filter(({ record }) => record.kind === 'book').length, before - 1)
  books.setSource(slot, 'poll')
  books.touch(slot)
  await nextTurn()
  t.equal(journal.entries.at(-1)?.record.atMs, clock.ms)
  await writer.stop()
})

t.test('a huge change and a long turn are handed on in parts', async (t) => {
  const { store, journal, clock, writer, reader, serve } = await logged()
  const slot = serve(id(1))
  const list = new LevelList()
  for (let price = 0; price <= ONE_E4; price++) list.push(price, price + 1)
  store.books.arena.replace(slot, YES, list)
  store.books.touch(slot)
  const before = journal.entries.length
  for (let i = 0; i < 2_000; i++) {
    store.books.arena.setLevel(slot, NO, 1, i + 1)
    store.books.touch(slot)
  }
  t.ok(journal.entries.length > before, 'in the middle of the turn')
  clock.ms++
  writer.beat()
  const book = await reader.bookAt(id(1), START_MS)
  t.equal(book.bids.length, ONE_E4 + 1)
  t.strictSame(book.asks, [
    [5_000, 7],
    [9_999, 2_000]
  ])
  t.ok(book.proven)
  await writer.stop()
})

t.test('the history of a book has every change, and its digest does not depend on the turns', async (t) => {
  const run = async (turns: boolean) => {
    const { store, clock, writer, reader, serve } = await logged()
    const slot = serve(id(1))
    for (let i = 0; i < 20; i++) {
      if (i % 5 === 0) clock.ms += 10
      store.books.arena.setLevel(slot, YES, 100 + i, 1)
      store.books.touch(slot)
      if (turns) await nextTurn()
    }
    clock.ms += 10
    await writer.stop()
    const range = { fromMs: START_MS + 15, toMs: START_MS + 35 }
    const versions = []
    for await (const one of reader.history(id(1), range)) versions.push(one)
    return {
      versions,
      digest: await reader.digestOf(range),
      all: await reader.digestOf({ fromMs: 0, toMs: 1e15 })
    }
  }
  const [quick, slow] = [await run(false), await run(true)]
  t.strictSame(quick, slow)
  t.not(quick.digest, quick.all)
  t.equal(quick.versions.length, 10)
  t.match(quick.versions[0], { atMs: START_MS + 20, state: 'live', asks: [[5_000, 7]] })
  t.equal(quick.versions[9]?.bids.length, 16)
})

t.test('history begins with the market where the range does', async (t) => {
  const { store, clock, writer, reader, serve } = await logged()
  clock.ms += 10
  serve(id(1))
  clock.ms += 10
  store.remove(id(1))
  clock.ms += 10
  serve(id(1))
  clock.ms += 10
  await writer.stop()
  const states = []
  for await (const { atMs, state } of reader.history(id(1), { fromMs: START_MS, toMs: clock.ms }))
    states.push([atMs - START_MS, state])
  t.strictSame(states, [
    [10, 'syncing'],
    [10, 'live'],
    [20, 'live'],
    [30, 'syncing'],
    [30, 'live']
  ])
})

t.test('times of the log never go back', async (t) => {
  const { store, journal, clock, writer, serve } = await logged()
  const slot = serve(id(1))
  clock.ms -= 5 * SECOND
  store.books.raise(slot, 'silent')
  await writer.stop()
  t.ok(journal.entries.every(({ record }) => record.atMs === START_MS))
})

t.test('once stopped, nothing is told or recorded', async (t) => {
  const { store, journal, writer, serve } = await logged()
  const slot = serve(id(1))
  await writer.stop()
  await writer.stop()
  const { length } = journal.entries
  t.equal(store.books.arena.listener, null)
  store.books.arena.setLevel(slot, YES, 1, 1)
  store.books.raise(slot, 'silent')
  store.remove(id(1))
  await nextTurn()
  t.equal(journal.entries.length, length)
})

t.test('the journal on the disk gives back what was logged, also while it is written', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'crossbook-book-log-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const clock = { ms: START_MS }
  const quiet = { info: () => {}, warn: () => {}, error: () => {} }
  const sink = new JournalWriter({
    folder,
    name: 'books',
    flushMs: 50,
    blockBytes: 4_096,
    onHole: (hole) => t.fail(hole.reason),
    log: quiet
  })
  await sink.start()
  const store = new SnapshotStore({ capacityMarkets: SPARE, capacityLevels: 10_000 })
  const writer = new BookLogWriter({ store, sink, now: () => clock.ms, clockEvery: 1 })
  writer.start()
  const slots = [0, 1, 2].map((n) => store.put(market(1, { id: id(n) }), '')?.slot as number)
  for (const slot of slots) store.books.resynced(slot)
  const truth: TrueBook[] = []
  for (let i = 0; i < 900; i++) {
    clock.ms += 100
    const slot = slots[i % 3] as number
    store.books.arena.setLevel(slot, i % 2 === 0 ? YES : NO, 100 + (i % 17), i % 4)
    store.books.touch(slot)
    if (i % 10 === 0) {
      writer.tick()
      await nextTurn()
    }
    truth.push({ atMs: clock.ms, id: id(i % 3), book: copyOf(store, id(i % 3)) })
  }
  clock.ms++
  writer.beat()
  await sink.flush()
  const reader = new BookLogReader(new JournalReader({ folder, name: 'books' }))
  for (const { atMs, id, book } of truth.filter((_, i) => i % 23 === 0 || i === 899)) {
    const { bids, asks, state, reason, proven } = await reader.bookAt(id, atMs)
    t.strictSame({ bids, asks, state, reason, proven }, { ...book, proven: true })
  }
  await writer.stop()
  await sink.stop()
  const versions = []
  for await (const one of reader.history(id(0), { fromMs: START_MS + 1, toMs: clock.ms })) versions.push(one)
  const books = truth.filter(({ id: of }) => of === id(0)).map(({ book }) => JSON.stringify(book))
  const first = JSON.stringify({ bids: [], asks: [], state: 'live', reason: null })
  const changes = books.filter((book, i) => book !== (i === 0 ? first : books[i - 1]))
  t.strictSame(
    versions.map(({ bids, asks, state }) => JSON.stringify({ bids, asks, state, reason: null })),
    changes
  )
})
