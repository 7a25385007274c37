import t, { type Test } from 'tap'
import type { RecyclerRun } from '../../schemas/recycler.ts'
import type { FeedStatus, VenueFeed } from '../../services/venue/port.ts'
import type { VenueRecycle } from '../../services/venue/recycle.ts'
import { build } from '../helper.ts'

const KEY = 'operator-key-0123456789'
const RUNS = '/v1/recycler/runs'

/** A venue whose recycle lasts until it is released. */
async function setUp(t: Test, key = KEY) {
  const app = await build(t, { OPERATOR_API_KEY: key })
  let release = () => {}
  const feed: VenueFeed = {
    venue: 'kalshi',
    start: () => {},
    stop: async () => {},
    status: () => ({ synced: true }) as FeedStatus,
    auditAgeMs: () => null,
    fetchTrades: async () => null,
    fetchCandles: async () => null,
    followed: () => null,
    reselect: () => {},
    recycle: () =>
      new Promise<VenueRecycle>((resolve) => {
        release = () =>
          resolve({ connections: [], before: new Map(), after: new Map(), discoveryError: null })
      })
  }
  app.venueFeeds.push(feed)
  const start = (authorization?: string) =>
    app.inject({
      method: 'POST',
      url: RUNS,
      headers: authorization === undefined ? {} : { authorization }
    })
  return { app, start, release: () => release() }
}

t.test('the operator starts a run; a second one is refused while it lasts', async (t) => {
  const { app, start, release } = await setUp(t)
  const first = await start(`Bearer ${KEY}`)
  t.equal(first.statusCode, 202)
  t.same(first.json(), { id: 1 })
  const second = await start(`bearer ${KEY}`)
  t.equal(second.statusCode, 409)
  t.match(second.json(), { code: 'RECYCLER_BUSY', message: /run 1/ })
  t.match((await app.inject('/v1/recycler')).json(), { running: { id: 1, trigger: 'operator' } })
  release()
  while (app.recycler.status().running !== null) await new Promise(setImmediate)
  t.match((await app.inject('/v1/recycler')).json(), {
    intervalHours: 12,
    running: null,
    lastRuns: [{ id: 1, outcome: 'completed' }]
  })
})

t.test('a run is recorded where history is kept, also one that the stop ends', async (t) => {
  const { app, start, release } = await setUp(t)
  const runs: RecyclerRun[] = []
  const history = { recyclerRun: (run: RecyclerRun) => runs.push(run) }
  app.decorate('history', history as unknown as NonNullable<typeof app.history>)
  await start(`Bearer ${KEY}`)
  release()
  while (app.recycler.status().running !== null) await new Promise(setImmediate)
  t.strictSame(runs, app.recycler.status().lastRuns)
  t.match(runs, [{ id: 1, trigger: 'operator', outcome: 'completed' }])
  await start(`Bearer ${KEY}`)
  const stopped = app.recycler.stop()
  release()
  await stopped
  t.match(runs[1], { id: 2, outcome: 'ended' })
})

t.test('without the key, or with another, nothing starts and nothing tells of the key', async (t) => {
  const { app, start } = await setUp(t)
  for (const given of [undefined, '', KEY, `Basic ${KEY}`, 'Bearer', 'Bearer x', `Bearer ${KEY}x`]) {
    const answer = await start(given)
    t.equal(answer.statusCode, 401, String(given))
    t.equal(answer.headers['www-authenticate'], 'Bearer')
    t.match(answer.json(), { code: 'OPERATOR_KEY_WRONG' })
    t.notMatch(answer.body, KEY)
  }
  t.equal(app.recycler.status().running, null)
})

t.test('with no key set nobody is an operator', async (t) => {
  const { app, start } = await setUp(t, '')
  for (const given of [undefined, 'Bearer ', `Bearer ${KEY}`]) {
    const answer = await start(given)
    t.equal(answer.statusCode, 403)
    t.match(answer.json(), { code: 'OPERATOR_KEY_UNSET' })
  }
  t.equal(app.recycler.status().running, null)
})

t.test('each path answers its own methods only', async (t) => {
  const { app } = await setUp(t)
  const refused: [string, 'GET' | 'HEAD' | 'POST' | 'DELETE', string][] = [
    [RUNS, 'GET', 'POST'],
    [RUNS, 'DELETE', 'POST'],
    ['/v1/recycler', 'POST', 'GET, HEAD'],
    ['/v1/livez', 'POST', 'GET, HEAD']
  ]
  for (const [url, method, allow] of refused) {
    const answer = await app.inject({ method, url, headers: { authorization: `Bearer ${KEY}` } })
    t.equal(answer.statusCode, 405, `${method} ${url}`)
    t.equal(answer.headers.allow, allow)
    t.match(answer.json(), { code: 'METHOD_NOT_ALLOWED' })
  }
})

t.test('what is nowhere is not found before its body is looked at', async (t) => {
  const { app } = await setUp(t)
  const send = (url: string) =>
    app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload: '{nonsense' })
  t.match((await send('/v1/nowhere')).json(), { statusCode: 404, code: 'ROUTE_NOT_FOUND' })
  t.match((await send('/v1/livez')).json(), { statusCode: 405, code: 'METHOD_NOT_ALLOWED' })
})
