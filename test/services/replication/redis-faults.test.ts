import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { freePort } from '../../../faults/process.ts'
import { readSettings } from '../../../services/settings.ts'
import { market, serve } from '../../helper.ts'
import { differences, startRole } from './apps.ts'
import { inspector, NO_REDIS_SERVER, OwnRedis, until } from './real-redis.ts'

t.setTimeout(120_000)

t.test(
  'a role that needs Redis does not start without REDIS_URL, and no sentence tells a password',
  async (t) => {
    for (const ROLE of ['ingest', 'api'])
      t.throws(() => readSettings({ ROLE }), {
        code: 'CONFIG_INVALID',
        message: `ROLE ${ROLE} needs REDIS_URL: set it, or leave ROLE out to run alone`
      })
    for (const REDIS_URL of ['redis://:hunter2@', 'http://:hunter2@127.0.0.1', 'redis://:hunter2@[::1'])
      t.throws(() => readSettings({ REDIS_URL }), { message: /^REDIS_URL (?!.*hunter2)/ })
    t.match(readSettings({}), { ROLE: 'all', REDIS_URL: '' })
  }
)

t.test('Redis gone at the start: who ingests goes on, a replica waits, and all heals', async (t) => {
  const port = await freePort()
  const REDIS_URL = `redis://127.0.0.1:${port}`
  const settings = { REDIS_URL, CLUSTER_NAME: 'gone' }
  const all = await startRole(t, 'all', settings)
  const ingest = await startRole(t, 'ingest', settings)
  const replica = await startRole(t, 'api', settings)
  for (const app of [all, ingest]) serve(app.snapshotStore, market(1))
  for (const app of [all, ingest, replica])
    await until(() => app.getHealth().replication?.redis.state === 'waiting', 'it says that nobody answers')
  const says = { redis: { state: 'waiting', lastError: 'nobody answers at REDIS_URL' } }
  t.match(all.getHealth(), { status: 'degraded', replication: says })
  t.match(ingest.getHealth(), { status: 'degraded', replication: says })
  t.match(replica.getHealth(), { status: 'starting', replication: says })
  t.equal((await all.inject('/v1/markets')).json().total, 1)
  t.equal((await all.inject('/v1/readyz')).statusCode, 200)
  for (const url of ['/v1/readyz', '/v1/markets'])
    t.match(await replica.inject(url), { statusCode: 503, headers: { 'retry-after': String } })

  await t.test('Redis comes, and is frozen for a while', { skip: NO_REDIS_SERVER }, async (t) => {
    const server = await OwnRedis.start(t, null, port)
    await until(async () => (await replica.inject('/v1/readyz')).statusCode === 200, 'the replica is ready')
    await until(async () => (await differences(ingest, replica)).length === 0, 'and has what is served')
    await until(() => all.getHealth().status === 'ok', 'all is well')

    t.comment('frozen for longer than a lease and the lag that is allowed')
    server.signal('SIGSTOP')
    const reason = () => replica.snapshotStore.books.verdicts.reason(0)
    await until(() => reason() === 'replica_lagging', 'the replica serves it as stale')
    t.match((await replica.inject('/v1/markets')).json(), {
      items: [{ verdict: { state: 'stale', reason: 'replica_lagging' }, quotes: { usable: false } }]
    })
    t.equal((await ingest.inject('/v1/markets')).json().items[0].verdict.state, 'live')
    server.signal('SIGCONT')
    await until(async () => (await differences(ingest, replica)).length === 0, 'it heals')
  })
})

t.test(
  'a password that Redis refuses is said in one sentence, and nowhere told',
  { skip: NO_REDIS_SERVER },
  async (t) => {
    const server = await OwnRedis.start(t, 'sesame')
    const wrong = `redis://:hunter2@127.0.0.1:${server.port}`
    for (const REDIS_URL of [wrong, `redis://127.0.0.1:${server.port}`]) {
      const app = await startRole(t, 'api', { REDIS_URL, CLUSTER_NAME: 'refused' })
      await until(() => app.getHealth().replication?.redis.state === 'refused', 'it says that it is refused')
      const { redis } = app.getHealth().replication ?? {}
      t.equal(redis?.lastError, 'Redis refused the user or the password of REDIS_URL')
      t.notMatch((await app.inject('/v1/healthz')).body, 'hunter2')
    }
    const right = await startRole(t, 'ingest', { REDIS_URL: server.url, CLUSTER_NAME: 'refused' })
    await until(() => right.getHealth().replication?.leases?.held === 8, 'with the right one it works')
  }
)

