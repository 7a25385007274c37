import t from 'tap'
import { WebSocket } from 'ws'
import { buildApp } from '../../app.ts'
import type { Config } from '../../schemas/config.ts'
import { CLOSE_CODES } from '../../schemas/stream.ts'
import { CLOSE_REASONS } from '../../services/stream/close-codes.ts'
import { gatewaySettings } from '../../simulator/gateway-settings.ts'
import { startSimulator } from '../../simulator/index.ts'
import { testConfig } from '../helper.ts'
import { differences, HeldStream } from '../services/stream/held-stream.ts'
import { BOOKS, Client, until } from './stream-client.ts'
import { churn, lastSeq, served } from './stream-gateway.ts'

t.test('a client that is cut off again and again misses nothing and gets nothing twice', async (t) => {
  const { app, address, ids, store } = await served(t, 10)
  const witness = await new Client(address).ask(BOOKS)
  let client = await new Client(address).ask(BOOKS)
  await until(() => client.held.isWhole && witness.held.isWhole)
  const stop = churn(app, ids, 2)
  for (let cut = 0; cut < 100; cut++) {
    const from = client.held.seq
    await until(() => client.held.seq > from + 3)
    client.socket.terminate()
    await until(() => client.closed !== null)
    t.equal(client.error, null)
    const { epoch, seq } = client.held
    await until(() => witness.held.seq > seq + 5)
    client = await new Client(address, client.held).ask({ ...BOOKS, resume: { epoch, seq } })
    await until(() => client.messages.length > 0)
  }
  stop()
  const last = await lastSeq(app)
  await until(() => client.held.seq === last && witness.held.seq === last)
  t.same(client.held.seqs, witness.held.seqs)
  t.same(differences(client.held.books, store, ids), [])
  t.equal(client.held.resyncs + client.held.lags, 0)
  t.match(app.streamHub.status(), { resumed: 100, failures: 0 })
  t.comment(`${client.held.seqs.length} messages over 101 connections`)
})

t.test('a client that stops reading takes bounded memory, holds nobody up, and catches up', async (t) => {
  const { app, address, ids, store } = await served(t, 20, { STREAM_CLIENT_BUFFER_MAX: 131_072 })
  const stalled = await Promise.all([1, 2, 3, 4].map(() => new Client(address).ask(BOOKS)))
  const leaving = await new Client(address).ask({ ...BOOKS, policy: 'disconnect' })
  const quick = await new Client(address).ask(BOOKS)
  await until(() => [...stalled, quick, leaving].every(({ held }) => held.isWhole))
  for (const { socket } of [...stalled, leaving]) socket.pause()
  const stop = churn(app, ids, 40)
  let peakBytes = 0
  await until(() => {
    peakBytes = Math.max(peakBytes, app.streamHub.status().waitingBytes)
    return app.streamHub.status().closedSlow === 1
  })
  leaving.socket.resume()
  await until(() => {
    peakBytes = Math.max(peakBytes, app.streamHub.status().waitingBytes)
    return quick.held.seqs.length > 1_500 && leaving.closed !== null
  })
  t.same(leaving.closed, [...CLOSE_REASONS.slow])
  t.equal(quick.held.lags, 0)
  // Of each client: the limit, and one message above it.
  t.ok(peakBytes < 5 * (131_072 + 65_536), `${peakBytes} bytes waited for five clients`)
  for (const { socket } of stalled) socket.resume()
  await until(() => stalled.every(({ held }) => held.lags > 0 && held.isWhole))
  stop()
  const last = await lastSeq(app)
  await until(() => [...stalled, quick].every(({ held }) => held.seq === last && held.isWhole))
  for (const { held, error } of [...stalled, quick]) {
    t.equal(error, null)
    t.same(differences(held.books, store, ids), [])
  }
})

