import t from 'tap'
import { kalshiMarket } from '../../bench/synthetic/market.ts'
import { type ClientEvent, connect, type Reader, type Update } from '../../client/src/index.ts'
import { ChangingGateway } from '../../faults/streams/changing-gateway.ts'
import { runCuts } from '../../faults/streams/cuts.ts'
import { SeverableLine } from '../../faults/streams/severable.ts'
import type { VenueFeed } from '../../services/venue/port.ts'

const CLIENTS = 10
const CUTS_PER_CLIENT = 10

async function nextOf<T>(reader: Reader<Update<T>>): Promise<Update<T>> {
  const { value } = await reader.next()
  if (value === undefined) throw new Error('the reader has ended')
  return value
}

/** Reads until so many markets were told as they are now; returns which of them are there. */
async function readCurrent<T>(reader: Reader<Update<T>>, markets: number): Promise<Map<string, boolean>> {
  const isThere = new Map<string, boolean>()
  while (isThere.size < markets) {
    const { id, value, isCurrent } = await nextOf(reader)
    if (isCurrent) isThere.set(id, value !== null)
  }
  return isThere
}

// `npm run faults:streams` does the same with cuts of five seconds.
t.test('clients that lose their connection a hundred times are told every change once', async (t) => {
  const plan = {
    clients: CLIENTS,
    cutsPerClient: CUTS_PER_CLIENT,
    cutMs: 200,
    markets: 50,
    changesPerSecond: 500
  }
  const { wrong, due, told, made, ...rest } = await runCuts(plan)
  t.match(rest, { resumed: CLIENTS * CUTS_PER_CLIENT, restarted: 0, duplicates: 0, missing: 0 })
  t.strictSame(wrong, [])
  t.equal(told, due, 'as many as were made')
  t.comment(`${made} changes, ${told} told to ${CLIENTS} clients`)
})

t.test(
  'a client that was away for longer than messages are kept begins anew, with the right books',
  async (t) => {
    const gateway = await ChangingGateway.start(5, { STREAM_RING_MESSAGES: '10' })
    const line = await SeverableLine.to(gateway.port)
    const client = connect(`http://127.0.0.1:${line.port}`, { retryMinMs: 1, retryMaxMs: 10 })
    t.teardown(async () => {
      client.close()
      await line.close()
      await gateway.close()
    })
    const reader = client.books(gateway.ids)
    for (const _ of gateway.ids) await reader.next()
    line.cut()
    const old = await reader.next()
    t.equal(old.value?.isCurrent, false, 'what it holds is said to be of the past')
    for (let n = 0; n < 50; n++) {
      gateway.changeNext()
      await new Promise((resolve) => setImmediate(resolve))
    }
    line.mend()
    const books = new Map<string, unknown>()
    while (books.size < gateway.ids.length) {
      const { value } = await reader.next()
      if (value?.isCurrent) books.set(value.id, value.value)
    }
    for (const record of gateway.records) t.strictSame(books.get(record.id), gateway.bookOf(record))
    t.match(client.statistics, { connections: 2, resumed: 0, restarted: 1, missing: 0 })
  }
)

t.test('a gateway that stops and starts again finds its clients, who begin anew', async (t) => {
  const before = await ChangingGateway.start(3)
  const { port } = before
  const client = connect(`http://127.0.0.1:${port}`, { retryMinMs: 1, retryMaxMs: 50 })
  t.teardown(() => client.close())
  const reader = client.books(before.ids)
  for (const _ of before.ids) await reader.next()
  await before.close()
  for (const _ of before.ids) t.equal((await reader.next()).value?.isCurrent, false)
  const after = await ChangingGateway.start(3, { PORT: String(port) })
  t.teardown(() => after.close())
  after.changeNext()
  const books = new Map<string, unknown>()
  const isLevel = () =>
    after.records.every(
      (record) => JSON.stringify(books.get(record.id)) === JSON.stringify(after.bookOf(record))
    )
  while (!isLevel()) {
    const { value } = await reader.next()
    if (value?.isCurrent) books.set(value.id, value.value)
  }
  t.match(client.statistics, { resumed: 0, restarted: 1, missing: 0 })
})

t.test('a market that ended while the gateway was away is told as gone, and the others go on', async (t) => {
  const before = await ChangingGateway.start(3)
  const { port, ids } = before
  const gone = ids[2] as string
  // A refusal would end it.
  const client = connect(`http://127.0.0.1:${port}`, { retryMinMs: 1, retryMaxMs: 50, refusedForMs: 0 })
  t.teardown(() => client.close())
  const reader = client.books(ids)
  const alone = client.tickers([gone])
  const trades = client.trades(ids)
  for (const _ of ids) await reader.next()
  await alone.next()
  await before.close()
  const after = await ChangingGateway.start(2, { PORT: String(port) })
  t.teardown(() => after.close())
  const now = await readCurrent(reader, ids.length)
  t.strictSame(Object.fromEntries(now), { [ids[0] as string]: true, [ids[1] as string]: true, [gone]: false })
  while ((await nextOf(alone)).value !== null);
  const returned = after.app.snapshotStore.put(kalshiMarket(2), '')
  t.equal(returned?.id, gone)
  while ((await nextOf(reader)).id !== gone);
  t.match(await alone.next(), { value: { id: gone, isCurrent: true } }, 'even where it was the only one')
  while (after.app.streamHub.status().subscriptions < 3) await new Promise((resolve) => setImmediate(resolve))
  const trade = { price: 4_000, size: 1, takerSide: null, venueTimeMs: null }
  after.app.tradeBus.tell({ ...trade, marketId: gone, tradeId: 'one', receivedAtMs: 1 })
  t.match(await trades.next(), { value: { trade: { id: gone, tradeId: 'one' } } })
})

