import t, { type Test } from 'tap'
import { BodyWriter } from '../../../services/stream/bodies.ts'
import { Topic } from '../../../services/stream/topic.ts'
import { market, serve } from '../../helper.ts'
import { differences } from './held-stream.ts'
import { comeBack, listen, PACED, setBid, slotOf, turns, until, world } from './world.ts'

/** Makes a method throw so many times, and then do what it does. Returns how often it is still to throw. */
function breaks<Name extends string>(
  t: Test,
  prototype: { [name in Name]: (...args: never[]) => unknown },
  name: Name,
  times: number
): () => number {
  const method = prototype[name]
  let left = times
  t.intercept(prototype, name, {
    value(this: unknown, ...args: never[]) {
      if (left-- > 0) throw new Error(`${name} is broken`)
      return method.apply(this, args)
    }
  })
  return () => Math.max(0, left)
}

t.test('a change of a book whose writing failed is not lost: the whole book comes after it', async (t) => {
  const here = world(t, 2)
  const one = listen(here.hub, { channel: 'book', markets: here.ids })
  await turns()
  const left = breaks(t, BodyWriter.prototype, 'changedBook', 1)
  setBid(here, 1_111, 5_000_000)
  setBid(here, 2_222, 6_000_000, 1)
  await turns()
  t.equal(left(), 0)
  const changes = () => one.messages.flatMap((message) => (message.type === 'change' ? [message] : []))
  t.match(changes()[0], { seq: 1, books: [{ id: here.ids[1] }] }, 'the other is told')

  setBid(here, 3_333, 7_000_000)
  await turns()
  // Now, or on a beat before this change, on a machine that takes its time.
  t.match(changes()[1], { books: [{ id: here.ids[0], previous: null }] })
  t.same(differences(one.held.books, here.store, here.ids), [])
  t.equal(here.hub.statistics.failures, 1)
  t.equal(here.errors.length, 1)

  setBid(here, 3_333, 0)
  await turns()
  t.match(one.messages.at(-1), { books: [{ previous: Number, bids: [{ price: '0.3333', size: '0' }] }] })
})

t.test('a book that does not change again is told on a beat after its writing failed', async (t) => {
  const here = world(t, 1)
  const one = listen(here.hub, { channel: 'book', markets: here.ids })
  await turns()
  breaks(t, BodyWriter.prototype, 'changedBook', 1)
  const leftWhole = breaks(t, BodyWriter.prototype, 'wholeBook', 2)
  setBid(here, 1_111, 5_000_000)
  await turns(20)
  t.equal(leftWhole(), 2, 'not at once')
  await until(() => one.held.seqs.length > 0)
  t.same(differences(one.held.books, here.store, here.ids), [])
  t.equal(here.hub.statistics.failures, 3)
})

t.test('whoever a market joins while its book cannot be written is told of it later', async (t) => {
  const here = world(t, 2)
  here.store.books.raise(slotOf(here, 1), 'disconnected')
  await turns()
  const live = listen(here.hub, { channel: 'book', filter: { state: 'live' } })
  const all = listen(here.hub, { channel: 'book' })
  await turns()
  breaks(t, BodyWriter.prototype, 'wholeBook', 1)
  here.store.books.clear(slotOf(here, 1), 'disconnected')
  await until(() => live.held.books.size === 2)
  for (const { held } of [live, all]) t.same(differences(held.books, here.store, here.ids), [])
})

t.test(
  'changes, and departures, of a message that could not be put together are told on a beat',
  async (t) => {
    const here = world(t, 3)
    const one = listen(here.hub, { channel: 'book' })
    await turns()
    breaks(t, Topic.prototype as unknown as { compose: () => Buffer }, 'compose', 1)
    setBid(here, 1_111, 5_000_000)
    here.store.remove(here.ids[2] as string)
    await turns()
    t.same(one.held.seqs, [])
    await until(() => one.held.seqs.length > 0)
    await turns()
    t.same(differences(one.held.books, here.store, here.ids.slice(0, 2)), [])
    serve(here.store, market(2))
    await turns()
    t.same(differences(one.held.books, here.store, here.ids), [])
  }
)

/** Best bids that came live, of one market. */
const bidsOf = (one: ReturnType<typeof listen>, id: string) =>
  one.messages.flatMap((message) =>
    message.type === 'tickers'
      ? message.tickers.flatMap((told) =>
          'quotes' in told && told.id === id ? [told.quotes.yes.bestBid] : []
        )
      : []
  )

