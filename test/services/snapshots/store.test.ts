import fc from 'fast-check'
import t from 'tap'
import type { Event } from '../../../schemas/event.ts'
import type { Market } from '../../../schemas/market.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { AskedPage } from '../../../services/snapshots/asked-page.ts'
import { BufferPool } from '../../../services/snapshots/buffer-pool.ts'
import { ByteCells } from '../../../services/snapshots/byte-cells.ts'
import { ChangeBus } from '../../../services/snapshots/change-bus.ts'
import { Fragments } from '../../../services/snapshots/fragments.ts'
import { IndexBytes } from '../../../services/snapshots/index-bytes.ts'
import { KeptBodies } from '../../../services/snapshots/kept-bodies.ts'
import { MARKET_SORTS, type MarketFilter } from '../../../services/snapshots/market-queries.ts'
import { MarketPages } from '../../../services/snapshots/pages.ts'
import { stampOf } from '../../../services/snapshots/stamp.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { market, serve } from '../../helper.ts'

function newStore(capacityMarkets = 100): SnapshotStore {
  return new SnapshotStore({ capacityMarkets, capacityLevels: capacityMarkets * 64 })
}

t.test('an event stays while its only market changes, and leaves with it', async (t) => {
  const store = new SnapshotStore({ capacityMarkets: 4, capacityLevels: 100 })
  const header = (id: string) => ({
    id,
    venue: 'kalshi' as const,
    venueEventId: id,
    symbol: id,
    seriesId: null,
    title: id,
    category: null,
    mutuallyExclusive: false
  })
  store.putEvent(header('kalshi:E1'))
  store.put(market(1, { id: 'kalshi:A', eventId: 'kalshi:E1', volume24h: '1' }), '')
  store.put(market(1, { id: 'kalshi:A', eventId: 'kalshi:E1', volume24h: '2' }), '')
  t.match(store.getEvent('kalshi:E1'), { marketIds: ['kalshi:A'] })
  t.strictSame([store.eventIds('kalshi'), store.eventIds('polymarket')], [['kalshi:E1'], []])
  store.putEvent(header('kalshi:E2'))
  store.put(market(1, { id: 'kalshi:A', eventId: 'kalshi:E2' }), '')
  t.equal(store.getEvent('kalshi:E1'), undefined)
  t.match(store.getEvent('kalshi:E2'), { marketIds: ['kalshi:A'] })
  store.remove('kalshi:A')
  t.equal(store.getEvent('kalshi:E2'), undefined)
})

t.test('the bus tells each consumer of a change once, in the order of the first change', async (t) => {
  const bus = new ChangeBus(8)
  const fast = bus.consume()
  const slow = bus.consume()
  const take = (consumer: typeof fast, limit?: number) => {
    const slots: number[] = []
    consumer.drain((slot) => slots.push(slot), limit)
    return slots
  }

  for (const slot of [3, 1, 3, 3, 7]) bus.mark(slot)
  t.same(take(fast), [3, 1, 7])
  bus.mark(1)
  t.same(take(fast), [1], 'changed again after it was taken')
  t.same(take(slow, 2), [3, 1], 'who falls behind misses nothing and gets nothing twice')
  t.equal(slow.pending, 1)
  for (let round = 0; round < 20; round++) for (let slot = 0; slot < 8; slot++) bus.mark(slot)
  t.same(take(slow).sort(), [0, 1, 2, 3, 4, 5, 6, 7], 'at most one entry a market')

  fast.close()
  bus.mark(2)
  t.equal(fast.pending, 8, 'a closed consumer hears no more')
})

t.test('the bus wakes a consumer in a later turn, once for many changes', async (t) => {
  const bus = new ChangeBus(4)
  let woken = 0
  const consumer = bus.consume(() => woken++)
  for (const slot of [0, 1, 2]) bus.mark(slot)
  t.equal(woken, 0, 'the writer never waits for a reader')
  await new Promise(setImmediate)
  t.equal(woken, 1)
  consumer.drain(() => {})
  bus.mark(0)
  consumer.close()
  await new Promise(setImmediate)
  t.equal(woken, 1, 'not after it was closed')
})