t.test(
  'what a client sends is checked, refused with a code and one sentence, and the connection goes on',
  async (t) => {
    const { address, ids } = await served(t, 1, { STREAM_SUBSCRIPTIONS_MAX: 3 })
    const client = await new Client(address).ask()
    const refused: [command: object | string, code: string, message: RegExp, id?: string][] = [
      ['no json', 'BAD_JSON', /one JSON object/],
      ['[1]', 'BAD_JSON', /one JSON object/],
      [{ op: 'sing' }, 'UNKNOWN_OP', /subscribe, unsubscribe, ping/],
      [{ ...BOOKS, channel: 'alerts' }, 'UNKNOWN_CHANNEL', /ticker, book, depth, trades, health/, 'books'],
      [{ ...BOOKS, markets: ['kalshi:NOPE'] }, 'MARKET_NOT_FOUND', /kalshi:NOPE/, 'books'],
      [{ ...BOOKS, event: 'kalshi:NOPE' }, 'EVENT_NOT_FOUND', /kalshi:NOPE/, 'books'],
      [{ ...BOOKS, markets: [] }, 'BAD_MESSAGE', /^markets /, 'books'],
      [{ ...BOOKS, nonsense: 1 }, 'BAD_MESSAGE', /^nonsense is not known here/, 'books'],
      [{ ...BOOKS, markets: ids, venue: 'kalshi' }, 'BAD_MESSAGE', /markets and venue/, 'books'],
      [{ ...BOOKS, depth: 3 }, 'BAD_MESSAGE', /depth is only for depth/, 'books'],
      [{ op: 'unsubscribe', id: 'none' }, 'UNKNOWN_ID', /none/, 'none']
    ]
    for (const [command, code, message, id] of refused) {
      const answer = await client.answer(command)
      t.match(
        answer,
        { type: 'error', code, message, ...(id !== undefined && { id }) },
        JSON.stringify(command)
      )
      // In between, so that they are not nonsense in a row.
      t.match(await client.answer({ op: 'ping' }), { type: 'pong' })
    }
    t.match(await client.answer({ ...BOOKS, markets: ids }), { type: 'subscribed', id: 'books', seq: 0 })
    await until(() => client.held.isWhole)
    t.match(await client.answer({ ...BOOKS }), { code: 'ID_IN_USE' })
    t.match(await client.answer({ ...BOOKS, id: 'again', markets: ids }), { code: 'ALREADY_SUBSCRIBED' })
    t.match(await client.answer({ ...BOOKS, id: 'trades', channel: 'trades' }), {
      type: 'subscribed',
      markets: 1
    })
    t.match(await client.answer({ ...BOOKS, id: 'health', channel: 'health' }), {
      type: 'subscribed',
      markets: 0
    })
    t.match(await client.answer({ ...BOOKS, id: 'more', venue: 'kalshi' }), {
      code: 'TOO_MANY_SUBSCRIPTIONS'
    })
    t.match(await client.answer({ op: 'unsubscribe', id: 'trades' }), { type: 'unsubscribed', id: 'trades' })
    t.match(await client.answer({ ...BOOKS, id: 'more', venue: 'kalshi' }), {
      type: 'subscribed',
      id: 'more'
    })
    t.equal(client.error, null)
  }
)

t.test('nonsense again and again, and what is too large, close the connection', async (t) => {
  const { app, address } = await served(t, 1)
  const babbling = await new Client(address).ask()
  for (let n = 0; n < 10; n++) babbling.socket.send('nonsense')
  const huge = await new Client(address).ask({ ...BOOKS, markets: ['x'.repeat(140_000)] })
  await until(() => babbling.closed !== null && huge.closed !== null)
  t.same(babbling.closed, [...CLOSE_REASONS.abuse])
  t.equal(babbling.messages.length, 10)
  t.equal(huge.closed?.[0], CLOSE_CODES.tooLarge)
  await until(() => app.streamHub.status().clients === 0)
})