t.test('a ticker whose writing failed comes at the next tick, and costs the others nothing', async (t) => {
  const here = world(t, 3, { defaults: PACED })
  const { hub, ids } = here
  const one = listen(hub, { channel: 'ticker', markets: ids })
  await turns()
  breaks(t, BodyWriter.prototype, 'ticker', 1)
  for (const n of ids.keys()) setBid(here, 4_100 + n * 100, 1_000_000, n)
  await until(() => ids.every((id) => bidsOf(one, id).length > 0))
  t.same(
    ids.map((id) => bidsOf(one, id)),
    [['0.41'], ['0.42'], ['0.43']]
  )
  t.equal(one.held.seqs.length, 2, 'two at the tick, and then the third')
  t.match(hub.status(), { failures: 1, tickers: { published: 3, failed: 1, conflated: 0, activeMarkets: 3 } })
})

t.test('tickers of a message that could not be put together come at the next tick', async (t) => {
  const here = world(t, 2, { defaults: PACED })
  const { hub, ids } = here
  const one = listen(hub, { channel: 'ticker', markets: ids })
  await turns()
  breaks(t, Topic.prototype as unknown as { compose: () => Buffer }, 'compose', 1)
  for (const n of ids.keys()) setBid(here, 4_100, 1_000_000, n)
  await until(() => ids.every((id) => bidsOf(one, id).length > 0))
  t.match(hub.status(), { failures: 1, tickers: { published: 2, failed: 2 } })
})

t.test('a ticker that always fails is tried once a tick, and the others come', async (t) => {
  const here = world(t, 2, { defaults: PACED })
  const { hub, ids } = here
  const one = listen(hub, { channel: 'ticker', markets: ids })
  await turns()
  const { ticker } = BodyWriter.prototype
  t.intercept(BodyWriter.prototype, 'ticker', {
    value(this: BodyWriter, record: Parameters<typeof ticker>[0]) {
      if (record.id === ids[0]) throw new Error('for ever')
      return ticker.call(this, record)
    }
  })
  const startMs = performance.now()
  setBid(here, 4_100, 1_000_000)
  for (let told = 1; told <= 4; told++) {
    setBid(here, 4_000 + told * 100, 1_000_000, 1)
    await until(() => bidsOf(one, ids[1] as string).length === told)
  }
  const ticks = (performance.now() - startMs) / PACED.tickerIntervalMs
  const { failed } = hub.status().tickers
  t.ok(failed >= 3 && failed <= ticks + 1, `${failed} in ${ticks} ticks`)
  t.equal(here.errors.length, 1)
})

t.test(
  'trades that could not be told leave a hole that is named, to who follows and to who comes back',
  async (t) => {
    const here = world(t, 1)
    const { hub, trades, ids } = here
    const question = { channel: 'trades', markets: ids } as const
    const tell = async (...numbers: number[]) => {
      for (const n of numbers)
        trades.tell({
          marketId: ids[0] as string,
          tradeId: String(n),
          venueTimeMs: null,
          receivedAtMs: 1_795_000_000_000,
          price: 4_200,
          size: 1_500_000,
          takerSide: 'yes'
        })
      await turns()
    }
    const heard = ({ messages }: ReturnType<typeof listen>) =>
      messages.flatMap((message): unknown[] => {
        if (message.type === 'trades') return message.trades.map(({ tradeId }) => tradeId)
        return message.type === 'lag' ? [[message.from, message.to]] : []
      })
    const one = listen(hub, question)
    const leaving = listen(hub, question)
    await tell(1)
    leaving.terminate()

    breaks(t, Topic.prototype as unknown as { compose: () => Buffer }, 'compose', 1)
    await tell(2, 3)
    await tell(4)
    t.same(heard(one), ['1', [2, 2], '4'], 'a message that could not be put together')
    breaks(t, Date.prototype, 'toISOString', 1)
    await tell(5)
    t.same(heard(one), ['1', [2, 2], '4', [4, 4]], 'a trade that could not be written')
    t.equal(hub.statistics.failures, 2)

    const back = comeBack(hub, leaving, question)
    await turns()
    t.same(heard(back), heard(one).slice(1))
    t.same([one.held.leftOut, back.held.leftOut], [2, 2])
  }
)