t.test(
  'a database that Redis does not have is said in one sentence, and no other one is used',
  { skip: NO_REDIS_SERVER },
  async (t) => {
    const server = await OwnRedis.start(t)
    const app = await startRole(t, 'ingest', { REDIS_URL: `${server.url}/99`, CLUSTER_NAME: 'database' })
    serve(app.snapshotStore, market(1))
    const health = () => app.getHealth().replication
    const states = new Set<string | undefined>()
    const watching = setInterval(() => states.add(health()?.redis.state), 1)
    t.teardown(() => clearInterval(watching))
    await until(() => health()?.redis.state === 'refused', 'it says that it is refused')
    const says = {
      state: 'refused',
      lastError: 'Redis has no database of the number in REDIS_URL',
      connects: 0
    }
    t.match(health()?.redis, says)
    const redis = inspector(t, server.url)
    const clients = async () =>
      String(await redis.client('LIST')).match(/name=crossbook-ingest/g)?.length ?? 0
    await until(async () => (await clients()) === 0, 'it is not connected')
    const refusals = async () =>
      Number(/cmdstat_select:.*failed_calls=(\d+)/.exec(await redis.info('commandstats'))?.[1])
    await until(async () => (await refusals()) >= 2, 'it asks again')
    t.match(health(), { redis: says, leases: { held: 0 } })
    t.notOk(states.has('ready'), 'it never was there')
    t.equal(await redis.dbsize(), 0)
  }
)

t.test('a slow Redis makes a replica late, and nothing else', { skip: NO_REDIS_SERVER }, async (t) => {
  const server = await OwnRedis.start(t)
  const delayMs = 150
  const slow = createServer({ noDelay: true }, (client) => {
    void import('node:net').then(({ connect }) => {
      const redis = connect({ port: server.port, host: '127.0.0.1', noDelay: true })
      client.on('data', (bytes) => setTimeout(() => redis.write(bytes), delayMs))
      redis.on('data', (bytes) => client.write(bytes))
      for (const [one, other] of [
        [client, redis],
        [redis, client]
      ] as const) {
        one.on('error', () => other.destroy())
        one.on('close', () => other.destroy())
      }
    })
  }).listen(0, '127.0.0.1')
  await once(slow, 'listening')
  t.teardown(() => slow.close())
  const { port } = slow.address() as { port: number }
  const settings = { REDIS_URL: `redis://127.0.0.1:${port}`, CLUSTER_NAME: 'slow', LEASE_MS: 4_000 }
  const ingest = await startRole(t, 'ingest', settings)
  const { snapshotStore: store } = ingest
  for (let n = 0; n < 100; n++) serve(store, market(n))
  const replica = await startRole(t, 'api', settings)
  let changes = 0
  const changing = setInterval(() => {
    for (const { slot } of store.records()) {
      store.books.arena.setLevel(slot, 0, 4_000, 1_000_000 * (1 + (changes++ % 7)))
      store.books.touch(slot)
    }
  }, 5)
  await until(() => replica.getHealth().replication?.replica?.filled === true, 'it was filled')
  const status = () => replica.getHealth().replication?.replica?.changes ?? 0
  const [changesBefore, toldBefore] = [changes, status()]
  await until(() => changes - changesBefore > 50_000, 'much has changed')
  clearInterval(changing)
  const [made, told] = [changes - changesBefore, status() - toldBefore]
  t.ok(told > 0 && told < made / 5, `${made} changes were conflated to ${told}`)
  await until(async () => (await differences(ingest, replica)).length === 0, 'it catches up')
  t.match(ingest.getHealth().replication, { writer: { fenced: 0, failures: 0 } })
})
