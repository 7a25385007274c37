import t from 'tap'
import type { AuditStatus } from '../../services/integrity/audit-tally.ts'
import type { LivenessStatus } from '../../services/integrity/liveness.ts'
import { Counters } from '../../services/venue/counters.ts'
import type { BreakerStatus, FeedStatus, VenueFeed } from '../../services/venue/port.ts'
import { build, market, RECEIVED_AT_MS, serve } from '../helper.ts'

/** A breaker that nothing happened to but what a test says. */
function breaker(change: Partial<BreakerStatus> = {}): BreakerStatus {
  return {
    state: 'closed',
    opened: 0,
    successes: 0,
    failures: 0,
    rejected: 0,
    changedAtMs: null,
    ...change
  }
}

const audit: AuditStatus = {
  books: 12,
  equal: 9,
  explained: { cached: 2, ahead: 0, too_busy: 0, too_young: 0, not_read: 0, not_live: 0 },
  mismatch: 1,
  confirmed: 0,
  failedReads: 3,
  polls: { reads: 20, failed: 1, books: 240, equal: 200, differing: 30 },
  ageMs: { p50: 30_000, p99: 50_000, max: 61_000 }
}
const liveness: LivenessStatus = {
  silent: 0,
  silences: 2,
  quietConnections: 1,
  deadConnections: 1,
  asked: 5,
  quietMarkets: 4,
  deadMarkets: 1
}

/** A venue whose status a test sets. */
function feed(
  venue: 'kalshi' | 'polymarket',
  change: Partial<FeedStatus> = {}
): VenueFeed & { now: FeedStatus } {
  const now: FeedStatus = {
    venue,
    source: 'websocket',
    synced: false,
    note: null,
    refused: false,
    connections: [],
    discovery: { lastAtMs: null, selected: 0, lastError: null },
    rest: { requests: 0, failures: 0, retries: 0, lastError: null, hosts: [] },
    recovery: { losses: 0, recovered: 0, lastMs: null, maxMs: null, resubscribed: 0 },
    audit: null,
    liveness: null,
    proofs: null,
    counters: new Counters(),
    ...change
  }
  const recycle = () => Promise.reject(new Error('nothing to recycle'))
  const auditAgeMs = (slot: number) => (venue === 'kalshi' ? 1_000 * (slot + 1) : null)
  const fetchTrades = async () => null
  return {
    venue,
    now,
    start: () => {},
    stop: async () => {},
    status: () => now,
    auditAgeMs,
    recycle,
    fetchTrades,
    fetchCandles: fetchTrades,
    followed: () => null,
    reselect: () => {}
  }
}

const DATA_ROUTES = [
  '/v1/markets',
  '/v1/markets/index',
  '/v1/markets.ndjson',
  '/v1/markets/kalshi:KXTEST-0001',
  '/v1/events',
  '/v1/events/kalshi:KXTEST-EVENT-1',
  '/v1/schedule'
]

t.test('before and after the first synchronisation', async (t) => {
  const app = await build(t)
  const kalshi = feed('kalshi')
  const polymarket = feed('polymarket')
  app.venueFeeds.push(kalshi, polymarket)
  serve(app.snapshotStore, market(1))

  for (const url of [...DATA_ROUTES, '/v1/readyz']) {
    const response = await app.inject(url)
    t.equal(response.statusCode, 503, url)
    t.match(response.json(), { statusCode: 503, code: 'NOT_READY', error: 'Service Unavailable' })
    t.match(response.headers['retry-after'], /^[1-9]/)
  }
  t.same((await app.inject('/v1/livez')).json(), { status: 'up' })
  t.match((await app.inject('/v1/healthz')).json(), { status: 'starting' })

  kalshi.now.synced = true
  for (const url of DATA_ROUTES)
    t.equal((await app.inject(url)).statusCode, 200, `${url} with one venue down`)
  t.equal((await app.inject('/v1/readyz')).statusCode, 503)

  polymarket.now.synced = true
  t.same((await app.inject('/v1/readyz')).json(), { status: 'ready' })
  t.match((await app.inject('/v1/healthz')).json(), { status: 'ok' })

  kalshi.now.synced = false
  polymarket.now.synced = false
  t.equal(
    (await app.inject('/v1/markets')).statusCode,
    200,
    'what was once true is served on, with its verdict'
  )
})

