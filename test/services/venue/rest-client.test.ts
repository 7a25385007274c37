import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { VenueRestError } from '../../../services/errors.ts'
import { backoffMs } from '../../../services/venue/backoff.ts'
import { Breaker } from '../../../services/venue/breaker.ts'
import { RestClient, type RestClientOptions } from '../../../services/venue/rest-client.ts'
import { TokenBucket } from '../../../services/venue/token-bucket.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A server that gives its answers in turn and the last one for ever, and a client for it. */
async function venue(t: Test, answers: Answer[], options: Partial<RestClientOptions> = {}) {
  const asked: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
    answers[Math.min(asked.length, answers.length) - 1]?.(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new RestClient({
    base: `http://127.0.0.1:${port}/api/v2`,
    bucket: new TokenBucket({ ratePerSecond: 1_000, capacity: 1_000 }),
    random: () => 0,
    ...options
  })
  t.teardown(async () => {
    await client.close()
    server.closeAllConnections()
    server.close()
  })
  return { client, asked }
}

const json =
  (status: number, body: unknown, headers = {}): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }
const html =
  (status: number): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'text/html; charset=UTF-8' }).end('<html>error 1015</html>')
  }

t.test('asks with the prefix, repeated query keys, headers made for the path, and a body', async (t) => {
  const { client, asked } = await venue(t, [json(200, { ok: 1 })], {
    headers: (method, path) => ({ 'x-signed': `${method} ${path}` })
  })
  t.strictSame(
    await client.get('/markets', { query: { tickers: ['A', 'B'], limit: 5, cursor: undefined } }),
    {
      status: 200,
      body: { ok: 1 }
    }
  )
  await client.post('/books', [{ token_id: '1' }])
  t.match(asked, [
    { url: '/api/v2/markets?tickers=A&tickers=B&limit=5', headers: { 'x-signed': 'GET /api/v2/markets' } },
    { method: 'POST', body: '[{"token_id":"1"}]', headers: { 'content-type': 'application/json' } }
  ])
})

t.test('tries again after 429, 5xx, HTML, broken JSON and a cut connection', async (t) => {
  const { client, asked } = await venue(
    t,
    [
      json(429, { error: 'too many requests' }),
      html(502),
      html(200),
      (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"half":'),
      (request) => request.socket.destroy(),
      json(200, { done: true })
    ],
    { retries: 5, breaker: new Breaker({ name: 'venue', failures: 6 }) }
  )
  t.strictSame((await client.get('/x')).body, { done: true })
  t.equal(asked.length, 6)
  t.match(client.status, { requests: 6, failures: 5, retries: 5 })
})

t.test('gives up at the first answer that trying again cannot change', async (t) => {
  const { client, asked } = await venue(t, [json(404, { error: { code: 'not_found' } })])
  const error = await client.get('/markets/X').catch((failure) => failure)
  t.ok(error instanceof VenueRestError)
  t.match(error, { code: 'VENUE_REST', status: 404, retryable: false })
  t.match(error.message, /GET \/markets\/X answered 404: .*not_found/)
  t.equal(asked.length, 1)
})

t.test('gives up after its retries, with the last reason', async (t) => {
  const { client, asked } = await venue(t, [html(503)], { retries: 2 })
  t.match(await client.get('/x').catch((failure) => failure), { status: 503, retryable: true })
  t.equal(asked.length, 3)
})

t.test('takes an accepted status as an answer', async (t) => {
  const { client } = await venue(t, [json(503, { trading_active: false })])
  t.match(await client.get('/exchange/status', { accept: [503] }), {
    status: 503,
    body: { trading_active: false }
  })
})

t.test('an attempt that does not end in time is a failure', async (t) => {
  const { client } = await venue(t, [() => {}], { timeoutMs: 30, retries: 0 })
  await t.rejects(client.get('/slow'), { message: 'GET /slow did not answer in time', status: null })
})

t.test('Retry-After is waited for, and holds the whole bucket on a 429', async (t) => {
  const bucket = new TokenBucket({ ratePerSecond: 1_000, capacity: 1_000 })
  const pauses: number[] = []
  const pause = bucket.pause.bind(bucket)
  bucket.pause = (ms) => {
    pauses.push(ms)
    pause(1)
  }
  const { client } = await venue(t, [json(429, {}, { 'retry-after': '0.02' }), json(200, {})], { bucket })
  await client.get('/x')
  t.strictSame(pauses, [20])
})

t.test('closing aborts what is under way and what waits for tokens', async (t) => {
  const bucket = new TokenBucket({ ratePerSecond: 0.001, capacity: 1 })
  const { client, asked } = await venue(t, [() => {}], { bucket })
  const first = client.get('/under-way').catch((error) => error)
  const second = client.get('/waiting').catch((error) => error)
  while (asked.length === 0) await new Promise(setImmediate)
  await client.close()
  t.match(await first, { code: 'VENUE_REST' })
  t.match(await second, { code: 'VENUE_REST', message: 'the client is closed' })
})

t.test('a token bucket lets through what its rate allows, in order', async (t) => {
  let nowMs = 0
  const bucket = new TokenBucket({ ratePerSecond: 100, capacity: 20, maxWaiting: 2, now: () => nowMs })
  const order: string[] = []
  await bucket.take(20)
  const first = bucket.take(10).then(() => order.push('first'))
  const second = bucket.take(1).then(() => order.push('second'))
  await t.rejects(bucket.take(1), { message: 'too many calls wait for tokens' })
  await t.rejects(bucket.take(21), { message: 'cost 21 is above capacity 20' })
  t.strictSame(order, [], 'no token is there')
  nowMs = 200
  await Promise.all([first, second])
  t.strictSame(order, ['first', 'second'])
  const controller = new AbortController()
  bucket.pause(60_000)
  const aborted = bucket.take(1, controller.signal)
  controller.abort(new Error('stopped'))
  await t.rejects(aborted, { message: 'stopped' })
})

t.test('the wait before an attempt grows to its cap, with full jitter', async (t) => {
  t.equal(
    backoffMs(0, 250, 30_000, () => 1),
    250
  )
  t.equal(
    backoffMs(3, 250, 30_000, () => 0.5),
    1_000
  )
  t.equal(
    backoffMs(99, 250, 30_000, () => 1),
    30_000
  )
  t.equal(
    backoffMs(5, 250, 30_000, () => 0),
    0
  )
})