const FILTERS: MarketFilter[] = [
  ...MARKET_SORTS.map((sort) => ({ sort })),
  { sort: 'id', venue: 'polymarket' },
  { sort: 'title', status: 'open' },
  { sort: '-volume24h', state: 'live' },
  { sort: 'closeTime', q: 'BETA' },
  { sort: 'id', source: 'poll' },
  { sort: '-volume', source: 'websocket', state: 'live' },
  { sort: 'id', venue: 'kalshi', status: 'halted', state: 'halted' }
]

const change = fc.record({
  kind: fc.constantFrom('put', 'put', 'patch', 'remove', 'sync', 'unsync', 'poll', 'stream', 'look'),
  n: fc.nat({ max: 11 }),
  title: fc.constantFrom('alpha', 'Beta', 'beta two', 'gamma'),
  status: fc.constantFrom('open' as const, 'halted' as const, 'closed' as const),
  venue: fc.constantFrom('kalshi' as const, 'polymarket' as const),
  volume: fc.constantFrom('1', '10', '9.5', null),
  closeTime: fc.constantFrom('2027-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', null)
})

t.test('a query that is mended finds what a query from scratch finds', async () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const store = newStore(8)
      for (const { kind, n, ...meta } of changes) {
        const id = `kalshi:KXTEST-${String(n).padStart(4, '0')}`
        const { title, status, venue, volume, closeTime } = meta
        if (kind === 'put') store.put(market(n, { ...meta, volume24h: volume }), '')
        else if (kind === 'patch') store.patch(id, { title, status, volume, closeTime, venue })
        else if (kind === 'remove') store.remove(id)
        else if (kind === 'look') for (const filter of FILTERS) store.queries.find(filter)
        else {
          const slot = store.get(id)?.slot
          if (slot === undefined) continue
          if (kind === 'sync') store.books.resynced(slot)
          else if (kind === 'unsync') store.books.raise(slot, 'disconnected')
          else store.books.setSource(slot, kind === 'poll' ? 'poll' : 'websocket')
        }
      }
      for (const filter of FILTERS) {
        const found = store.queries.find(filter).map(({ id }) => id)
        if (found.join() !== fromScratch(store, filter).join()) return false
      }
      return true
    }),
    { numRuns: 300 }
  )
})

function fromScratch(
  store: SnapshotStore,
  { venue, status, state, source, q, sort }: MarketFilter
): string[] {
  const keys: Record<string, (market: Market) => string | number> = {
    id: ({ id }) => id,
    title: ({ title }) => title,
    closeTime: ({ closeTime }) => closeTime ?? '~',
    '-volume24h': ({ volume24h }) => (volume24h === null ? 1 : -volume24h),
    '-volume': ({ volume }) => (volume === null ? 1 : -volume)
  }
  const key = keys[sort] as (market: Market) => string | number
  return [...store.records()]
    .filter(({ market, slot }) => {
      if (venue !== undefined && market.venue !== venue) return false
      if (status !== undefined && market.status !== status) return false
      if (state !== undefined && store.books.verdicts.state(slot) !== state) return false
      if (source !== undefined && store.books.verdicts.get(slot).source !== source) return false
      return q === undefined || `${market.title}\n${market.symbol}`.toLowerCase().includes(q.toLowerCase())
    })
    .sort((a, b) => {
      const [ofA, ofB] = [key(a.market), key(b.market)]
      return ofA < ofB ? -1 : ofA > ofB ? 1 : a.id < b.id ? -1 : 1
    })
    .map(({ id }) => id)
}