t.test('what a start waits for besides the venues holds readiness back, and nothing else', async (t) => {
  const app = await build(t)
  let why: string | null = 'the database of the history was not reached yet'
  app.readyChecks.push(() => why)
  app.venueFeeds.push(feed('kalshi', { synced: true }))
  const response = await app.inject('/v1/readyz')
  t.equal(response.statusCode, 503)
  t.match(response.json(), { code: 'NOT_READY', message: /^the database of the history was not reached yet/ })
  t.match(response.headers['retry-after'], /^[1-9]/)
  t.equal((await app.inject('/v1/markets')).statusCode, 200, 'books are served')
  why = null
  t.equal((await app.inject('/v1/readyz')).statusCode, 200)
})

t.test('GET /v1/healthz', async (t) => {
  const app = await build(t)
  const counters = new Counters()
  counters.frames = 12
  counters.applied = 10
  counters.ignore('unknown_type')
  counters.ignore('unknown_type')
  counters.observe('cents')
  app.venueFeeds.push(
    feed('kalshi', {
      synced: true,
      note: 'without keys: polling',
      source: 'poll',
      counters,
      connections: [
        {
          name: 'kalshi',
          state: 'waiting',
          markets: 2,
          connectedAtMs: null,
          lastMessageAtMs: RECEIVED_AT_MS,
          messages: 12,
          reconnects: 3,
          lastError: 'refused',
          breaker: breaker({ state: 'open', opened: 2, failures: 10, changedAtMs: RECEIVED_AT_MS })
        }
      ],
      discovery: { lastAtMs: RECEIVED_AT_MS, selected: 2, lastError: null },
      rest: {
        requests: 5,
        failures: 1,
        retries: 2,
        lastError: 'HTTP 500',
        hosts: [
          {
            name: 'kalshi',
            requests: 5,
            failures: 1,
            retries: 2,
            lastError: 'HTTP 500',
            breaker: breaker({ successes: 4, failures: 1 }),
            tokensPerSecond: 12.5,
            tokensPerSecondMax: 200
          }
        ]
      },
      recovery: { losses: 2, recovered: 1, lastMs: 1_500.5, maxMs: 1_500.5, resubscribed: 4 },
      audit,
      liveness,
      proofs: { hashesMatched: 7 }
    }),
    feed('polymarket', { synced: true })
  )
  serve(app.snapshotStore, market(1))
  app.snapshotStore.put(market(2, { status: 'halted' }), '')
  app.snapshotStore.put(market(3), '')

  const health = (await app.inject('/v1/healthz')).json()
  t.match(health, {
    status: 'degraded',
    store: { markets: 3, capacityMarkets: 3_000 },
    validation: { mode: 'all', failed: 0, failuresByRoute: {} }
  })
  t.ok(health.process.residentBytes > 1e6)
  t.same(health.venues[0], {
    venue: 'kalshi',
    source: 'poll',
    synced: true,
    note: 'without keys: polling',
    lastMessageAt: '2026-11-20T12:34:56.789Z',
    messagesPerSecond: 0,
    connections: [
      {
        name: 'kalshi',
        state: 'waiting',
        markets: 2,
        messages: 12,
        reconnects: 3,
        lastError: 'refused',
        breaker: {
          state: 'open',
          opened: 2,
          successes: 0,
          failures: 10,
          rejected: 0,
          changedAt: '2026-11-20T12:34:56.789Z'
        },
        connectedAt: null,
        lastMessageAt: '2026-11-20T12:34:56.789Z'
      }
    ],
    markets: 3,
    booksByState: { live: 1, halted: 1, syncing: 1 },
    booksByReason: { venue_paused: 1, awaiting_snapshot: 1 },
    discovery: { lastAt: '2026-11-20T12:34:56.789Z', selected: 2, lastError: null },
    rest: {
      requests: 5,
      failures: 1,
      retries: 2,
      lastError: 'HTTP 500',
      hosts: [
        {
          name: 'kalshi',
          requests: 5,
          failures: 1,
          retries: 2,
          lastError: 'HTTP 500',
          breaker: { state: 'closed', opened: 0, successes: 4, failures: 1, rejected: 0, changedAt: null },
          tokensPerSecond: 12.5,
          tokensPerSecondMax: 200
        }
      ]
    },
    recovery: { losses: 2, recovered: 1, lastMs: 1_500.5, maxMs: 1_500.5, resubscribed: 4 },
    audit,
    liveness,
    proofs: { hashesMatched: 7 },
    counters: { frames: 12, applied: 10, ignored: { unknown_type: 2 }, seen: { cents: 1 } }
  })
  t.match(health.venues[1], { venue: 'polymarket', markets: 0, booksByState: {}, lastMessageAt: null })
})

