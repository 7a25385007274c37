import t from 'tap'
import { connect } from '../../client/src/index.ts'
import { ChangingGateway } from '../../faults/streams/changing-gateway.ts'
import { runCuts } from '../../faults/streams/cuts.ts'
import { SeverableLine } from '../../faults/streams/severable.ts'

const CLIENTS = 10
const CUTS_PER_CLIENT = 10

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