t.test('a slot is used again without a trace of the market before', async (t) => {
  const store = newStore(1)
  const first = serve(store, market(1))
  const stamp = stampOf(store, [first], 0, 1)
  t.equal(store.put(market(2), ''), null, 'full')
  store.remove(first.id)
  t.equal(store.get(first.id), undefined)

  const second = store.put(market(2), '')
  t.ok(second)
  if (second === null) return
  t.equal(second.slot, first.slot)
  t.not(stampOf(store, [second], 0, 1), stamp, 'no tag of the first fits the second')
  t.equal(store.books.arena.count(second.slot, YES) + store.books.arena.count(second.slot, NO), 0)
  t.match(store.books.verdicts.get(second.slot), { state: 'syncing', receivedAtMs: null, sequence: null })
})

t.test(
  'who watches verdicts hears each change of reasons or source at once, and who comes and leaves',
  async (t) => {
    const store = newStore(2)
    const { slot } = serve(store, market(1))
    const heard: string[] = []
    const end = store.watchVerdicts((changed) => {
      const { state, source } = store.books.verdicts.get(changed)
      heard.push(`${store.at(changed)?.id.slice(-1)} ${state} ${source}`)
    })
    store.books.touch(slot)
    heard.length = 0
    store.books.raise(slot, 'disconnected')
    store.books.raise(slot, 'silent')
    store.books.resynced(slot)
    store.books.setSource(slot, 'poll')
    store.books.touch(slot)
    store.books.setSource(slot, 'websocket')
    store.books.touch(slot)
    store.remove(market(1).id)
    store.put(market(2), '')
    end()
    end()
    store.books.raise(slot, 'drift')
    t.strictSame(heard, [
      '1 stale websocket',
      '1 stale websocket',
      '1 live websocket',
      '1 live poll',
      '1 live websocket',
      'undefined live websocket',
      '2 syncing websocket'
    ])
  }
)

t.test('markets that leave give all their memory back', async (t) => {
  const store = newStore(50)
  const fill = () => {
    for (let n = 0; n < 50; n++) serve(store, market(n))
  }
  fill()
  const { reservedLevels } = store.books.arena
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 50; n++) store.remove(market(n).id)
    t.equal(store.size, 0)
    t.same(store.eventIds(), [], 'events leave with their last market')
    fill()
  }
  t.equal(store.size, 50)
  t.equal(store.books.arena.reservedLevels, reservedLevels, 'levels are used again')
  t.same(store.eventIds().length, 3)
})

t.test('events whose market never comes do not pile up', async (t) => {
  const store = newStore()
  serve(store, market(0))
  const { marketIds: _, ...header } = store.getEvent('kalshi:KXTEST-EVENT-0') as Event
  const { catalogueVersion } = store
  store.putEvent(header)
  t.equal(store.catalogueVersion, catalogueVersion, 'the same again is no change')
  for (let n = 0; n < 5_000; n++) store.putEvent({ ...header, id: `kalshi:LONE-${n}` })
  t.ok(Reflect.get(store, 'eventHeaders').size <= 1_002)
  serve(store, market(9, { eventId: 'kalshi:LONE-4999' }))
  t.ok(store.getEvent('kalshi:LONE-4999'), 'the newest was kept for its market')
  t.ok(store.getEvent('kalshi:KXTEST-EVENT-0'))
})

async function indexOf(bytes: IndexBytes): Promise<string> {
  const slices: Buffer[] = []
  for await (const slice of bytes.stream()) slices.push(slice)
  return Buffer.concat(slices).toString()
}

