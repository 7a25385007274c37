import t from 'tap'
import type { MarketRecord } from '../../../services/snapshots/market-record.ts'
import { market, serve } from '../../helper.ts'
import { differences } from './held-stream.ts'
import { disturb, listen, randomFrom, turns, world } from './world.ts'

const EVENT = 'kalshi:KXTEST-EVENT-1'
const DEFAULTS = { depth: 10, depthIntervalMs: 100, healthIntervalMs: 100, tickerIntervalMs: 100 }

t.test('an event and filters have exactly the markets that belong, while these join and leave', async (t) => {
  const { store, hub, ids } = world(t, 24)
  const { verdicts } = store.books
  const questions: [question: object, belongs: (record: MarketRecord) => boolean][] = [
    [{ event: EVENT }, ({ market }) => market.eventId === EVENT],
    [{ filter: { status: 'halted' } }, ({ market }) => market.status === 'halted'],
    [{ filter: { state: 'live' } }, ({ slot }) => verdicts.state(slot) === 'live'],
    [{ filter: { source: 'poll' } }, ({ slot }) => verdicts.sourceOf(slot) === 'poll'],
    [{ filter: { q: 'NUMBER 1' } }, ({ market }) => /number 1/i.test(market.title)],
    [
      { filter: { status: 'open', state: 'live', q: 'number' } },
      ({ slot, market }) =>
        market.status === 'open' && verdicts.state(slot) === 'live' && /number/i.test(market.title)
    ]
  ]
  const belonging = (belongs: (record: MarketRecord) => boolean) =>
    [...store.records()].filter(belongs).map(({ id }) => id)
  const clients = questions.map(([question]) => listen(hub, { channel: 'book', ...question }))
  await turns()
  t.same(belonging(questions[0]?.[1] as () => boolean).length, 8, 'a third is of the event')

  const random = randomFrom(5)
  const joined = questions.map(() => 0)
  for (let step = 0; step < 1_500; step++) {
    const before = clients.map(({ held }) => held.books.size)
    const n = Math.floor(random() * ids.length)
    const id = ids[n] as string
    const record = store.get(id)
    const what = random()
    if (record === undefined) serve(store, market(n))
    else if (what < 0.1) store.remove(id)
    else if (what < 0.25) store.patch(id, { eventId: random() < 0.5 ? EVENT : 'kalshi:KXTEST-EVENT-2' })
    else if (what < 0.4) store.patch(id, { status: random() < 0.5 ? 'halted' : 'open' })
    else if (what < 0.5) store.patch(id, { title: `Number ${Math.floor(random() * 20)}` })
    else if (what < 0.65) {
      store.books.setSource(record.slot, random() < 0.5 ? 'poll' : 'websocket')
      store.books.touch(record.slot)
    } else disturb(store, record.slot, random)
    if (random() < 0.5) continue
    await turns()
    for (const [at, { held }] of clients.entries()) {
      const [question, belongs] = questions[at] as (typeof questions)[number]
      const wrong = differences(held.books, store, belonging(belongs))
      if (wrong.length > 0) t.same(wrong, [], `${JSON.stringify(question)} at step ${step}`)
      if (held.books.size > (before[at] as number)) joined[at] = (joined[at] as number) + 1
    }
  }
  for (const [at, count] of joined.entries())
    t.ok(count > 5, `${JSON.stringify(questions[at]?.[0])}: joined ${count} times`)
  t.equal(hub.statistics.failures, 0)
})

t.test('tickers of an event come for its markets only, and say who left', async (t) => {
  const { store, hub, ids } = world(t, 6, { defaults: DEFAULTS })
  const [, first, other, , second] = ids as [string, string, string, string, string]
  const one = listen(hub, { channel: 'ticker', event: EVENT })
  const held = new Set<string>()
  let read = 0
  const holds = async (...expected: string[]) => {
    const isSo = () => {
      for (const message of one.messages.slice(read)) {
        if ('removed' in message) for (const id of message.removed ?? []) held.delete(id)
        if ('tickers' in message)
          for (const told of message.tickers ?? []) held.add('id' in told ? told.id : told.market_id)
      }
      read = one.messages.length
      return JSON.stringify([...held].sort()) === JSON.stringify(expected.sort())
    }
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
    for (const id of ids) {
      const { slot } = store.get(id) ?? { slot: -1 }
      if (slot >= 0) disturb(store, slot, () => 0.5)
    }
    await new Promise((resolve) => setTimeout(resolve, 250))
    t.ok(isSo(), `${expected.length} of the event`)
    t.equal(hub.status().tickers.activeMarkets, expected.length)
  }
  await holds(first, second)
  store.patch(other, { eventId: EVENT })
  await holds(first, second, other)
  store.patch(first, { eventId: 'kalshi:KXTEST-EVENT-2' })
  await holds(second, other)
  store.remove(second)
  await holds(other)
  serve(store, market(4))
  await holds(second, other)
})