t.test('a market that a gateway has yet to find is not told as gone', async (t) => {
  const gateway = await ChangingGateway.start(3)
  const line = await SeverableLine.to(gateway.port)
  const events: ClientEvent[] = []
  const onEvent = (event: ClientEvent) => events.push(event)
  const client = connect(`http://127.0.0.1:${line.port}`, { retryMinMs: 1, retryMaxMs: 10, onEvent })
  t.teardown(async () => {
    client.close()
    await line.close()
    await gateway.close()
  })
  const { app, ids } = gateway
  const [, late, gone] = ids as [string, string, string]
  const reader = client.books(ids)
  for (const _ of ids) await reader.next()
  line.cut()
  for (const _ of ids) await reader.next()
  for (const id of [late, gone]) app.snapshotStore.remove(id)
  let followed: Map<string, unknown> | null = null
  const status = () => ({ venue: 'kalshi', discovery: { lastAtMs: null }, counters: { frames: 0 } })
  app.venueFeeds.push({ venue: 'kalshi', followed: () => followed, status } as unknown as VenueFeed)
  line.mend()
  const isAnswered = () =>
    client.statistics.resumed + client.statistics.restarted > 0 ||
    events.some(({ type }) => type === 'refused')
  while (!isAnswered()) await new Promise((resolve) => setImmediate(resolve))
  t.match(events.at(-1), { code: 'MARKET_NOT_FOUND', isFinal: false })
  app.snapshotStore.put(kalshiMarket(1), '')
  followed = new Map()
  const now = await readCurrent(reader, ids.length)
  t.strictSame([now.get(late), now.get(gone)], [true, false])
})

t.test('a line that falls silent without a word is noticed, and another one made', async (t) => {
  const gateway = await ChangingGateway.start(1)
  const line = await SeverableLine.to(gateway.port)
  const client = connect(`http://127.0.0.1:${line.port}`, {
    retryMinMs: 1,
    retryMaxMs: 10,
    pingIntervalMs: 200
  })
  t.teardown(async () => {
    client.close()
    await line.close()
    await gateway.close()
  })
  const reader = client.books(gateway.ids)
  await reader.next()
  line.fallSilent()
  const old = await reader.next()
  t.equal(old.value?.isCurrent, false)
  const again = await reader.next()
  t.equal(again.value?.isCurrent, true)
  t.match(client.statistics, { connections: 2, resumed: 1 })
})

t.test('a client that read too slowly is told of it and ends up with the right books', async (t) => {
  const gateway = await ChangingGateway.start(10, { STREAM_CLIENT_BUFFER_MAX: '131072' })
  const line = await SeverableLine.to(gateway.port)
  const client = connect(`http://127.0.0.1:${line.port}`)
  t.teardown(async () => {
    client.close()
    await line.close()
    await gateway.close()
  })
  const reader = client.books(gateway.ids)
  for (const _ of gateway.ids) await reader.next()
  line.fallSilent()
  const { streamHub } = gateway.app
  // What the operating system holds for both ends comes on top of what the gateway lets wait.
  for (let full = 0; full < 20; ) {
    for (const _ of gateway.ids) gateway.changeNext(200)
    await new Promise((resolve) => setImmediate(resolve))
    if (streamHub.status().waitingBytes >= 131_072) full++
  }
  line.speak()
  const last = new Map<string, { version: number; isCurrent: boolean }>()
  const conflated = new Set<string>()
  const isLevel = () =>
    gateway.records.every((record) => {
      const { version, isCurrent } = last.get(record.id) ?? {}
      return isCurrent === true && version === gateway.versionOf(record)
    })
  const books = new Map<string, unknown>()
  while (!isLevel()) {
    const { value } = await reader.next()
    if (value?.value == null) throw new Error('the books ended')
    last.set(value.id, { version: value.value.version, isCurrent: value.isCurrent })
    books.set(value.id, value.value)
    if (value.isConflated) conflated.add(value.id)
  }
  for (const record of gateway.records) t.strictSame(books.get(record.id), gateway.bookOf(record))
  t.ok(client.statistics.lags > 0)
  t.equal(conflated.size, gateway.ids.length)
  t.match(client.statistics, { connections: 1, missing: 0, duplicates: 0 })
})
