import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import type { FastifyInstance } from 'fastify'
import openapiTS, { astToString } from 'openapi-typescript'
import { chromium } from 'playwright-core'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import type { FeedStatus, VenueFeed } from '../services/venue/port.ts'
import { bookRow, coverageRow, gapRow, snapshotRow, tradeRow, withHistory } from './fake-history.ts'
import { build, market, serve } from './helper.ts'

interface Operation {
  operationId: string
  summary: string
  description: string
  tags: string[]
  parameters?: { name: string; description?: string }[]
  responses: Record<string, { content?: Record<string, { schema: object; example?: unknown }> }>
}

interface Specification {
  paths: Record<string, Record<'get' | 'post', Operation>>
  components: { schemas: Record<string, { examples?: unknown[]; properties?: Record<string, object> }> }
}

const FILE = fileURLToPath(new URL('../openapi.yaml', import.meta.url))
const text = readFileSync(FILE, 'utf8')
const specification: Specification = parse(text)
const operations = Object.entries(specification.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation }))
)

const ajv = new Ajv2020({ strict: false, allErrors: true })
ajvFormats.default(ajv)
ajv.addSchema(specification, 'openapi')
const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1')
const pointer = (...keys: string[]) =>
  `openapi#/${keys.map((key) => encodeURIComponent(escaped(key))).join('/')}`

/** Fails with what does not match. */
function matches(t: Test, $ref: string, value: unknown, name: string): void {
  const validate = ajv.compile({ $ref })
  t.ok(validate(value), `${name}: ${ajv.errorsText(validate.errors)}`)
}

const unsynced: VenueFeed = {
  venue: 'kalshi',
  start: () => {},
  stop: async () => {},
  status: () => ({ ...({} as FeedStatus), synced: false, connections: [] }),
  auditAgeMs: () => null,
  fetchTrades: async () => null,
  fetchCandles: async () => null,
  followed: () => null,
  reselect: () => {},
  recycle: () => Promise.reject(new Error('there is nothing to renew'))
}

const RECORDED_MS = Date.UTC(2025, 10, 20, 12)

async function served(t: Test): Promise<FastifyInstance> {
  const app = await build(t)
  const { store, books } = withHistory(app)
  const { id } = market(1)
  await store.writeSnapshots([snapshotRow(id, RECORDED_MS)])
  await store.writeTrades([tradeRow(id, RECORDED_MS)])
  await store.writeGaps([gapRow('1', RECORDED_MS)])
  await store.writeCoverage([coverageRow(id, RECORDED_MS, null)])
  const hole = { fromMs: RECORDED_MS, toMs: null, reason: 'journal_hole' }
  books.push(bookRow(id, RECORDED_MS), bookRow(id, RECORDED_MS + 1, { proven: false, hole }))
  for (let n = 0; n < 12; n++) serve(app.snapshotStore, market(n))
  serve(
    app.snapshotStore,
    market(20, {
      venue: 'polymarket',
      eventId: null,
      tokens: { yes: '1', no: '2' },
      volume: null,
      openTime: null
    })
  )
  app.snapshotStore.put(market(21, { status: 'settled', result: 'yes' }), '')
  return app
}

t.test('openapi.yaml is what the routes say', async (t) => {
  const app = await build(t)
  await app.ready()
  t.ok(app.openapiYaml() === text, 'else run npm run openapi')
  t.equal((await app.inject('/openapi.yaml')).body, text)
  t.same((await app.inject('/openapi.json')).json(), specification)
})

t.test('every operation has a name, words, an example, and a schema for each answer', async (t) => {
  t.same(operations.map(({ operationId }) => operationId).sort(), [
    'getBookAt',
    'getCoverage',
    'getEvent',
    'getGaps',
    'getHealth',
    'getLatestSnapshot',
    'getLiveness',
    'getMarket',
    'getReadiness',
    'getRecycler',
    'getSchedule',
    'listCandles',
    'listEvents',
    'listMarketIndex',
    'listMarkets',
    'listSnapshots',
    'listTrades',
    'startRecyclerRun',
    'streamMarkets'
  ])
  for (const operation of operations) {
    const { path, method, operationId, summary, description, tags, parameters = [], responses } = operation
    t.ok(summary && description && tags.length === 1, `${operationId} is described`)
    for (const { name, description } of parameters) t.ok(description, `${operationId}: ${name} is described`)
    for (const [status, { content }] of Object.entries(responses)) {
      if (status === '304') t.equal(content, undefined)
      else
        for (const [type, media] of Object.entries(content ?? { none: { schema: {} } })) {
          const name = `${operationId} ${status} ${type}`
          t.not(type, 'none', name)
          const ref = (media.schema as { $ref?: string }).$ref
          const component =
            ref === undefined ? undefined : specification.components.schemas[ref.split('/').at(-1) ?? '']
          const example =
            media.example ?? (component ?? (media.schema as { examples?: unknown[] })).examples?.[0]
          t.ok(example, `${name} has an example`)
          matches(
            t,
            pointer('paths', path, method, 'responses', status, 'content', type, 'schema'),
            example,
            `${name}: the example`
          )
        }
    }
  }
  for (const [name, { examples = [] }] of Object.entries(specification.components.schemas)) {
    t.notMatch(name, /^def-/)
    for (const example of examples)
      matches(t, pointer('components', 'schemas', name), example, `the example of ${name}`)
  }
})