t.test('the index keeps up with what changes, also while it is written', async (t) => {
  const store = newStore(5_000)
  const bytes = new IndexBytes(store)
  t.equal(await indexOf(bytes), '[]')
  for (let n = 0; n < 4_500; n++) store.put(market(n), '')
  store.put(market(7, { title: 'x'.repeat(600) }), '')
  const entries = JSON.parse(await indexOf(bytes))
  t.equal(entries.length, 4_500)
  t.match(entries[7], { id: 'kalshi:KXTEST-0007', title: 'x'.repeat(600), state: 'syncing' })
  t.match(entries[8], { lastUpdatedMs: null })

  const slices: Buffer[] = []
  for await (const slice of bytes.stream()) {
    if (slices.length === 0) {
      store.remove(market(0).id)
      store.remove(market(4_400).id)
      const taker = serve(store, market(9_999))
      t.ok(taker.slot === 4_400, 'its slot is another market’s')
    }
    slices.push(slice)
  }
  const ids = JSON.parse(Buffer.concat(slices).toString()).map(({ id }: { id: string }) => id)
  t.equal(ids.length, 4_499)
  t.notOk(ids.includes(market(4_400).id))
  t.notOk(ids.includes(market(9_999).id), 'what came later is not in')
  t.match(JSON.parse(await indexOf(bytes)).at(-1), { id: market(9_999).id, state: 'live' })
})

const FIRST_PAGE = { filter: { sort: 'id' as const }, page: 1, pageSize: 10, depth: 10 }

t.test('a page is kept once it is asked for again and again, and dropped when it changes', async (t) => {
  const store = newStore()
  for (let n = 0; n < 20; n++) serve(store, market(n))
  const pages = new MarketPages(store, new Fragments(store))
  t.equal(pages.known('/first'), undefined)
  const page = () => pages.ask('/first', FIRST_PAGE)
  const ask = () => {
    const answer = pages.json(page())
    t.ok(answer)
    return answer as NonNullable<typeof answer>
  }
  const first = ask()
  const text = first.bytes.toString()
  pages.giveBack(first)
  const second = ask()
  t.equal(second.lent, first.lent, 'the same borrowed buffer again')
  t.not(second.bytes, first.bytes, 'put together anew')
  pages.giveBack(second)
  for (let n = 2; n < 8; n++) pages.giveBack(ask())
  const hot = ask()
  t.equal(hot.bytes.toString(), text)
  t.equal(ask().bytes, hot.bytes, 'kept by now')
  t.equal(pages.known('/first'), page(), 'the URL is known')

  store.patch(market(15).id, { title: 'on another page' })
  t.equal(ask().bytes, hot.bytes, 'a change elsewhere is none')
  store.patch(market(3).id, { title: 'changed' })
  const changed = ask()
  t.not(changed.lent, hot.lent, 'whoever still reads the kept bytes reads them to their end')
  t.equal(hot.bytes.toString(), text)
  t.equal(JSON.parse(changed.bytes.toString()).items[3].market.title, 'changed')

  const gzipped = pages.gzip(page())
  t.equal(pages.gzip(page()), gzipped, 'the gzip is kept at once')
  store.remove(market(19).id)
  t.not(pages.gzip(page()), gzipped, 'the total is part of the page')
  store.remove(market(0).id)
  t.equal(JSON.parse(ask().bytes.toString()).items[0].id, market(1).id, 'who left is gone')
})

t.test('kept pages give room only to others once they are cold', async (t) => {
  const store = newStore()
  const pool = new BufferPool(Buffer.alloc(1 << 20))
  const bodies = new KeptBodies(pool)
  const answer = (page: AskedPage) => {
    const kept = bodies.get(page)
    const lent = kept?.lent ?? pool.take(1)
    if (kept === null) bodies.offer(page, { bytes: lent.buffer, lent })
    pool.give(lent)
    return kept !== null
  }
  const askOften = (page: AskedPage) => {
    for (let n = 0; n < 16; n++) answer(page)
    return answer(page)
  }
  const pages = Array.from({ length: 34 }, () => new AskedPage(store, FIRST_PAGE))
  const [first, late, later] = [pages[0], pages[32], pages[33]] as [AskedPage, AskedPage, AskedPage]
  for (const page of pages.slice(0, 32)) t.ok(askOften(page))
  t.notOk(askOften(late), 'no room while all are in use')
  bodies.forget(first)
  t.ok(askOften(late), 'room was made')
  for (let n = 0; n < 6_000; n++) answer(late)
  t.ok(askOften(later), 'the others are cold by now')
  t.ok(answer(late), 'one that is in use stays')
})

