import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { KalshiBooks } from '../../../services/kalshi/books.ts'
import { YES } from '../../../services/orderbook/arena.ts'
import { SupervisedSocket, type SupervisedSocketOptions } from '../../../services/venue/supervised-socket.ts'

const silent = { info() {}, warn() {} }

/** A real server on loopback, and a supervised client of it that starts and stops with the test. */
async function connection(t: Test, options: Partial<SupervisedSocketOptions> = {}, refuseWith?: number) {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    ...(refuseWith === undefined
      ? {}
      : {
          verifyClient: (_info: unknown, done: (ok: boolean, code: number) => void) => done(false, refuseWith)
        })
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const peers: WebSocket[] = []
  const requests: IncomingMessage[] = []
  const received: string[] = []
  server.on('connection', (peer, request) => {
    peers.push(peer)
    requests.push(request)
    peer.on('message', (data) => received.push(String(data)))
  })
  const seen = { opens: 0, frames: [] as string[], downs: [] as string[] }
  const socket = new SupervisedSocket({
    name: 'test-0',
    url: `ws://127.0.0.1:${port}`,
    keepAlive: { kind: 'ping', everyMs: 20_000, timeoutMs: 60_000 },
    onOpen: () => seen.opens++,
    onFrame: (frame) => seen.frames.push(frame.toString()),
    onDown: (reason) => seen.downs.push(reason),
    log: silent,
    random: () => 0,
    ...options
  })
  t.teardown(async () => {
    await socket.stop()
    for (const peer of peers) peer.terminate()
    server.close()
  })
  return { socket, server, peers, requests, received, seen }
}

/** Makes a peer read nothing more, and so answer nothing: its end of the connection is dead. */
function deafen(peer: WebSocket | undefined): void {
  peer?.pause()
}

