import t from 'tap'
import { market, serve } from '../../helper.ts'
import { differences } from './held-stream.ts'
import { disturb, listen, randomFrom, turns, world } from './world.ts'

t.test(
  'a snapshot and every change after it are the book, after thousands of changes of every kind',
  async (t) => {
    const { store, hub, ids } = world(t, 12)
    const random = randomFrom(1)
    const named = listen(hub, { channel: 'book', markets: ids.slice(0, 5) })
    const all = listen(hub, { channel: 'book' })
    const live = listen(hub, { channel: 'book', filter: { state: 'live' } })
    const late = []
    const served = new Set(ids)
    for (let n = 0; n < 20_000; n++) {
      const { slot } = store.get(ids[Math.floor(random() * ids.length)] as string) ?? { slot: -1 }
      if (slot >= 0) disturb(store, slot, random)
      const id = ids[5 + Math.floor(random() * 7)] as string
      if (random() < 0.002) {
        if (served.delete(id)) store.remove(id)
        else {
          serve(store, market(ids.indexOf(id)))
          served.add(id)
        }
      }
      if (n % 2_500 === 1_000) late.push(listen(hub, { channel: 'book', venue: 'kalshi' }))
      if (random() < 0.3) await turns(1)
    }
    await turns()
    t.same(differences(named.held.books, store, ids.slice(0, 5)), [])
    t.same(differences(all.held.books, store, served), [])
    for (const one of late) t.same(differences(one.held.books, store, served), [])
    const isLive = (id: string) => store.books.verdicts.state(store.get(id)?.slot as number) === 'live'
    t.same(differences(live.held.books, store, [...served].filter(isLive)), [])
    t.ok(all.held.seqs.length > 5_000)
    t.equal(hub.statistics.failures, 0)
    t.same([all.held.lags, all.held.resyncs], [0, 0])
  }
)

t.test('what does not change a book or its verdict is not told', async (t) => {
  const { store, hub, ids } = world(t, 1)
  const { slot } = store.get(ids[0] as string) as { slot: number }
  const one = listen(hub, { channel: 'book', markets: ids })
  await turns()
  store.books.touch(slot)
  store.patch(ids[0] as string, { volume: '77' })
  await turns()
  t.same(one.held.seqs, [])
  store.books.arena.setLevel(slot, 0, 1_234, 5_000_000)
  store.books.touch(slot)
  await turns()
  t.match(one.messages.at(-1), {
    type: 'change',
    seq: 1,
    books: [{ previous: 3, version: 6, bids: [{ price: '0.1234', size: '5' }], asks: [] }]
  })
})

t.test('a verdict that changes by itself is told, with no levels', async (t) => {
  const { store, hub, ids } = world(t, 1)
  const { slot } = store.get(ids[0] as string) as { slot: number }
  const one = listen(hub, { channel: 'book', markets: ids })
  store.books.raise(slot, 'sequence_gap')
  await turns()
  t.match(one.messages.at(-1), {
    type: 'change',
    seq: 1,
    books: [{ bids: [], asks: [], verdict: { state: 'suspect', reason: 'sequence_gap' } }]
  })
})

