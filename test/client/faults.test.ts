import t from 'tap'
import { type ClientEvent, connect, StreamClientError } from '../../client/src/index.ts'
import { change, EPOCH, ScriptedGateway, snapshot, subscribed, TOPIC, told } from './scripted-gateway.ts'

/** It was subscribed, and has nothing to go on from. */
const NOWHERE = { epoch: 'none', seq: 0 }

t.test('it asks to resume only once the whole state has come', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const reader = gateway.client(t).books(['a', 'b'])
  const first = await gateway.subscribe()
  t.match(first, { channel: 'book', markets: ['a', 'b'], resume: undefined })
  gateway.say(
    subscribed(first.id, 7),
    snapshot(7, 1, told('a', 1, null, '10')),
    change(8, told('a', 2, 1, '11'))
  )
  for (let version = 0; version < 2; ) version = (await reader.next()).value?.value?.version ?? 0
  gateway.cut()
  const second = await gateway.subscribe()
  t.strictSame(second.resume, NOWHERE, 'half a state is nothing to go on from')
  gateway.say(subscribed(second.id, 8), snapshot(8, 0, told('a', 2, null, '11'), told('b', 1, null, '1')))
  for (let id = ''; id !== 'b'; ) id = (await reader.next()).value?.id ?? ''
  gateway.cut()
  t.strictSame((await gateway.subscribe()).resume, { epoch: EPOCH, seq: 8 })
})

t.test('a change goes upon the book that it follows, and on no other', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const client = gateway.client(t)
  const reader = client.books(['a'])
  const { id } = await gateway.subscribe()
  gateway.say(
    subscribed(id, 0),
    // Of a market whose whole book is yet to come.
    change(1, told('a', 4, 3, '3')),
    snapshot(1, 0, told('a', 5, null, '10')),
    // It is in the whole book already; the next reaches from before it to after it.
    change(2, told('a', 5, 4, '9')),
    change(3, told('a', 7, 4, '12'))
  )
  const levels = new Map<number, string | undefined>()
  while (!levels.has(7)) {
    const { value } = await reader.next()
    levels.set(value?.value?.version ?? 0, value?.value?.bids[0]?.size)
  }
  levels.delete(5)
  t.strictSame([...levels], [[7, '12']])
})

t.test('a message that comes twice is left, and one that is missing leads to a new connection', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const client = gateway.client(t)
  const reader = client.books(['a'])
  const { id } = await gateway.subscribe()
  const first = change(1, told('a', 2, 1, '11'))
  gateway.say(subscribed(id, 0), snapshot(0, 0, told('a', 1, null, '10')), first, first)
  gateway.say(change(3, told('a', 4, 3, '13')))
  const again = await gateway.subscribe()
  t.strictSame(again.resume, NOWHERE, 'its numbering cannot be trusted')
  t.match(client.statistics, { duplicates: 1, missing: 1, connections: 2 })
  gateway.say(subscribed(again.id, 3), snapshot(3, 0, told('a', 4, null, '13')))
  for (let size: string | undefined; size !== '13'; ) size = (await reader.next()).value?.value?.bids[0]?.size
})

t.test(
  'after a lag only what is whole again is said to be current, and that something was left out',
  async (t) => {
    const gateway = await ScriptedGateway.start(t)
    const reader = gateway.client(t).books(['a', 'b', 'c'])
    const { id } = await gateway.subscribe()
    const books = [told('a', 1, null, '1'), told('b', 1, null, '1'), told('c', 1, null, '1')]
    gateway.say(subscribed(id, 0), snapshot(0, 0, ...books))
    for (const name of ['a', 'b', 'c'])
      t.match((await reader.next()).value, { id: name, isCurrent: true, isConflated: false })
    gateway.say({ type: 'lag', topic: TOPIC, from: 1, to: 9, removed: ['c'] })
    const doubted = [await reader.next(), await reader.next(), await reader.next()].map(({ value }) => value)
    t.match(
      doubted.find(({ id } = { id: '' } as never) => id === 'c'),
      { value: null }
    )
    for (const name of ['a', 'b'])
      t.match(
        doubted.find((one) => one?.id === name),
        { isCurrent: false, value: { version: 1 } }
      )
    // A change that hangs in the air, then the state of the one market that was concerned.
    gateway.say(change(10, told('a', 6, 5, '6')), snapshot(10, 0, told('a', 6, null, '6')))
    const settled = [await reader.next(), await reader.next()].map(({ value }) => value)
    t.match(
      settled.find((one) => one?.id === 'a'),
      { isCurrent: true, isConflated: true, value: { version: 6 } }
    )
    t.match(
      settled.find((one) => one?.id === 'b'),
      { isCurrent: true, isConflated: false, value: { version: 1 } }
    )
    gateway.say({ type: 'lag', topic: TOPIC, from: 11, to: 12 })
    while ((await reader.next()).value?.isCurrent);
    gateway.cut()
    t.strictSame(
      (await gateway.subscribe()).resume,
      NOWHERE,
      'what was left out is not to be had by resuming'
    )
  }
)

