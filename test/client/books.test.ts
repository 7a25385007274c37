import t, { type Test } from 'tap'
import { type Book, connect, type Reader, type StreamMessage, type Update } from '../../client/src/index.ts'
import { ChangingGateway } from '../../faults/streams/changing-gateway.ts'
import { Recorder } from '../../faults/streams/recorder.ts'

const MARKETS = 20
const CHANGES = 5_000
const CHANGES_A_TURN = 40

async function gatewayOf(t: Test, settings: NodeJS.ProcessEnv = {}): Promise<ChangingGateway> {
  const gateway = await ChangingGateway.start(MARKETS, settings)
  t.teardown(() => gateway.close())
  return gateway
}

function clientOf(
  t: Test,
  { port }: ChangingGateway,
  onMessage: (message: StreamMessage) => void = () => {}
) {
  const client = connect(`http://127.0.0.1:${port}`, { onMessage })
  t.teardown(() => client.close())
  return client
}

/** Reads until the books at hand are the gateway's. */
async function readUntilLevel(
  reader: Reader<Update<Book>>,
  gateway: ChangingGateway,
  held = new Map<string, Book>()
): Promise<Map<string, Book>> {
  for (;;) {
    const { value } = await reader.next()
    if (value?.value == null) throw new Error('the books ended before they were level')
    held.set(value.id, value.value)
    const isLevel = gateway.records.every(
      (record) => held.get(record.id)?.version === gateway.versionOf(record)
    )
    if (isLevel) return held
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

t.test(
  'after thousands of changes every book equals the store’s, level by level, with its verdict',
  async (t) => {
    const gateway = await gatewayOf(t)
    const recorder = new Recorder()
    const client = clientOf(t, gateway, recorder.hear)
    const reader = client.books(gateway.ids)
    await readUntilLevel(reader, gateway)
    while (gateway.changes < CHANGES) {
      for (let n = 0; n < CHANGES_A_TURN; n++) gateway.changeNext(1 + (n % 3))
      await nextTurn()
    }
    const [suspect, , halted] = gateway.records
    const { books } = gateway.app.snapshotStore
    if (suspect) books.raise(suspect.slot, 'sequence_gap')
    if (halted) books.raise(halted.slot, 'venue_paused')
    const held = await readUntilLevel(reader, gateway)
    for (const record of gateway.records) t.strictSame(held.get(record.id), gateway.bookOf(record), record.id)
    t.equal(held.get(suspect?.id ?? '')?.verdict.state, 'suspect')
    t.equal(held.get(halted?.id ?? '')?.verdict.state, 'halted')
    t.ok(recorder.changes > MARKETS * 10, `the books came by ${recorder.changes} changes, not as wholes`)
    t.equal(recorder.wholes, MARKETS)
    t.match(client.statistics, { duplicates: 0, missing: 0, unknown: 0, lags: 0 })
  }
)

t.test('a book that was handed over does not change under its reader', async (t) => {
  const gateway = await gatewayOf(t)
  const [record] = gateway.records
  const client = clientOf(t, gateway)
  const reader = client.books([record?.id ?? ''])
  const { value: first } = await reader.next()
  const before = JSON.stringify(first)
  for (let n = 0; n < MARKETS; n++) gateway.changeNext()
  const { value: second } = await reader.next()
  t.not(JSON.stringify(second), before)
  t.equal(JSON.stringify(first), before)
})

t.test(
  'who reads slowly is handed the latest book, once a market, and is told that others were left out',
  async (t) => {
    const gateway = await gatewayOf(t)
    let seen = 0
    const client = clientOf(t, gateway, (message) => {
      if (message.type === 'change') seen += message.books.length
    })
    const reader = client.books(gateway.ids)
    await readUntilLevel(reader, gateway)
    const made = MARKETS * 20
    for (let n = 0; n < made; n++) {
      gateway.changeNext()
      if (n % MARKETS === MARKETS - 1) await nextTurn()
    }
    while (seen < made) await nextTurn()
    const handed: Update<Book>[] = []
    for (let n = 0; n < MARKETS; n++) {
      const { value } = await reader.next()
      if (value !== undefined) handed.push(value)
    }
    for (const record of gateway.records) {
      const updates = handed.filter(({ id }) => id === record.id)
      t.match(updates, [
        { isConflated: true, isCurrent: true, value: { version: gateway.versionOf(record) } }
      ])
      t.equal(updates.length, 1)
    }
    t.equal(client.statistics.conflated, MARKETS)
  }
)

t.test('two readers of one question share a subscription, and each is handed everything', async (t) => {
  const gateway = await gatewayOf(t)
  const client = clientOf(t, gateway)
  const first = client.books(gateway.ids)
  await readUntilLevel(first, gateway)
  const second = client.books([...gateway.ids].reverse())
  const held = await readUntilLevel(second, gateway)
  t.equal(gateway.app.streamHub.status().subscriptions, 1)
  await first.return()
  gateway.changeNext()
  await readUntilLevel(second, gateway, held)
  t.equal(gateway.app.streamHub.status().subscriptions, 1, 'it lasts while somebody reads')
  await second.return()
  while (gateway.app.streamHub.status().subscriptions > 0) await nextTurn()
})

t.test('a market that leaves the question is handed over as gone', async (t) => {
  const gateway = await gatewayOf(t)
  const [record] = gateway.records
  if (record === undefined) throw new Error('there is no market')
  const client = clientOf(t, gateway)
  const reader = client.books({ venue: 'kalshi' })
  await readUntilLevel(reader, gateway)
  gateway.app.snapshotStore.remove(record.id)
  const { value } = await reader.next()
  t.match(value, { id: record.id, value: null, isCurrent: true })
})

t.test('depth, tickers, trades and health come in their types', async (t) => {
  const gateway = await gatewayOf(t, { STREAM_TICKER_INTERVAL_MS: '50' })
  const [record] = gateway.records
  if (record === undefined) throw new Error('there is no market')
  const { id } = record
  const client = clientOf(t, gateway)
  const book = gateway.bookOf(record)
  const depth = await client.depth([id], { depth: 3, intervalMs: 100 }).next()
  t.match(depth.value, {
    id,
    isCurrent: true,
    value: { bids: book.bids.slice(0, 3), asks: book.asks.slice(0, 3) }
  })
  const ticker = await client.tickers([id]).next()
  t.match(ticker.value, {
    id,
    value: { quotes: { yes: { bestBid: book.bids[0]?.price } }, verdict: { state: 'live' } }
  })
  const health = await client.health({ intervalMs: 100 }).next()
  t.type(health.value?.value?.status, 'string')
  const trades = client.trades([id])
  while (gateway.app.streamHub.status().subscriptions < 4) await nextTurn()
  gateway.app.tradeBus.tell({
    marketId: id,
    tradeId: 'one',
    price: 4_200,
    size: 1_500_000,
    takerSide: 'yes',
    venueTimeMs: null,
    receivedAtMs: Date.UTC(2026, 10, 20)
  })
  const trade = await trades.next()
  t.match(trade.value, { isAfterGap: false, trade: { id, price: '0.42', size: '1.5', takerSide: 'yes' } })
})