t.test('pages that are read in turn, and very large ones, are not kept', async (t) => {
  const store = newStore()
  const pool = new BufferPool(Buffer.alloc(1 << 20))
  const bodies = new KeptBodies(pool)
  const answer = (page: AskedPage, bytes: number) => {
    if (bodies.get(page) !== null) return true
    const lent = pool.take(bytes)
    bodies.offer(page, { bytes: lent.buffer, lent })
    pool.give(lent)
    return false
  }
  const pages = Array.from({ length: 100 }, () => new AskedPage(store, FIRST_PAGE))
  for (let n = 0; n < 20; n++) for (const page of pages) t.notOk(answer(page, 1))
  const large = new AskedPage(store, FIRST_PAGE)
  for (let n = 0; n < 20; n++) t.notOk(answer(large, 1 << 20))
})

t.test('a cell moves when its bytes outgrow it, and leaves its room to another', async (t) => {
  const cells = new ByteCells({ capacity: 3, step: 64, slack: 0 })
  const put = (slot: number, text: string, kept: number) => {
    cells.reserve(slot, text.length, kept)
    cells.chunk(slot).write(text.slice(kept), cells.offset(slot) + kept)
    cells.lengths[slot] = text.length
  }
  const read = (slot: number) => {
    const target = Buffer.alloc(200_000)
    return target.toString('latin1', 1, cells.copy(slot, target, 1, cells.lengths[slot] as number))
  }
  put(0, 'a'.repeat(60), 0)
  put(1, 'b'.repeat(100), 0)
  const before = cells.offset(0)
  put(0, 'a'.repeat(70), 60)
  t.equal(read(0), 'a'.repeat(70), 'its first bytes came along')
  t.equal(read(1), 'b'.repeat(100))
  put(2, 'c', 0)
  t.equal(cells.offset(2), before, 'the room of the cell that was outgrown')
  const many = new ByteCells({ capacity: 100, step: 64, slack: 0 })
  for (let slot = 0; slot < 100; slot++) {
    many.reserve(slot, 60_000, 0)
    many.chunk(slot).fill(slot, many.offset(slot), many.offset(slot) + 60_000)
  }
  const wrong = Array.from({ length: 100 }, (_, slot) => slot).filter((slot) => {
    const start = many.offset(slot)
    const bytes = many.chunk(slot).subarray(start, start + 60_000)
    return bytes.length !== 60_000 || bytes[0] !== slot || bytes[59_999] !== slot
  })
  t.strictSame(wrong, [], 'no cell crosses the end of its chunk or another cell')
})

t.test('cells are copied alike into the room beside them and elsewhere, from every chunk', async (t) => {
  const cells = new ByteCells({ capacity: 40, step: 64, slack: 0, chunkBytes: 4_096 })
  const room = cells.room(2_048)
  room.fill('-')
  for (let slot = 0; slot < 40; slot++) {
    cells.reserve(slot, 300, 0)
    cells.chunk(slot).write(`cell ${slot} `.padEnd(300, 'x'), cells.offset(slot))
    cells.lengths[slot] = 300
  }
  const texts = (target: Buffer) =>
    Array.from({ length: 40 }, (_, slot) => {
      const end = cells.copy(slot, target, 500, 350)
      t.equal(end, 800)
      return target.toString('latin1', 500, end)
    })
  const wanted = Array.from({ length: 40 }, (_, slot) => `cell ${slot} `.padEnd(300, 'x'))
  t.strictSame(texts(room), wanted)
  t.strictSame(texts(Buffer.alloc(1_000)), wanted)
  t.equal(room.toString('latin1', 400, 500), '-'.repeat(100), 'nothing before it is touched')
  t.equal(room.toString('latin1', 850, 950), '-'.repeat(100), 'nor after what may be')
})