t.test('health tells what went wrong at the venues, the latest in full', async (t) => {
  const app = await build(t)
  app.incidents.note({
    venue: 'kalshi',
    kind: 'drift',
    marketId: 'kalshi:A',
    detail: 'no price',
    sample: '{}'
  })
  for (let n = 0; n < 30; n++)
    app.incidents.note({ venue: 'kalshi', kind: 'sequence_gap', connection: `c${n}`, detail: 'lost' })
  const { incidents } = (await app.inject('/v1/healthz')).json()
  t.match(incidents, { total: 31, byVenueAndKind: { kalshi: { drift: 1, sequence_gap: 30 } } })
  t.equal(incidents.latest.length, 20)
  t.match(incidents.latest[0], { kind: 'sequence_gap', connection: 'c29', marketId: null, endedAt: null })
})

t.test('GET /metrics', async (t) => {
  const app = await build(t)
  const counters = new Counters()
  counters.frames = 12
  counters.ignore('unknown_type')
  counters.observe('gap')
  app.venueFeeds.push(
    feed('kalshi', {
      synced: true,
      counters,
      connections: [
        {
          name: 'kalshi',
          state: 'open',
          markets: 2,
          connectedAtMs: RECEIVED_AT_MS,
          lastMessageAtMs: RECEIVED_AT_MS,
          messages: 12,
          reconnects: 3,
          lastError: null,
          breaker: breaker({ state: 'half_open', opened: 1 })
        }
      ],
      recovery: { losses: 2, recovered: 1, lastMs: 1_500, maxMs: 2_500, resubscribed: 4 },
      audit,
      liveness
    })
  )
  app.incidents.note({ venue: 'kalshi', kind: 'drift', detail: 'no price' })
  serve(app.snapshotStore, market(1))
  app.snapshotStore.put(market(2, { status: 'halted' }), '')
  const scrape = async () => {
    const response = await app.inject('/metrics')
    t.equal(response.statusCode, 200)
    t.match(response.headers['content-type'], /^text\/plain/)
    return response.body
  }
  await scrape()
  counters.frames = 13
  const lines = new Set((await scrape()).split('\n'))
  for (const line of [
    'crossbook_books{venue="kalshi",state="live",reason=""} 1',
    'crossbook_books{venue="kalshi",state="halted",reason="venue_paused"} 1',
    'crossbook_frames_total{venue="kalshi"} 13',
    'crossbook_frames_ignored_total{venue="kalshi",reason="unknown_type"} 1',
    'crossbook_observed_total{venue="kalshi",reading="gap"} 1',
    'crossbook_reconnects_total{venue="kalshi",connection="kalshi"} 3',
    'crossbook_breaker{venue="kalshi",around="kalshi",state="half_open"} 1',
    'crossbook_breaker{venue="kalshi",around="kalshi",state="open"} 0',
    'crossbook_recovery_seconds{venue="kalshi",which="max"} 2.5',
    'crossbook_audits_total{venue="kalshi",result="equal",why=""} 9',
    'crossbook_audits_total{venue="kalshi",result="explained",why="cached"} 2',
    'crossbook_audit_age_seconds{venue="kalshi",quantile="p99"} 50',
    'crossbook_incidents_total{venue="kalshi",kind="drift"} 1',
    'crossbook_recycler_total{what="runs"} 0'
  ])
    t.ok(lines.has(line), line)
  const { slot } = app.snapshotStore.get(market(1).id) as { slot: number }
  const aged = `crossbook_market_audit_age_seconds{venue="kalshi",market="${market(1).id}"} ${slot + 1}`
  t.ok(lines.has(aged), aged)
  t.ok([...lines].some((line) => /^crossbook_oldest_proof_seconds\{.*KXTEST-0001"\} [0-9.]+$/.test(line)))
})

t.test('the status is degraded while a venue is less than well', async (t) => {
  const app = await build(t)
  const kalshi = feed('kalshi', { synced: true })
  app.venueFeeds.push(kalshi)
  const status = async () => (await app.inject('/v1/healthz')).json().status
  const connection = {
    name: 'kalshi',
    markets: 0,
    connectedAtMs: null,
    lastMessageAtMs: null,
    messages: 0,
    reconnects: 0,
    lastError: null,
    breaker: breaker()
  }
  const host = {
    name: 'kalshi',
    requests: 0,
    failures: 0,
    retries: 0,
    lastError: null,
    tokensPerSecond: 1,
    tokensPerSecondMax: 1
  }
  const { rest } = kalshi.now
  kalshi.now.connections = [{ ...connection, state: 'open' }]
  kalshi.now.rest = { ...rest, hosts: [{ ...host, breaker: breaker({ opened: 1 }) }] }
  t.equal(await status(), 'ok')
  kalshi.now.rest = { ...rest, hosts: [{ ...host, breaker: breaker({ state: 'open' }) }] }
  t.equal(await status(), 'degraded', 'an open breaker')
  kalshi.now.rest = rest
  kalshi.now.connections = [{ ...connection, state: 'waiting' }]
  t.equal(await status(), 'degraded', 'a connection that is not open')
  kalshi.now.connections = []
  kalshi.now.refused = true
  t.equal(await status(), 'degraded', 'a refused key')
})

t.test('GET /v1/events', async (t) => {
  const app = await build(t)
  for (let n = 0; n < 7; n++) serve(app.snapshotStore, market(n))
  serve(app.snapshotStore, market(7, { eventId: null }))
  const page = (await app.inject('/v1/events?pageSize=2')).json()
  t.match(page, { page: 1, pageSize: 2, total: 3 })
  t.same(
    page.items.map(({ id }: { id: string }) => id),
    ['kalshi:KXTEST-EVENT-0', 'kalshi:KXTEST-EVENT-1']
  )
  t.same((await app.inject('/v1/events?pageSize=2&page=2')).json().items, [
    {
      id: 'kalshi:KXTEST-EVENT-2',
      venue: 'kalshi',
      venueEventId: 'KXTEST-EVENT-2',
      symbol: 'KXTEST-EVENT-2',
      seriesId: null,
      title: 'Event KXTEST-EVENT-2',
      category: 'Tests',
      mutuallyExclusive: false,
      marketIds: [market(2).id, market(5).id]
    }
  ])
  const { headers } = await app.inject('/v1/events')
  const again = () => app.inject({ url: '/v1/events', headers: { 'if-none-match': headers.etag } })
  app.snapshotStore.books.touch(0)
  t.equal((await again()).statusCode, 304, 'what books do is nothing to events')
  app.snapshotStore.remove(market(2).id)
  t.equal((await again()).statusCode, 200)

  t.same((await app.inject('/v1/events/kalshi:KXTEST-EVENT-2')).json().marketIds, [market(5).id])
  const missing = await app.inject('/v1/events/kalshi:NOPE')
  t.equal(missing.statusCode, 404)
  t.match(missing.json(), { code: 'EVENT_NOT_FOUND' })
  t.match((await app.inject('/v1/events/x?page=1')).json().message, /^query parameter page /)
})

t.test('GET /v1/schedule', async (t) => {
  const app = await build(t)
  for (let n = 0; n < 4; n++) serve(app.snapshotStore, market(n))
  serve(app.snapshotStore, market(8, { venue: 'polymarket', closeTime: null }))
  const page = (await app.inject('/v1/schedule?pageSize=2')).json()
  t.match(page, { page: 1, pageSize: 2, total: 5 })
  t.same(page.items[1], {
    id: market(1).id,
    venue: 'kalshi',
    eventId: 'kalshi:KXTEST-EVENT-1',
    title: market(1).title,
    status: 'open',
    eventStartTime: null,
    openTime: '2026-01-01T00:00:00.000Z',
    closeTime: '2027-01-01T01:00:00.000Z'
  })
  t.match((await app.inject('/v1/schedule?page=3&pageSize=2')).json().items, [
    { id: market(8).id, closeTime: null }
  ])
  t.equal((await app.inject('/v1/schedule?venue=polymarket')).json().total, 1)
  t.equal((await app.inject('/v1/schedule?status=closed')).json().total, 0)
  const { headers } = await app.inject('/v1/schedule')
  const again = () => app.inject({ url: '/v1/schedule', headers: { 'if-none-match': headers.etag } })
  t.equal((await again()).statusCode, 304)
  app.snapshotStore.patch(market(1).id, { closeTime: '2026-12-01T00:00:00.000Z' })
  t.equal((await again()).statusCode, 200, 'a moved close time is news')
})

t.test('what is not served', async (t) => {
  const app = await build(t)
  const paths = [...DATA_ROUTES, '/v1/livez', '/v1/readyz', '/v1/healthz', '/openapi.json', '/docs']

  t.test('every other method is refused, and told which are allowed', async (t) => {
    for (const url of paths) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
        const response = await app.inject({ method, url, payload: '{"broken' })
        t.equal(response.statusCode, 405, `${method} ${url}`)
        t.equal(response.headers.allow, 'GET, HEAD')
        t.match(response.json(), { statusCode: 405, code: 'METHOD_NOT_ALLOWED', error: 'Method Not Allowed' })
      }
    }
  })

  t.test('an unknown path is 404 for every method', async (t) => {
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE'] as const) {
      for (const url of ['/nope', '/v1', '/v1/market', '/v1/markets/a/b']) {
        const response = await app.inject({ method, url })
        t.equal(response.statusCode, 404, `${method} ${url}`)
        if (method !== 'HEAD') t.match(response.json(), { code: 'ROUTE_NOT_FOUND' })
      }
    }
  })

  t.test('a malformed URL is 400', async (t) => {
    const response = await app.inject('/v1/markets/%E0%A4%A')
    t.equal(response.statusCode, 400)
    t.match(response.json(), { statusCode: 400, code: 'BAD_REQUEST' })
    t.match((await app.inject('/v1/markets/')).json().message, /^path parameter id /)
  })
})