t.test('a client that asks without reading the answers takes bounded memory', async (t) => {
  const { app, address } = await served(t, 1, { STREAM_CLIENT_BUFFER_MAX: 131_072 })
  const asking = await new Client(address).ask(BOOKS)
  await until(() => asking.held.isWhole)
  asking.socket.pause()
  let answered = -1
  while (answered !== app.streamHub.status().messagesSent) {
    answered = app.streamHub.status().messagesSent
    for (let n = 0; n < 20_000; n++) asking.socket.send('{"op":"ping"}')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  t.ok(app.streamHub.status().waitingBytes < 2_000_000, `${app.streamHub.status().waitingBytes} bytes wait`)
  asking.socket.terminate()
})

t.test('more clients than are allowed, and more questions, are refused in clear words', async (t) => {
  const { address, ids } = await served(t, 3, { STREAM_CLIENTS_MAX: 2, STREAM_TOPICS_MAX: 2 })
  const first = await new Client(address).ask({ ...BOOKS, markets: ids.slice(0, 1) })
  const second = await new Client(address).ask({ ...BOOKS, markets: ids.slice(0, 2) })
  await until(() => first.held.isWhole && second.held.isWhole)
  t.match(await second.answer({ ...BOOKS, id: 'third', markets: ids }), {
    code: 'TOO_MANY_TOPICS',
    id: 'third'
  })
  const third = new Client(address)
  await until(() => third.closed !== null)
  t.match(third.messages, [{ type: 'error', code: 'TOO_MANY_CLIENTS' }])
  t.same(third.closed, [...CLOSE_REASONS.too_many_clients])
  const events = await fetch(`${address}/v1/stream/sse?channel=book`)
  t.equal(events.status, 503)
  t.match(await events.json(), { code: 'TOO_MANY_CLIENTS' })
  t.ok(events.headers.get('retry-after'))
  first.socket.close()
  await until(() => first.closed !== null)
  const next = await new Client(address).ask({ ...BOOKS, markets: ids })
  await until(() => next.held.isWhole)
  t.pass('the place of who left is taken, and the question that nobody asks any more makes room')
})

t.test('a client without a subscription, or without a sign of life, is closed after its time', async (t) => {
  const { app, address } = await served(t, 1, {
    STREAM_IDLE_TIMEOUT_MS: 1_000,
    STREAM_KEEP_ALIVE_MS: 300
  })
  const idle = await new Client(address).ask()
  const silent = await new Client(address).ask(BOOKS)
  const there = await new Client(address).ask(BOOKS)
  // It answers no ping.
  silent.socket.pause()
  await until(() => idle.closed !== null && app.streamHub.status().clients === 1)
  t.same(idle.closed, [...CLOSE_REASONS.idle])
  t.equal(there.closed, null)
  t.equal(there.socket.readyState, WebSocket.OPEN)
  silent.socket.resume()
  await until(() => silent.closed !== null)
  t.same(silent.closed, [...CLOSE_REASONS.silent])
})

t.test('closing the gateway takes leave of every client in time', async (t) => {
  const { app, address, ids } = await served(t, 5)
  const client = await new Client(address).ask(BOOKS)
  const deaf = await new Client(address).ask(BOOKS)
  const events = await fetch(`${address}/v1/stream/sse?channel=book`)
  await until(() => client.held.isWhole && deaf.held.isWhole)
  deaf.socket.pause()
  const stop = churn(app, ids, 5)
  const beganMs = performance.now()
  await app.close()
  const tookMs = performance.now() - beganMs
  stop()
  await until(() => client.closed !== null)
  t.same(client.closed, [...CLOSE_REASONS.going_away])
  t.ok((await events.text()).endsWith(': 1001 the gateway stops: connect again and resume\n\n'))
  t.ok(tookMs < 3_000, `${Math.round(tookMs)} ms, with one client that does not answer`)
  deaf.socket.terminate()
})

t.test('pages of other origins may not stream, unless a setting says so', async (t) => {
  const { address } = await served(t, 1, { CORS_ORIGINS: 'https://good.example' })
  const open = async (origin: string) => {
    const client = new Client(address, new HeldStream(), { origin })
    await until(() => client.socket.readyState !== WebSocket.CONNECTING)
    client.socket.terminate()
    return client.error === null
  }
  t.same(
    [await open('https://good.example'), await open('https://evil.example'), await open(address)],
    [true, false, true]
  )
})

t.test('health and metrics tell of streams, and the channel health tells of health', async (t) => {
  const { app, address, ids } = await served(t, 1)
  const client = await new Client(address).ask(
    { ...BOOKS, markets: ids },
    { ...BOOKS, id: 'h', channel: 'health', intervalMs: 100 }
  )
  await until(() => client.messages.filter(({ type }) => type === 'health').length > 2)
  t.equal(client.error, null)
  const { stream } = (await app.inject('/v1/healthz')).json()
  t.match(stream, { clients: 1, subscriptions: 2, topics: 2, activeMarkets: 1 })
  const text = (await app.inject('/metrics')).body
  t.match(text, /crossbook_stream_clients 1\n/)
  t.match(text, /crossbook_tickers_total\{what="published",why=""\} 0/)
})

t.test(
  'trades and books of both venues reach a client through the whole gateway, with history off',
  async (t) => {
    const simulator = await startSimulator({ port: 0, marketsPerVenue: 40, rate: 400 })
    t.teardown(() => simulator.stop())
    const app = await buildApp({ config: testConfig(gatewaySettings(simulator) as Partial<Config>) })
    t.teardown(() => app.close())
    const address = await app.listen({ host: '127.0.0.1', port: 0 })
    await until(() => app.venueFeeds.every((feed) => feed.status().synced))
    const books = await new Client(address).ask(BOOKS)
    const trades = await new Client(address).ask({ ...BOOKS, channel: 'trades' })
    const traded = (venue: string) =>
      trades.messages.some(
        (message) => message.type === 'trades' && message.trades.some(({ id }) => id.startsWith(venue))
      )
    await until(
      () =>
        (traded('kalshi:') && traded('polymarket:') && books.held.seqs.length > 50) || trades.error !== null
    )
    t.equal(trades.error, null)
    await Promise.all(app.venueFeeds.map((feed) => feed.stop()))
    for (let n = 0; n < 3; n++) await new Promise(setImmediate)
    const seq = [...app.streamHub.topics.all()].find(({ question }) => question.channel === 'book')?.seq
    await until(() => books.held.seq === seq || books.error !== null)
    t.equal(books.error, null)
    t.same(
      differences(
        books.held.books,
        app.snapshotStore,
        [...app.snapshotStore.records()].map(({ id }) => id)
      ),
      []
    )
    t.equal(app.streamHub.status().failures, 0)
  }
)

t.test('twenty clients on one market are one subscription at the venue', async (t) => {
  const simulator = await startSimulator({ port: 0, marketsPerVenue: 5, rate: 100 })
  t.teardown(() => simulator.stop())
  const app = await buildApp({ config: testConfig(gatewaySettings(simulator) as Partial<Config>) })
  t.teardown(() => app.close())
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  await until(() => app.venueFeeds.every((feed) => feed.status().synced))
  const upstream = async () => {
    const { kalshi, polymarket } = simulator.stats()
    const followed = await Promise.all(
      ['kalshi', 'polymarket'].map(async (venue) =>
        (await fetch(`${simulator.controlUrl}/connections/${venue}`)).json()
      )
    )
    return {
      followed,
      kalshi: [kalshi.connections, kalshi.connectionsOpened, kalshi.commandsReceived],
      polymarket: polymarket.connections
    }
  }
  const before = await upstream()
  const ids = ['kalshi', 'polymarket'].map(
    (venue) => [...app.snapshotStore.records()].find(({ market }) => market.venue === venue)?.id as string
  )
  for (const id of ids) {
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => new Client(address).ask({ ...BOOKS, markets: [id] }))
    )
    await until(() => clients.every(({ held, error }) => held.seqs.length > 2 || error !== null))
    t.same(
      clients.flatMap(({ error }) => error ?? []),
      []
    )
    t.equal(app.streamHub.status().clients, 20)
    t.same(await upstream(), before, 'while they listen')
    for (const { socket } of clients) socket.close()
    await until(() => app.streamHub.status().clients === 0)
    t.same(await upstream(), before, 'when they are gone')
  }
  t.ok(
    JSON.stringify(before.followed).includes(ids[0]?.split(':')[1] as string),
    'the venue says who follows what'
  )
})

t.test('every code that we close with is documented', async (t) => {
  const documented = Object.values(CLOSE_CODES) as number[]
  for (const [code, reason] of Object.values(CLOSE_REASONS)) {
    t.ok(documented.includes(code))
    t.ok(Buffer.byteLength(reason) <= 123, 'as long as a close frame may be')
  }
})