/** Waits until a condition holds; tap's own time limit ends a wait that is in vain. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}

t.test('hands over every frame in order and sends what it is given', async (t) => {
  const { socket, peers, received, seen } = await connection(t)
  t.notOk(socket.send('too early'))
  socket.start()
  await until(() => seen.opens === 1)
  for (let i = 0; i < 100; i++) peers[0]?.send(String(i))
  t.ok(socket.send('hello'))
  await until(() => seen.frames.length === 100 && received.length === 1)
  t.strictSame(
    seen.frames,
    Array.from({ length: 100 }, (_, i) => String(i))
  )
  t.match(socket.status(7), { state: 'open', markets: 7, messages: 100, reconnects: 0, lastError: null })
})

t.test('a text frame that is no UTF-8 is counted, and harms neither the connection nor a book', async (t) => {
  const table = new BookTable({ capacityMarkets: 1, capacityLevels: 64 })
  const books = new KalshiBooks({ table })
  const feed = books.connection()
  books.follow('KXDEMO', table.allocate())
  const { socket, peers, seen } = await connection(t, {
    onFrame: (frame, atMs) => books.apply(frame, atMs, feed)
  })
  socket.start()
  await until(() => seen.opens === 1 && peers.length === 1)
  const side = '"yes_dollars_fp":[["0.4200","35.50"]]'
  const change = '"price_dollars":"0.4200","delta_fp":"1.00","side":"yes"'
  const book = (type: string, seq: number, rest: string) =>
    `{"type":"${type}","sid":1,"seq":${seq},"msg":{"market_ticker":"KXDEMO","market_id":"?",${rest}}}`
  const spoilt = Buffer.from(book('orderbook_delta', 2, change))
  spoilt[spoilt.indexOf('?')] = 0xff
  peers[0]?.send(book('orderbook_snapshot', 1, side))
  peers[0]?.send(spoilt, { binary: false })
  peers[0]?.send(book('orderbook_delta', 2, change))
  await until(() => books.counters.frames === 3)
  t.same(Object.fromEntries(books.counters.ignored), { not_utf8: 1 })
  t.equal(table.arena.sizeOf(0, YES, 4_200), 36_500_000, 'the change is applied once')
  t.strictSame(seen.downs, [])
})

t.test('a frame carries the time of the read that brought it', async (t) => {
  let nowMs = 1_000
  const times: number[] = []
  const { socket, peers, seen } = await connection(t, {
    now: () => nowMs,
    onFrame: (_, receivedAtMs) => times.push(receivedAtMs)
  })
  socket.start()
  await until(() => seen.opens === 1 && peers.length === 1)
  for (let sent = 1; sent <= 3; sent++) {
    nowMs += 1_000
    peers[0]?.send('data')
    await until(() => times.length === sent)
  }
  t.strictSame(times, [2_000, 3_000, 4_000])
  t.equal(socket.status(0).lastMessageAtMs, 4_000)
})

t.test('comes back after a cut, a close and a reset, with fresh headers each time', async (t) => {
  let attempt = 0
  const { socket, peers, requests, seen } = await connection(t, {
    headers: () => ({ 'x-attempt': String(++attempt) })
  })
  socket.start()
  await until(() => seen.opens === 1)
  peers[0]?.terminate()
  await until(() => seen.opens === 2)
  peers[1]?.close(1001, 'going away')
  await until(() => seen.opens === 3)
  socket.drop('test says so')
  await until(() => seen.opens === 4)
  t.strictSame(
    requests.map((request) => request.headers['x-attempt']),
    ['1', '2', '3', '4']
  )
  t.equal(seen.downs.length, 3)
  t.equal(seen.downs[1], 'closed with 1001 going away')
  t.equal(seen.downs[2], 'test says so')
  t.equal(socket.status(0).reconnects, 3)
})

t.test(
  'waits ever longer between failed attempts, and starts over only after a proven connection',
  async (t) => {
    let nowMs = 0
    const waits: number[] = []
    const { socket, peers, seen } = await connection(t, {
      steadyNow: () => nowMs,
      random: () => 0.001,
      backoffBaseMs: 1_000,
      provenAfterMs: 10_000,
      log: {
        info() {},
        warn: (fields: unknown) => waits.push((fields as { waitMs: number }).waitMs)
      } as never
    })
    socket.start()
    for (let cut = 0; cut < 4; cut++) {
      await until(() => seen.opens === cut + 1 && peers.length === cut + 1)
      if (cut === 3) nowMs += 10_000
      peers[cut]?.terminate()
    }
    await until(() => waits.length === 4)
    t.strictSame(waits, [1, 2, 4, 1])
  }
)

t.test('a refusal of the credentials is final', async (t) => {
  const { socket, seen } = await connection(t, {}, 401)
  socket.start()
  await until(() => socket.status(0).state === 'refused')
  t.strictSame(seen.downs, ['upgrade answered 401'])
  t.equal(seen.opens, 0)
})

t.test('what a venue’s guard may answer in passing is tried again where the feed says so', async (t) => {
  const { socket } = await connection(t, { refusedBy: [] }, 403)
  socket.start()
  await until(() => socket.status(0).lastError === 'upgrade answered 403')
  t.not(socket.status(0).state, 'refused')
})

t.test('a wall clock that jumps drops no connection and hides no silence', async (t) => {
  let wallMs = 1e12
  const { socket, peers, seen } = await connection(t, {
    now: () => wallMs,
    keepAlive: { kind: 'ping', everyMs: 5, timeoutMs: 60 }
  })
  socket.start()
  await until(() => seen.opens === 1 && peers.length === 1)
  let pings = 0
  peers[0]?.on('ping', () => pings++)
  wallMs += 3_600_000
  await until(() => pings > 5)
  t.equal(seen.opens, 1, 'an hour forward is no silence')
  wallMs -= 7_200_000
  deafen(peers[0])
  await until(() => seen.opens === 2)
  t.match(seen.downs[0], 'nothing came for 60 ms')
})

t.test('another refusal is tried again', async (t) => {
  const { socket, server } = await connection(t, {}, 503)
  let refused = 0
  server.on('wsClientError', () => refused++)
  socket.start()
  await until(
    () => socket.status(0).lastError === 'upgrade answered 503' && socket.status(0).state !== 'refused'
  )
  t.equal(socket.status(0).reconnects, 0)
})

t.test('a server that neither sends nor answers is dropped; a quiet one that answers is kept', async (t) => {
  const { socket, peers, seen } = await connection(t, {
    keepAlive: { kind: 'ping', everyMs: 5, timeoutMs: 100 }
  })
  socket.start()
  await until(() => seen.opens === 1 && peers.length === 1)
  let pings = 0
  peers[0]?.on('ping', () => pings++)
  await until(() => pings > 60)
  t.equal(seen.opens, 1)
  deafen(peers[0])
  await until(() => seen.opens === 2)
  t.equal(seen.downs[0], 'nothing came for 100 ms, not even an answer to a ping')
})

t.test('data alone is a sign of life, for a server that answers no ping', async (t) => {
  const { socket, peers, seen } = await connection(t, {
    keepAlive: { kind: 'text', send: 'PING', expect: 'PONG', everyMs: 10, timeoutMs: 100 }
  })
  socket.start()
  await until(() => seen.opens === 1 && peers.length === 1)
  socket.startKeepAlive()
  const sending = setInterval(() => peers[0]?.send('data'), 5)
  t.teardown(() => clearInterval(sending))
  await until(() => seen.frames.length > 60)
  t.equal(seen.opens, 1)
  clearInterval(sending)
  await until(() => seen.opens === 2)
})

t.test('a process that stood still does not take its own absence for silence', async (t) => {
  let steadyMs = 0
  const { socket, peers, seen } = await connection(t, {
    steadyNow: () => steadyMs,
    keepAlive: { kind: 'ping', everyMs: 5, timeoutMs: 60 }
  })
  socket.start()
  await until(() => seen.opens === 1 && peers.length === 1)
  let pings = 0
  peers[0]?.on('ping', () => pings++)
  for (let hour = 0; hour < 3; hour++) {
    steadyMs += 3_600_000
    const before = pings
    await until(() => {
      steadyMs += 1
      return pings > before
    })
  }
  t.equal(seen.opens, 1)
})

t.test(
  'text keep-alive starts only when told, its answers are no data, and silence drops the connection',
  async (t) => {
    const { socket, peers, received, seen } = await connection(t, {
      keepAlive: { kind: 'text', send: 'PING', expect: 'PONG', everyMs: 5, timeoutMs: 40 }
    })
    socket.start()
    await until(() => seen.opens === 1 && peers.length === 1)
    peers[0]?.on('message', (data) => {
      if (String(data) === 'PING') peers[0]?.send('PONG')
    })
    peers[0]?.send('data')
    await until(() => seen.frames.length === 1)
    t.strictSame(received, [], 'not told yet')
    socket.startKeepAlive()
    await until(() => received.length > 20)
    t.strictSame(seen.frames, ['data'])
    t.equal(seen.opens, 1)
    peers[0]?.removeAllListeners('message')
    await until(() => seen.opens === 2)
    t.match(seen.downs[0], 'nothing came for 40 ms')
  }
)

t.test('stopping ends it for good, also while it dials or waits', async (t) => {
  const { socket, server, seen } = await connection(t)
  socket.start()
  await socket.stop()
  t.equal(socket.status(0).state, 'stopped')
  const other = await connection(t, { random: () => 1, backoffBaseMs: 60_000, backoffCapMs: 60_000 })
  other.socket.start()
  await until(() => other.seen.opens === 1 && other.peers.length === 1)
  other.peers[0]?.terminate()
  await until(() => other.socket.status(0).state === 'waiting')
  await other.socket.stop()
  t.equal(other.socket.status(0).state, 'stopped')
  t.equal(server.clients.size, 0)
  t.equal(seen.opens, 0)
})