t.test('every answer of every route matches openapi.yaml', async (t) => {
  const app = await served(t)
  const starting = await build(t)
  starting.venueFeeds.push(unsynced)
  const { id } = market(1)
  const held = async (url: string) => ({ 'if-none-match': (await app.inject(url)).headers.etag })
  const asked = new Set<string>()

  const check = async (
    path: string,
    url: string,
    status: number,
    from = app,
    headers = {},
    method: 'get' | 'post' = 'get'
  ) => {
    const response = await from.inject({ method, url, headers })
    const name = `${url} ${status}`
    t.equal(response.statusCode, status, name)
    asked.add(`${path} ${status}`)
    if (status === 304) return
    const type = String(response.headers['content-type']).split(';', 1)[0] as string
    const schema = pointer('paths', path, method, 'responses', String(status), 'content', type, 'schema')
    if (type !== 'application/x-ndjson') return matches(t, schema, response.json(), name)
    matches(t, schema, response.body, name)
    for (const line of response.body.split('\n').slice(0, -1)) {
      matches(t, pointer('components', 'schemas', 'MarketAggregate'), JSON.parse(line), name)
    }
  }

  const good: [path: string, ...urls: string[]][] = [
    ['/v1/livez', '/v1/livez'],
    ['/v1/readyz', '/v1/readyz'],
    ['/v1/healthz', '/v1/healthz'],
    ['/v1/markets/index', '/v1/markets/index'],
    [
      '/v1/markets',
      '/v1/markets',
      '/v1/markets?depth=0',
      '/v1/markets?depth=100&sort=-volume&page=2&pageSize=3'
    ],
    ['/v1/markets.ndjson', '/v1/markets.ndjson', '/v1/markets.ndjson?depth=2&state=live'],
    [
      '/v1/markets/{id}',
      `/v1/markets/${id}`,
      `/v1/markets/${market(20).id}`,
      `/v1/markets/${market(21).id}?depth=1`
    ],
    ['/v1/markets/{id}/latest', `/v1/markets/${id}/latest`],
    ...['snapshots', 'trades', 'gaps', 'coverage', 'candles'].map((path): [string, string, string] => [
      `/v1/markets/{id}/${path}`,
      `/v1/markets/${id}/${path}?from=${RECORDED_MS}&to=${RECORDED_MS + 3_600_000}`,
      `/v1/markets/${id}/${path}`
    ]),
    [
      '/v1/markets/{id}/book',
      `/v1/markets/${id}/book?asOf=${RECORDED_MS}`,
      `/v1/markets/${id}/book?asOf=${RECORDED_MS + 1}&allowDegraded=true`
    ],
    ['/v1/events', '/v1/events'],
    ['/v1/events/{id}', '/v1/events/kalshi:KXTEST-EVENT-1'],
    ['/v1/schedule', '/v1/schedule', '/v1/schedule?venue=polymarket'],
    ['/v1/recycler', '/v1/recycler']
  ]
  for (const [path, ...urls] of good) {
    for (const url of urls) await check(path, url, 200)
    const [first] = urls as [string]
    const { responses } = operations.find((operation) => operation.path === path) as Operation
    if (responses[304]) await check(path, first, 304, app, await held(first))
    if (responses[400]) await check(path, `${first}${first.includes('?') ? '&' : '?'}nonsense=1`, 400)
    if (responses[404]) await check(path, first.replace(/kalshi:[^/?]+/, 'kalshi:NOPE'), 404)
    if (responses[503]) await check(path, first, 503, starting)
  }
  await check('/v1/markets/{id}/book', `/v1/markets/${id}/book?asOf=${RECORDED_MS + 1}`, 409)
  const runs = '/v1/recycler/runs'
  const withKey = (key: string) => ({ authorization: `Bearer ${key}` })
  const operated = await build(t, { OPERATOR_API_KEY: 'k'.repeat(16) })
  await check(runs, runs, 403, app, withKey('k'.repeat(16)), 'post')
  await check(runs, runs, 401, operated, withKey('wrong'), 'post')
  await check(runs, `${runs}?nonsense=1`, 400, operated, withKey('k'.repeat(16)), 'post')
  let release = () => {}
  operated.venueFeeds.push({
    ...unsynced,
    status: () => ({ ...unsynced.status(), synced: true }),
    recycle: () =>
      new Promise((resolve) => {
        release = () =>
          resolve({ connections: [], before: new Map(), after: new Map(), discoveryError: 'no answer' })
      })
  })
  await check(runs, runs, 202, operated, withKey('k'.repeat(16)), 'post')
  await check(runs, runs, 409, operated, withKey('k'.repeat(16)), 'post')
  await check('/v1/recycler', '/v1/recycler', 200, operated)
  release()
  while (operated.recycler.status().running !== null) await new Promise(setImmediate)
  await check('/v1/recycler', '/v1/recycler', 200, operated)

  const declared = operations.flatMap(({ path, responses }) =>
    Object.keys(responses).map((status) => `${path} ${status}`)
  )
  t.same(
    declared.filter((one) => !asked.has(one) && !one.endsWith(' 500')),
    [],
    'every declared answer was asked for'
  )
})

