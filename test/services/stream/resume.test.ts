import t from 'tap'
import { market, serve } from '../../helper.ts'
import { differences } from './held-stream.ts'
import { comeBack, disturb, listen, randomFrom, turns, type World, world } from './world.ts'

const BOOKS = { channel: 'book', venue: 'kalshi' } as const

function changer({ store, ids }: World, seed: number): () => void {
  const random = randomFrom(seed)
  return () => {
    const record = store.get(ids[Math.floor(random() * ids.length)] as string)
    if (record !== undefined) disturb(store, record.slot, random)
  }
}

t.test('a cut connection resumes with every change exactly once, a hundred times in a row', async (t) => {
  const here = world(t, 5)
  const { store, hub, ids } = here
  const change = changer(here, 7)
  const random = randomFrom(8)
  const witness = listen(hub, BOOKS)
  let client = listen(hub, BOOKS)
  await turns()
  for (let cut = 0; cut < 100; cut++) {
    for (let n = Math.floor(random() * 20); n > 0; n--) {
      change()
      await turns(1)
    }
    client.terminate()
    await turns(2)
    for (let n = Math.floor(random() * 40); n > 0; n--) {
      change()
      if (random() < 0.7) await turns(1)
    }
    client = comeBack(hub, client, BOOKS)
  }
  await turns()
  t.same(client.held.seqs, witness.held.seqs, 'each once, in order')
  t.ok(client.held.seqs.length > 2_000)
  t.same(differences(client.held.books, store, ids), [])
  t.match(hub.statistics, { resumed: 100, resyncs: 0 })
})

t.test(
  'what is too old, of another run or never was is answered with a resync and the whole state',
  async (t) => {
    const here = world(t, 3, { rings: { messages: 10, bytes: 1 << 20 } })
    const { store, hub, ids } = here
    const change = changer(here, 3)
    const first = listen(hub, BOOKS)
    await turns()
    first.terminate()
    for (let n = 0; n < 50; n++) {
      change()
      await turns(1)
    }
    await turns()
    const reasons = []
    const { epoch, seq } = first.held
    for (const resume of [
      { epoch, seq },
      { epoch: 'another.1', seq: 3 },
      { epoch, seq: 1_000 }
    ]) {
      const back = listen(hub, { ...BOOKS, resume })
      await turns()
      const [subscribed, resync, snapshot] = back.messages
      t.match(subscribed, { type: 'subscribed', resumed: false })
      t.match(snapshot, { type: 'snapshot', remaining: 0 })
      if (resync?.type === 'resync') reasons.push(resync.reason)
      change()
      await turns()
      t.same(differences(back.held.books, store, ids), [])
    }
    t.same(reasons, ['too_old', 'other_epoch', 'unknown_seq'])
  }
)

t.test('what is kept is bounded in messages and in bytes, all questions together', async (t) => {
  const here = world(t, 8, { rings: { messages: 1_000, bytes: 40_000 } })
  const { hub, ids } = here
  const change = changer(here, 5)
  for (const id of ids) listen(hub, { channel: 'book', markets: [id] })
  for (let n = 0; n < 500; n++) {
    change()
    await turns(1)
  }
  const { ringBytes, topics } = hub.status()
  t.equal(topics, 8)
  t.ok(ringBytes > 20_000 && ringBytes <= 40_000, `${ringBytes} bytes`)
})

t.test('a market that left while the client was away is gone when it resumes', async (t) => {
  const here = world(t, 3)
  const { store, hub, ids } = here
  const first = listen(hub, BOOKS)
  await turns()
  first.terminate()
  store.remove(ids[1] as string)
  await turns()
  const back = comeBack(hub, first, BOOKS)
  t.same(differences(back.held.books, store, [ids[0] as string, ids[2] as string]), [])
  store.put(market(1), '')
  await turns()
  t.same(differences(back.held.books, store, ids), [], 'and back when it comes back')
})

t.test('tickers resume in the group that they were in', async (t) => {
  const { hub } = world(t, 1)
  const question = { channel: 'ticker', venue: 'kalshi' } as const
  const clients = Array.from({ length: 120 }, () => listen(hub, question))
  t.equal(new Set(clients.map(({ held }) => held.topic)).size, 3)
  const [, , last] = [clients[0], clients[60], clients[119]]
  last?.terminate()
  await turns()
  const back = comeBack(hub, last as (typeof clients)[number], question)
  t.match(back.messages[0], { resumed: true, topic: 3 })
})

t.test('who comes back is not refused for what is served no longer, and who first asks is', async (t) => {
  let isLooking = true
  const { store, hub, ids } = world(t, 2, { mayLack: () => isLooking })
  const [there, late] = ids as [string, string]
  store.remove(late)
  const resume = { epoch: 'none', seq: 0 }
  const questions = [{ markets: ids }, { event: 'kalshi:GONE' }]
  const codes = ['MARKET_NOT_FOUND', 'EVENT_NOT_FOUND']
  const refusals = (commands: object[]) =>
    commands.map((command) => {
      const [answer] = listen(hub, { channel: 'book', ...command }).messages
      return answer?.type === 'error' ? answer.code : null
    })
  const again = questions.map((question) => ({ ...question, resume }))
  t.same(refusals(again), codes, 'they may yet be found')
  isLooking = false
  const client = listen(hub, { channel: 'book', markets: ids, resume })
  t.same(refusals(again), [null, null])
  t.same(refusals(questions), codes, 'even where others are answered the same question')
  await turns()
  t.same([...client.held.books.keys()], [there])
  t.ok(client.held.isWhole)
  serve(store, market(1))
  await turns()
  t.same(differences(client.held.books, store, ids), [], 'one that comes back joins')
})
