import { Readable } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import responseValidation from '../../plugins/response-validation.ts'
import type { Config } from '../../schemas/config.ts'
import { MessageRate } from '../../services/health/message-rate.ts'
import { ResponseChecker } from '../../services/health/response-checker.ts'
import { build, market, serve, testConfig } from '../helper.ts'

const Body = Type.Object({ n: Type.Integer() })

/** An app whose routes answer what their schemas do not say. */
async function faulty(t: Test, mode: Config['VALIDATE_RESPONSES']) {
  const logged: unknown[] = []
  const stream = { write: (line: string) => logged.push(JSON.parse(line)) }
  const app: FastifyInstance = Fastify({ logger: { level: 'error', stream } })
  t.teardown(() => app.close())
  await app.register(
    fp(async (inner) => void inner.decorate('config', testConfig({ VALIDATE_RESPONSES: mode })), {
      name: 'config'
    })
  )
  await app.register(responseValidation)
  const schema = (operationId: string) => ({ operationId, response: { 200: Body } })
  const raw =
    (text: string | Buffer | (() => Readable)) =>
    (_request: unknown, reply: { type(type: string): { send(payload: unknown): unknown } }) =>
      void reply.type('application/json').send(typeof text === 'function' ? text() : text)
  app.get('/good', { schema: schema('good') }, raw('{"n":1}'))
  app.get('/wrong', { schema: schema('wrong') }, raw('{"n":"x"}'))
  app.get('/bytes', { schema: schema('bytes') }, raw(Buffer.from('{"n":null}')))
  app.get('/broken', { schema: schema('broken') }, raw('{"n":'))
  app.get(
    '/stream',
    { schema: schema('stream') },
    raw(() => Readable.from([Buffer.from('{"n"'), Buffer.from(':1.5}')]))
  )
  app.get(
    '/lines',
    { schema: schema('lines'), config: { lineSchema: Body } },
    raw(() => Readable.from(['{"n":1}\n{"n', '":"é"}\n{"n":2}\n']))
  )
  app.get(
    '/undeclared',
    { schema: schema('undeclared') },
    (_request, reply: FastifyReply) => void reply.code(418).type('application/json').send('{}')
  )
  return { app, logged, health: () => app.responseChecker.health() }
}

t.test(
  'all: every answer is checked, failures counted by route, the first of a kind logged, all sent',
  async (t) => {
    const { app, logged, health } = await faulty(t, 'all')
    t.equal((await app.inject('/good')).body, '{"n":1}')
    for (let n = 0; n < 3; n++) t.equal((await app.inject('/wrong')).body, '{"n":"x"}')
    t.equal((await app.inject('/bytes')).body, '{"n":null}')
    t.equal((await app.inject('/broken')).body, '{"n":')
    t.equal((await app.inject('/stream')).body, '{"n":1.5}')
    t.equal((await app.inject('/lines')).body, '{"n":1}\n{"n":"é"}\n{"n":2}\n')
    t.equal((await app.inject('/undeclared')).statusCode, 418)
    t.match(health(), {
      mode: 'all',
      failed: 8,
      failuresByRoute: { wrong: 3, bytes: 1, broken: 1, stream: 1, lines: 1, undeclared: 1 }
    })
    t.notOk('good' in health().failuresByRoute)
    t.equal(logged.length, 6)
    t.match(logged[0], { route: 'wrong', kind: /\/n/ })
  }
)

t.test('sample: the first answer of each route', async (t) => {
  const { app, health } = await faulty(t, 'sample')
  for (let n = 0; n < 10; n++) await app.inject('/wrong')
  await app.inject('/bytes')
  t.match(health(), { mode: 'sample', checked: 2, failuresByRoute: { wrong: 1, bytes: 1 } })
})

t.test('sample: then one of a thousand, and no more than one a second', async (t) => {
  let nowMs = 5
  const checker = new ResponseChecker(
    'sample',
    {},
    () => {},
    () => nowMs
  )
  const route = { name: 'hot', bodies: new Map(), line: null }
  const due = (answers: number) => {
    let count = 0
    for (let n = 0; n < answers; n++) if (checker.isDue(route)) count++
    return count
  }
  t.equal(due(1), 1)
  t.equal(due(5_000), 0, 'within the same second')
  nowMs += 1_000
  t.equal(due(999), 0)
  t.equal(due(1), 1)
  t.equal(due(3_000), 0)
  nowMs += 60_000
  t.equal(due(3_000), 1)
})

t.test('off: none', async (t) => {
  const { app, health } = await faulty(t, 'off')
  await app.inject('/wrong')
  t.match(health(), { mode: 'off', checked: 0, failed: 0 })
})

t.test('hot pages are checked as they go out, plain and compressed', async (t) => {
  const app = await build(t)
  const record = serve(app.snapshotStore, market(1))
  await app.inject('/v1/markets')
  await app.inject({ url: '/v1/markets', headers: { 'accept-encoding': 'gzip' } })
  t.match(app.responseChecker.health(), { checked: 2, failed: 0 })
  record.market = { ...record.market, volume: '1.50' }
  record.metaVersion++
  app.snapshotStore.books.touch(record.slot)
  await app.inject('/v1/markets')
  await app.inject({ url: '/v1/markets', headers: { 'accept-encoding': 'gzip' } })
  t.same(app.responseChecker.health().failuresByRoute, { listMarkets: 2 }, 'a text that is not canonical')
  Reflect.get(app.responseChecker, 'failures').clear()
})

t.test('the message rate is that of the last minute', async (t) => {
  const rate = new MessageRate()
  t.equal(rate.perSecond(0, 0), 0, 'unknown before time has passed')
  let total = 0
  for (let now = 0; now <= 300_000; now += 5_000) {
    rate.sample(now, total)
    total += now < 200_000 ? 50_000 : 500
  }
  t.equal(rate.perSecond(305_000, total), 100)
  const young = new MessageRate()
  young.sample(0, 100)
  t.equal(young.perSecond(2_000, 150), 25)
})