t.test(
  'a typed client that is generated from openapi.yaml compiles, and refuses what is wrong',
  async (t) => {
    const types = astToString(await openapiTS(text))
    const folder = t.testdir({
      'api.ts': types,
      'right.ts': `
      import createClient from 'openapi-fetch'
      import type { components, paths } from './api.ts'
      const client = createClient<paths>({ baseUrl: 'http://127.0.0.1:3000' })
      const { data, error } = await client.GET('/v1/markets', { params: { query: { page: 1, depth: 5, venue: 'kalshi' } } })
      const total: number | undefined = data?.total
      const bid: string | null | undefined = data?.items[0]?.quotes.yes.bestBid
      const state: components['schemas']['Verdict']['state'] | undefined = data?.items[0]?.verdict.state
      const code: string | undefined = error?.code
      const one = await client.GET('/v1/markets/{id}', { params: { path: { id: 'kalshi:X' } } })
      const rules: string | undefined = one.data?.rules
      console.log(total, bid, state, code, rules)`,
      'wrong.ts': `
      import createClient from 'openapi-fetch'
      import type { paths } from './api.ts'
      const client = createClient<paths>({ baseUrl: 'http://127.0.0.1:3000' })
      await client.GET('/v1/markets', { params: { query: { venue: 'nyse' } } })`
    })
    const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
    const options =
      '--noEmit --strict --skipLibCheck --module nodenext --target es2023 --lib es2023,dom --types node'
    const compile = (file: string) =>
      spawnSync(
        process.execPath,
        [compiler, ...options.split(' '), '--allowImportingTsExtensions', `${folder}/${file}`],
        {
          encoding: 'utf8'
        }
      )
    const right = compile('right.ts')
    t.equal(right.status, 0, right.stdout)
    const wrong = compile('wrong.ts')
    t.match(wrong.stdout, /nyse/, 'a venue that there is none of')
  }
)

t.test(
  '/docs is a page whose scripts and styles are files of ours, as the security policy demands',
  async (t) => {
    const app = await build(t)
    const page = await app.inject('/docs')
    t.equal(page.statusCode, 200)
    const files = [...page.body.matchAll(/(?:src|href)="\.?\/?([^"]+)"/g)].map(([, file]) => file as string)
    t.ok(files.some((file) => file.includes('swagger-ui-bundle.js')))
    for (const file of files) {
      const path = file.startsWith('docs/') ? `/${file}` : `/docs/${file}`
      t.equal((await app.inject(path)).statusCode, 200, path)
    }
    t.notMatch(page.body, /<script(?![^>]*src=)[^>]*>\s*\S/, 'no script inline')
    t.equal((await app.inject('/docs/json')).json().info.title, 'Crossbook')
  }
)

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'

t.test(
  '/docs shows every operation in a browser',
  { skip: existsSync(CHROMIUM) ? false : `there is no Chromium at ${CHROMIUM}: set CHROMIUM_PATH` },
  async (t) => {
    const app = await served(t)
    const address = await app.listen({ port: 0, host: '127.0.0.1' })
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    t.teardown(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(`${address}/docs`)
    for (const { path } of operations) await page.locator(`[data-path="${path}"]`).waitFor()
    t.equal(await page.locator('.opblock').count(), operations.length)
    t.same(complaints, [], 'the content security policy lets all of it work')
  }
)