t.test('a gateway that started anew replaces everything, even by books of lower versions', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const client = gateway.client(t)
  const reader = client.books(['a', 'b'])
  const { id } = await gateway.subscribe()
  gateway.say(subscribed(id, 40), snapshot(40, 0, told('a', 900, null, '1'), told('b', 3, null, '1')))
  await reader.next()
  await reader.next()
  gateway.cut()
  const again = await gateway.subscribe()
  t.strictSame(again.resume, { epoch: EPOCH, seq: 40 })
  gateway.say(
    subscribed(again.id, 0, false, 'other.1'),
    { type: 'resync', topic: TOPIC, seq: 0, reason: 'other_epoch' },
    snapshot(0, 0, told('a', 2, null, '2')),
    change(1, told('a', 3, 2, '3'))
  )
  const last = new Map<string, unknown>()
  while (last.get('b') !== null || last.get('a') !== 3) {
    const { value } = await reader.next()
    if (value?.isCurrent) last.set(value.id, value.value?.version ?? null)
  }
  t.strictSame(Object.fromEntries(last), { a: 3, b: null }, 'what is there no more is handed over as gone')
  gateway.cut()
  t.strictSame((await gateway.subscribe()).resume, { epoch: 'other.1', seq: 1 })
})

t.test('a refused question ends its reader with the gateway’s code, and no other', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const client = gateway.client(t)
  const wrong = client.books(['nope'])
  const right = client.books(['a'])
  const [first, second] = [await gateway.subscribe(), await gateway.subscribe()]
  gateway.say({ type: 'error', id: first.id, code: 'MARKET_NOT_FOUND', message: 'no market nope' })
  await t.rejects(wrong.next(), {
    name: 'StreamClientError',
    code: 'MARKET_NOT_FOUND',
    message: 'no market nope'
  })
  t.strictSame(await wrong.next(), { done: true, value: undefined })
  gateway.say(subscribed(second.id, 0), snapshot(0, 0, told('a', 1, null, '1')))
  t.match(await right.next(), { value: { id: 'a' } })
})

t.test(
  'a question that was accepted once and is refused by a gateway that starts is asked again',
  async (t) => {
    const gateway = await ScriptedGateway.start(t)
    const events: ClientEvent[] = []
    const client = gateway.client(t, { onEvent: (event) => events.push(event), random: () => 0 })
    const reader = client.books(['a'])
    const { id } = await gateway.subscribe()
    gateway.say(subscribed(id, 0), snapshot(0, 0, told('a', 1, null, '1')))
    await reader.next()
    gateway.cut()
    gateway.say({
      type: 'error',
      id: (await gateway.subscribe()).id,
      code: 'MARKET_NOT_FOUND',
      message: 'not yet'
    })
    const again = await gateway.subscribe()
    t.match(events.at(-1), { type: 'refused', code: 'MARKET_NOT_FOUND', isFinal: false })
    gateway.say(subscribed(again.id, 0, false, 'other.1'), snapshot(0, 0, told('a', 1, null, '2')))
    for (let size: string | undefined; size !== '2'; )
      size = (await reader.next()).value?.value?.bids[0]?.size
  }
)

t.test('trades that are lost on the way or wait too long are told of with the next one', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const client = gateway.client(t, { tradesMax: 3 })
  const reader = client.trades([])
  const { id } = await gateway.subscribe()
  const trade = (tradeId: string) => ({
    id: 'a',
    tradeId,
    venueTime: null,
    receivedAt: '2026-11-20T12:34:56.789Z',
    price: '0.4',
    size: '1',
    takerSide: null
  })
  const trades = (seq: number, ...ids: string[]) =>
    gateway.say({ type: 'trades', topic: TOPIC, seq, trades: ids.map(trade) })
  const read = async () => {
    const { value } = await reader.next()
    return [value?.trade.tradeId, value?.isAfterGap]
  }
  gateway.say(subscribed(id, 0))
  trades(1, 'one')
  t.strictSame(await read(), ['one', false])
  gateway.say({ type: 'lag', topic: TOPIC, from: 2, to: 4 })
  trades(5, 'five', 'six')
  t.strictSame(await read(), ['five', true])
  t.strictSame(await read(), ['six', false])
  trades(6, '1', '2', '3', '4', '5')
  while (client.statistics.tradesDropped < 2) await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(await read(), ['3', true])
  t.strictSame(await read(), ['4', false])
  gateway.cut()
  t.strictSame(
    (await gateway.subscribe()).resume,
    { epoch: EPOCH, seq: 6 },
    'trades resume without any state'
  )
})

