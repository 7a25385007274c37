import { connect } from 'node:net'
import t, { type Test } from 'tap'
import type { Config } from '../../schemas/config.ts'
import { YES } from '../../services/orderbook/arena.ts'
import { build, market, serve } from '../helper.ts'

const PATH = '/v1/markets?pageSize=3'

async function setUp(t: Test, overrides: Partial<Config> = {}) {
  const app = await build(t, { VALIDATE_RESPONSES: 'off', ...overrides })
  const records = Array.from({ length: 5 }, (_, n) => serve(app.snapshotStore, market(n)))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.addresses()[0] as { port: number }
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'accept-encoding': 'identity', ...headers } })
  let passed = 0
  app.responseChecker.mayPass = ((pass) => (name: string) => {
    const passes = pass(name)
    if (passes) passed++
    return passes
  })(app.responseChecker.mayPass.bind(app.responseChecker))
  return { app, records, port, get, hot: () => passed }
}

const headersOf = (response: Response) => {
  const headers = Object.fromEntries(response.headers)
  // The clock, and what the client asked of the connection.
  for (const name of ['date', 'connection', 'keep-alive']) delete headers[name]
  return headers
}

t.test('a page that is asked for again is answered as the route answers it, headers and bytes', async (t) => {
  const { app, records, get, hot } = await setUp(t)
  const first = await get(PATH)
  t.equal(hot(), 0, 'nobody asked in these words before')
  const again = await get(PATH)
  t.equal(hot(), 1)
  t.same(headersOf(again), headersOf(first))
  t.equal(await again.text(), await first.text())

  const { slot } = records[0] as { slot: number }
  app.snapshotStore.books.arena.setLevel(slot, YES, 4_001, 5_000_000)
  app.snapshotStore.books.touch(slot)
  const changed = await get(PATH)
  t.equal(hot(), 2)
  const inFastify = await app.inject({ url: PATH, headers: { 'accept-encoding': 'identity' } })
  t.equal(await changed.text(), inFastify.body, 'a change shows at once')
  t.equal(changed.headers.get('etag'), inFastify.headers.etag)
  t.not(changed.headers.get('etag'), first.headers.get('etag'))
})

t.test('what is not plain goes through the route', async (t) => {
  const { get, hot, port } = await setUp(t)
  const etag = (await get(PATH)).headers.get('etag') as string
  t.equal((await get(PATH, { 'if-none-match': etag })).status, 304)
  t.equal((await get(PATH, { 'accept-encoding': 'gzip' })).headers.get('content-encoding'), 'gzip')
  const head = await fetch(`http://127.0.0.1:${port}${PATH}`, { method: 'HEAD' })
  t.equal(head.headers.get('etag')?.replace('-gzip', ''), etag)
  t.equal((await get('/v1/markets?pageSize=3&depth=2')).status, 200)
  t.equal((await get('/v1/markets?pageSize=0')).status, 400)
  t.equal((await get('/v1/markets?pageSize=0')).status, 400)
  t.equal(hot(), 0)
})

t.test('with CORS every answer has its headers', async (t) => {
  const { get, hot } = await setUp(t, { CORS_ORIGINS: 'https://front.example' })
  for (let i = 0; i < 3; i++) {
    const response = await get(PATH, { origin: 'https://front.example' })
    t.equal(response.headers.get('access-control-allow-origin'), 'https://front.example')
  }
  t.equal(hot(), 0)
})

t.test('with a sample of answers checked, hot ones are among them', async (t) => {
  const { app, get, hot } = await setUp(t, { VALIDATE_RESPONSES: 'sample' })
  await get(PATH)
  const { checked } = app.responseChecker
  app.responseChecker.isDue = () => true
  for (let i = 0; i < 1_001; i++) await (await get(PATH)).arrayBuffer()
  t.ok(app.responseChecker.checked > checked, 'one in a thousand went through the route')
  t.ok(hot() > 900)
})

t.test('requests that are sent ahead are answered in order, hot ones among others', async (t) => {
  const { get, hot, port } = await setUp(t)
  await (await get(PATH)).arrayBuffer()
  const socket = connect(port, '127.0.0.1')
  const request = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  const ROUNDS = 50
  for (let i = 0; i < ROUNDS; i++) socket.write(request(PATH) + request(`/v1/nowhere-${i}`) + request(PATH))
  const found = () => [...text.matchAll(/"pageSize":3,|nowhere-\d+/g)].map(([what]) => what)
  while (found().length < 3 * ROUNDS) await new Promise((resolve) => socket.once('data', resolve))
  socket.destroy()
  t.same(
    found(),
    Array.from({ length: ROUNDS }, (_, i) => ['"pageSize":3,', `nowhere-${i}`, '"pageSize":3,']).flat()
  )
  t.ok(hot() > ROUNDS / 2, `${hot()} of them were hot`)
})