t.test('a market that changed while nobody looked leaves a filter when it changes back', async (t) => {
  const { store, hub, ids } = world(t, 1, { lingerMs: 0 })
  const { slot } = store.get(ids[0] as string) as { slot: number }
  const before = listen(hub, { channel: 'book', filter: { state: 'live' } })
  store.books.touch(slot)
  await turns()
  before.terminate()
  while (hub.topics.size > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  store.books.raise(slot, 'disconnected')
  const after = listen(hub, { channel: 'book', filter: { state: 'stale' } })
  t.same([...after.held.books.keys()], ids)
  store.books.clear(slot, 'disconnected')
  await turns()
  t.same([...after.held.books.keys()], [])
})

t.test('one change is written once, however many clients and questions take it', async (t) => {
  const { store, hub, ids } = world(t, 4)
  const { slot } = store.get(ids[1] as string) as { slot: number }
  const questions = [{ markets: ids }, { markets: ids.slice(0, 2) }, { venue: 'kalshi' as const }, {}]
  const clients = Array.from({ length: 200 }, (_, n) => listen(hub, { channel: 'book', ...questions[n % 4] }))
  await turns()
  const before = hub.status()
  for (let n = 0; n < 50; n++) {
    store.books.arena.setLevel(slot, 0, 2_000 + n, 1_000_000)
    store.books.touch(slot)
    await turns(1)
  }
  await turns()
  const after = hub.status()
  t.equal(after.serialized - before.serialized, 50)
  t.equal(after.messagesSent - before.messagesSent, 50 * 200)
  t.equal(after.topics, 4)
  for (const { held } of clients) t.equal(held.seqs.length, 50)
})

t.test('changes of one turn are one message, each book once', async (t) => {
  const { store, hub, ids } = world(t, 3)
  const one = listen(hub, { channel: 'book' })
  await turns()
  for (let n = 0; n < 30; n++) {
    const { slot } = store.get(ids[n % 3] as string) as { slot: number }
    store.books.arena.setLevel(slot, 0, 2_000 + (n % 5), 1_000_000 + n)
    store.books.touch(slot)
  }
  await turns()
  t.same(one.held.seqs, [1])
  const last = one.messages.at(-1)
  t.equal(last?.type === 'change' && last.books.length, 3)
  t.same(differences(one.held.books, store, ids), [])
})

t.test(
  'nothing is listened to while nobody asks, and what nobody takes any more is forgotten after its time',
  async (t) => {
    let nowMs = 0
    const { store, hub, ids } = world(t, 2, { steadyNow: () => nowMs, lingerMs: 1_000 })
    t.equal(store.books.arena.listener, null)
    const one = listen(hub, { channel: 'book', markets: ids })
    t.not(store.books.arena.listener, null)
    one.client.receive('{"op":"unsubscribe","id":"one"}')
    t.equal(hub.topics.size, 1, 'kept for who may come back')
    nowMs = 2_000
    while (hub.topics.size > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    t.equal(store.books.arena.listener, null)
    t.match(hub.status(), { activeMarkets: 0, ringBytes: 0 })
  }
)

t.test('a failing publisher never reaches the book, is counted, and is logged once of a kind', async (t) => {
  const { store, hub, ids, errors } = world(t, 1)
  const { slot } = store.get(ids[0] as string) as { slot: number }
  const broken = [1, 2, 3].map(() => listen(hub, { channel: 'book' }))
  const sound = listen(hub, { channel: 'book' })
  await turns()
  for (const one of broken)
    one.sendFrame = () => {
      throw new Error('no way out')
    }
  for (let n = 0; n < 5; n++) {
    store.books.arena.setLevel(slot, 0, 2_000, 1_000_000 + n)
    store.books.touch(slot)
    await turns(1)
  }
  await turns()
  t.equal(hub.statistics.failures, 3)
  t.equal(errors.length, 1)
  t.equal(hub.status().clients, 1, 'whoever may have missed a message is cut off')
  t.same(differences(sound.held.books, store, ids), [])
})

t.test('a fault while a client is answered ends that client only', async (t) => {
  const { hub, errors } = world(t, 1, {
    getHealth: () => {
      throw new Error('no health')
    }
  })
  const unlucky = listen(hub, { channel: 'health' })
  const other = listen(hub, { channel: 'book' })
  await turns()
  t.match(unlucky.closed, [1_006])
  t.equal(other.closed, null)
  t.equal(errors.length, 1)
})

t.test('what was held back before a book is told whole is forgotten', async (t) => {
  const { store, hub, ids } = world(t, 1, { lingerMs: 0 })
  const { slot } = store.get(ids[0] as string) as { slot: number }
  const { books } = store
  const before = listen(hub, { channel: 'book', markets: ids })
  await turns()
  books.arena.setLevel(slot, 0, 1_111, 1_000_000)
  books.touch(slot)
  // In the same turn: nothing of it was told yet.
  before.client.receive('{"op":"unsubscribe","id":"one"}')
  hub.topics.sweep()
  t.equal(hub.topics.size, 0)
  books.raise(slot, 'disconnected')

  const after = listen(hub, { channel: 'book', markets: ids })
  const version = books.versions[slot]
  t.match(after.messages[1], { type: 'snapshot', books: [{ previous: null, version }] })
  await turns()
  t.same(after.held.seqs, [], 'the snapshot said all of it')
  books.arena.setLevel(slot, 0, 2_222, 2_000_000)
  books.touch(slot)
  await turns()
  t.match(after.messages.at(-1), {
    type: 'change',
    seq: 1,
    books: [{ previous: version, bids: [{ price: '0.2222', size: '2' }], asks: [] }]
  })
  const last = after.messages.at(-1)
  t.equal(last?.type === 'change' && last.books[0]?.bids.length, 1)
  t.same(differences(after.held.books, store, ids), [])
})