t.test('what is no message, or of an unknown type, is counted and left', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const client = gateway.client(t)
  const reader = client.books(['a'])
  const { id } = await gateway.subscribe()
  for (const text of ['', 'nonsense', 'null', '[]', '7', '{"type":"later"}']) gateway.sayText(text)
  gateway.say(subscribed(id, 0), snapshot(0, 0, told('a', 1, null, '1')))
  await reader.next()
  t.equal(client.statistics.unknown, 6)
})

t.test(
  'leaving the loop unsubscribes; with nothing asked, a closed connection is not made again',
  async (t) => {
    const gateway = await ScriptedGateway.start(t)
    const client = gateway.client(t)
    const reading = (async () => {
      for await (const { id } of client.books(['a'])) if (id === 'a') break
    })()
    const { id } = await gateway.subscribe()
    gateway.say(subscribed(id, 0), snapshot(0, 0, told('a', 1, null, '1')))
    await reading
    t.strictSame(await gateway.command(), { op: 'unsubscribe', id })
    gateway.close(4003)
    while (client.state !== 'idle') await new Promise((resolve) => setImmediate(resolve))
    t.equal(gateway.connections, 1)
    client.books(['b'])
    t.match(await gateway.subscribe(), { markets: ['b'] }, 'until something is asked again')
    t.equal(gateway.connections, 2)
  }
)

t.test('a gateway that says that trying again is of no use ends the client', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const client = gateway.client(t)
  const reader = client.books(['a'])
  await gateway.subscribe()
  gateway.close(4002)
  await t.rejects(reader.next(), { code: 'REFUSED_BY_GATEWAY' })
  t.equal(client.state, 'closed')
  t.throws(() => client.books(['a']), { code: 'CLOSED' })
})

t.test('a signal ends what it was given to, with its reason; close ends everything quietly', async (t) => {
  const gateway = await ScriptedGateway.start(t)
  const one = new AbortController()
  const all = new AbortController()
  const client = gateway.client(t, { signal: all.signal })
  const first = client.books(['a'], { signal: one.signal })
  const second = client.books(['b'])
  await gateway.subscribe()
  const waiting = first.next()
  one.abort(new Error('enough'))
  await t.rejects(waiting, { message: 'enough' })
  t.throws(() => client.books(['a'], { signal: one.signal }), { message: 'enough' })
  all.abort(new Error('the end'))
  await t.rejects(second.next(), { message: 'the end' })
  t.equal(client.state, 'closed')

  const other = gateway.client(t)
  const quiet = other.books(['a'])
  const next = quiet.next()
  other.close()
  other.close()
  t.strictSame(await next, { done: true, value: undefined })
})

t.test('attempts are spread over a bound that doubles up to a cap', async (t) => {
  const delays: number[] = []
  let drawn = 0
  const random = () => {
    drawn++
    return 0.5
  }
  // Nobody listens there.
  const client = connect('ws://127.0.0.1:9/v1/stream', { retryMinMs: 8, retryMaxMs: 30, random })
  t.teardown(() => client.close())
  client.books(['a'])
  while (drawn < 5) {
    const before = performance.now()
    const had = drawn
    while (drawn === had) await new Promise((resolve) => setImmediate(resolve))
    delays.push(performance.now() - before)
  }
  t.ok(delays.length >= 5)
  const { backoffMs } = await import('../../client/src/backoff.ts')
  const bounds = [1, 2, 3, 4, 50].map((attempt) => backoffMs(attempt, 250, 10_000, () => 1))
  t.strictSame(bounds, [250, 500, 1_000, 2_000, 10_000])
  t.equal(
    backoffMs(3, 250, 10_000, () => 0),
    0,
    'full jitter: it may be at once'
  )
})

t.test('without any WebSocket the client says what to do', async (t) => {
  const error = new StreamClientError('NO_WEB_SOCKET', 'there is none')
  t.match(error, { name: 'StreamClientError', code: 'NO_WEB_SOCKET' })
  const client = connect('http://127.0.0.1:9', {
    webSocket: class {
      constructor() {
        throw error
      }
    } as never
  })
  await t.rejects(client.books(['a']).next(), error)
  t.equal(client.state, 'closed')
})