t.test('a fault of ours is 500 without its details', async (t) => {
  const app = await build(t)
  app.venueFeeds.push({
    ...feed('kalshi'),
    status: () => {
      throw new Error('secret detail')
    }
  })
  const response = await app.inject('/v1/readyz')
  t.equal(response.statusCode, 500)
  t.match(response.json(), { statusCode: 500, code: 'INTERNAL_ERROR', error: 'Internal Server Error' })
  t.notMatch(response.body, /secret/)
})

t.test('security headers', async (t) => {
  const app = await build(t, { CORS_ORIGINS: 'https://a.example, https://b.example' })
  const ask = (origin: string) => app.inject({ url: '/v1/markets', headers: { origin } })
  const allowed = await ask('https://b.example')
  t.equal(allowed.headers['access-control-allow-origin'], 'https://b.example')
  t.match(allowed.headers.vary, /Origin.*accept-encoding/)
  t.equal((await ask('https://c.example')).headers['access-control-allow-origin'], undefined)
  const preflight = await app.inject({
    method: 'OPTIONS',
    url: '/v1/markets',
    headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' }
  })
  t.equal(preflight.statusCode, 204)
  t.equal(preflight.headers['access-control-allow-methods'], 'GET, HEAD')

  const closed = await build(t)
  const response = await closed.inject({ url: '/v1/markets', headers: { origin: 'https://a.example' } })
  t.equal(response.headers['access-control-allow-origin'], undefined, 'no list, no origin')
  t.equal(response.headers['x-content-type-options'], 'nosniff')
  t.equal(response.headers['content-security-policy'], "default-src 'none';frame-ancestors 'none'")
})

t.test('documents carry all of the headers that browsers heed, data those that concern it', async (t) => {
  const app = await build(t)
  const pages = await Promise.all(['/docs/', '/docs/stream'].map((url) => app.inject({ url })))
  for (const { headers } of pages) {
    t.match(headers['content-security-policy'], /default-src 'self'/)
    t.equal(headers['x-frame-options'], 'SAMEORIGIN')
    t.equal(headers['referrer-policy'], 'no-referrer')
  }
  const asked = [
    ...DATA_ROUTES.map((url) => ({ url })),
    { url: '/nowhere' },
    { url: '/v1/markets?page=0' },
    { url: '/v1/markets', method: 'HEAD' },
    { url: '/v1/markets', method: 'POST' },
    { url: '/openapi.yaml' },
    { url: '/metrics' }
  ] as { url: string; method?: 'HEAD' | 'POST' }[]
  for (const one of asked) {
    const { headers } = await app.inject(one)
    t.equal(headers['content-security-policy'], "default-src 'none';frame-ancestors 'none'", one.url)
    t.equal(headers['cross-origin-resource-policy'], 'same-origin')
    t.equal(headers['x-content-type-options'], 'nosniff')
    t.equal(headers['referrer-policy'], undefined)
  }
})
