import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import t, { type Test } from 'tap'
import { lockDataDir } from '../../../services/history/storage/data-dir-lock.ts'
import { EmbeddedDatabase } from '../../../services/history/storage/embedded-database.ts'
import { judgeFailure } from '../../../services/history/storage/failures.ts'
import { migrate } from '../../../services/history/storage/migrations.ts'
import { openHistory } from '../../../services/history/storage/open-history.ts'
import { openPglite } from '../../../services/history/storage/pglite-engine.ts'
import { openPostgres } from '../../../services/history/storage/postgres-engine.ts'
import { openSqlPool } from '../../../services/history/storage/sql-pool.ts'
import { type Engine, onEachEngine } from '../../engines.ts'
import { gapRow } from '../../fake-history.ts'

const log = { info() {}, warn() {} }
const START = Date.UTC(2026, 0, 5, 12)
const RANGE = { fromMs: START, toMs: START + 1_000_000 }
const source = (file: string) => new URL(`../../../services/history/storage/${file}`, import.meta.url).href

/** Writes one trade after another and prints the number of each that was acknowledged. */
const WRITER = `
  import { openHistory } from ${JSON.stringify(source('open-history.ts'))}
  const log = { info() {}, warn() {} }
  const store = await openHistory({ databaseUrl: '', dataDir: process.argv[1], log })
  for (let i = 0; ; i++) {
    await store.writeTrades([{ marketId: 'kalshi:A', tradeId: String(i), venueTimeMs: null,
      atMs: ${START} + i, receivedAtMs: ${START} + i, price: 1, size: 1, takerSide: null }])
    process.stdout.write(i + '\\n')
  }`

/** Calls until it no longer throws, and returns what it returned. */
async function eventually<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch {
      await sleep(20)
    }
  }
}

async function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

t.test('the embedded database', async (t) => {
  const dataDir = t.testdir({})

  t.test('is refused to a second process, and outlives a kill with every acknowledged row', async (t) => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', WRITER, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH }
    })
    t.teardown(() => child.kill('SIGKILL'))
    const ended = once(child, 'exit')
    let acknowledged = -1
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line)
      if (acknowledged === 20)
        await t.rejects(openHistory({ databaseUrl: '', dataDir, log }), {
          code: 'CONFIG_INVALID',
          message: new RegExp(`in use by process ${child.pid}`)
        })
      if (acknowledged === 200) child.kill('SIGKILL')
    }
    await ended
    t.ok(acknowledged >= 200)
    t.equal(ownerOf(dataDir), child.pid, 'it left its pid file behind')

    const store = await openHistory({ databaseUrl: '', dataDir, log })
    t.equal(ownerOf(dataDir), process.pid, 'taken over from the dead')
    const page = await store.trades({ marketId: 'kalshi:A', ...RANGE, limit: 100_000, cursor: null })
    t.same(
      page.rows.slice(0, acknowledged + 1).map(({ tradeId }) => Number(tradeId)),
      Array.from({ length: acknowledged + 1 }, (_, i) => i)
    )
    await t.rejects(openHistory({ databaseUrl: '', dataDir, log }), { code: 'CONFIG_INVALID' })
    await store.close()
    t.equal(existsSync(join(dataDir, 'database.pid')), false)
  })

  t.test('comes back at the same address when its worker dies, and refuses an older Crossbook', async (t) => {
    const embedded = await EmbeddedDatabase.start(join(dataDir, 'database'), log)
    t.teardown(() => embedded.stop())
    const pool = openSqlPool({
      connection: { ...embedded.address, user: 'postgres', database: 'postgres' },
      maxConnections: 1,
      connectLimitMs: 1_000,
      statementLimitMs: 500,
      idleLimitMs: 0,
      onStuck: () => embedded.restart('test')
    })
    t.teardown(() => pool.end())
    const count = () => sql<{ count: number }>`select count(*) from trades`.execute(pool.db)
    const before = await count()
    await t.rejects(
      sql`select count(*) from generate_series(1, 1000000000)`.execute(pool.db),
      { code: 'HISTORY_UNAVAILABLE', message: /took too long/ },
      'a statement that hangs'
    )
    t.strictSame((await eventually(count)).rows, before.rows)

    await sql`insert into kysely_migration values ('9999_later', '2999-01-01')`.execute(pool.db)
    await t.rejects(migrate(pool.db, false), {
      code: 'CONFIG_INVALID',
      message: /newer Crossbook \(9999_later\)/
    })
    await pool.end()
    await embedded.stop()
    t.equal(existsSync(embedded.address.host), false, 'the folder of the socket is gone')
    await t.rejects(openHistory({ databaseUrl: '', dataDir, log }), { code: 'CONFIG_INVALID' })
    t.equal(existsSync(join(dataDir, 'database.pid')), false, 'a refused start holds nothing')
  })

  t.test('says which folder it cannot open, and what to do', async (t) => {
    const broken = t.testdir({ database: { PG_VERSION: '9.6\n' } })
    await t.rejects(openHistory({ databaseUrl: '', dataDir: broken, log }), {
      code: 'CONFIG_INVALID',
      message:
        /^the database in \S+\/database cannot be opened, it may be damaged \([^\n]*[^.\n]\): move it away, [^\n]+$/
    })
    t.equal(existsSync(join(broken, 'database.pid')), false)
    const inTheWay = t.testdir({ database: 'a file' })
    await t.rejects(openHistory({ databaseUrl: '', dataDir: inTheWay, log }), {
      message: /^the database in \S+ cannot be opened: EEXIST/
    })
  })
})

t.test('the lock of a data folder', async (t) => {
  t.test('creates the folder, and gives it back once', async (t) => {
    const dataDir = join(t.testdir({}), 'a', 'b')
    const unlock = lockDataDir(dataDir)
    t.equal(ownerOf(dataDir), process.pid)
    t.throws(() => lockDataDir(dataDir), { code: 'CONFIG_INVALID', message: /in use by process/ })
    unlock()
    unlock()
    t.same(readdirSync(dataDir), [])
    lockDataDir(dataDir)()
  })

  t.test('is taken over from the dead only', async (t) => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    t.teardown(() => child.kill('SIGKILL'))
    await once(child, 'spawn')
    const dataDir = t.testdir({})
    const claim = (owner: unknown) => writeFileSync(join(dataDir, 'database.pid'), JSON.stringify(owner))
    claim({ pid: child.pid, startedAt: null })
    t.throws(() => lockDataDir(dataDir), { message: new RegExp(`process ${child.pid}`) })
    t.same(readdirSync(dataDir), ['database.pid'])

    claim({ pid: child.pid, startedAt: 'long before' })
    if (existsSync('/proc/self/stat')) lockDataDir(dataDir)()
    claim({ pid: process.pid, startedAt: null })
    lockDataDir(dataDir)()
    claim({ pid: 'none' })
    lockDataDir(dataDir)()
    writeFileSync(join(dataDir, 'database.pid'), '')
    lockDataDir(dataDir)()

    await endOf(child, 'SIGKILL')
    claim({ pid: child.pid, startedAt: null })
    lockDataDir(dataDir)()
    t.same(readdirSync(dataDir), [])
  })

  t.test('says that a folder cannot be written', async (t) => {
    const dataDir = t.testdir({ file: '' })
    t.throws(() => lockDataDir(join(dataDir, 'file')), {
      code: 'CONFIG_INVALID',
      message: /cannot be written/
    })
    if (process.getuid?.() === 0) return
    chmodSync(dataDir, 0o500)
    t.throws(() => lockDataDir(dataDir), { code: 'CONFIG_INVALID', message: /EACCES/ })
  })
})

t.test('a failure of the driver', async (t) => {
  const failure = (code: string) => Object.assign(new pg.DatabaseError('words', 0, 'error'), { code })
  const away = { error: { code: 'HISTORY_UNAVAILABLE' } }
  t.match(judgeFailure(failure('57P01')), { ...away, connectionLost: true, stuck: false })
  t.match(judgeFailure(failure('57014')), { ...away, connectionLost: false, stuck: false })
  t.match(judgeFailure(new Error('Query read timeout')), { ...away, connectionLost: true, stuck: true })
  t.match(judgeFailure(new Error('timeout exceeded when trying to connect')), away)
  t.match(judgeFailure(Object.assign(new Error(), { code: 'ECONNREFUSED' })).error, {
    message: /ECONNREFUSED/
  })
  const ours = [failure('23505'), new TypeError('x')]
  for (const error of ours) t.strictSame(judgeFailure(error), { error, connectionLost: false, stuck: false })
})

t.test('a DATABASE_URL that cannot be used', async (t) => {
  const secret = 'pass-word'
  const open = (databaseUrl: string) => openHistory({ databaseUrl, dataDir: '', log })
  const failed = async (url: string) => {
    const error = await open(url).then(
      () => t.fail('opened'),
      (thrown: Error) => thrown
    )
    t.notMatch(JSON.stringify([String(error), Object.entries(error)]), secret)
    return error
  }
  for (const url of [
    `mysql://u:${secret}@h/d`,
    `postgres://u:${secret}@h:port/d`,
    `postgres://u:${secret}@[/d`
  ])
    t.match(await failed(url), { code: 'CONFIG_INVALID' })

  const silent = createServer((socket) => socket.destroy())
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  t.match(await failed(`postgres://u:${secret}@127.0.0.1:${port}/d`), { code: 'HISTORY_UNAVAILABLE' })
  silent.close()
  await once(silent, 'close')
  t.match(await failed(`postgres://u:${secret}@127.0.0.1:${port}/d`), { code: 'HISTORY_UNAVAILABLE' })
})

t.test('who only reads leaves the schema as it is', (t) => onEachEngine(t, readOnly))

async function readOnly(t: Test, { databaseUrl }: Engine): Promise<void> {
  const place = { databaseUrl, dataDir: t.testdir({}), log }
  const read = () => openHistory({ ...place, readsOnly: true })
  const record = () => openHistory(place)
  const ask = async (statement: string) => {
    const { db, close } = await (databaseUrl === ''
      ? openPglite(place.dataDir, log)
      : openPostgres(databaseUrl))
    const { rows } = await sql.raw(statement).execute(db)
    await close()
    return rows
  }
  const tables = () => ask(`select from pg_class where relnamespace = 'public'::regnamespace`)
  const refused = { code: 'CONFIG_INVALID', message: /start the gateway of this version on it once$/ }
  await t.rejects(read(), refused, 'an empty database')
  t.strictSame(await tables(), [])
  await (await record()).close()
  await ask('alter table gaps drop column decided_at_ms')
  await ask(`delete from kysely_migration where name = '0004_gaps_decided_at'`)
  const before = (await tables()).length
  await t.rejects(read(), refused, 'one of an older version')
  t.equal((await tables()).length, before)
  await (await record()).close()
  const store = await read()
  t.strictSame(await store.sessions(RANGE), [])
  await store.close()
  await ask(`insert into kysely_migration values ('9999_later', '2999-01-01')`)
  await t.rejects(read(), { code: 'CONFIG_INVALID', message: /newer Crossbook \(9999_later\)/ })
}

const server = process.env.TEST_DATABASE_URL ?? ''
t.test('PostgreSQL', { skip: server === '' && 'TEST_DATABASE_URL is not set' }, async (t) => {
  const name = `crossbook_test_${randomUUID().replaceAll('-', '')}`
  const admin = new pg.Client(server)
  await admin.connect()
  await admin.query(`create database ${name}`)
  t.teardown(async () => {
    await admin.query(`drop database ${name} with (force)`)
    await admin.end()
  })
  const url = new URL(server)
  url.pathname = name
  const open = () => openHistory({ databaseUrl: url.href, dataDir: '', log })
  const terminate = () =>
    admin.query(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${name}'`)

  t.test('answers again after its connections were cut', async (t) => {
    const store = await open()
    t.teardown(() => store.close())
    await store.ping()
    await terminate()
    await eventually(() => store.ping())
    const calls = Array.from({ length: 8 }, () => store.sessions(RANGE))
    t.equal((await Promise.all(calls)).length, 8)
  })

  t.test('says that it is away while it takes no connections, and then goes on', async (t) => {
    const store = await open()
    t.teardown(() => store.close())
    const row = { sessionId: 'a', startedAtMs: START, heartbeatAtMs: START, endedAtMs: null }
    await store.writeSession(row)
    await terminate()
    await admin.query(`alter database ${name} rename to ${name}_away`)
    await t.rejects(
      eventuallyRejects(() => store.writeSession(row)),
      { code: 'HISTORY_UNAVAILABLE' }
    )
    await t.rejects(store.prune({ deleteBeforeMs: 0, thinBeforeMs: 0 }), { code: 'HISTORY_UNAVAILABLE' })
    await t.rejects(open(), { code: 'CONFIG_INVALID', message: /refused by the server/ })
    await admin.query(`alter database ${name}_away rename to ${name}`)
    await eventually(() => store.writeSession(row))
    t.strictSame(await store.sessions(RANGE), [row])
  })

  t.test('is opened by two at once, whose migrations do not collide', async (t) => {
    const stores = await Promise.all([open(), open(), open()])
    const snapshotOf = (i: number) => ({
      marketId: `kalshi:${i}`,
      tradeId: null,
      venueTimeMs: null,
      atMs: START + i * 86_400_000,
      receivedAtMs: START + i * 86_400_000,
      price: 1,
      size: 1,
      takerSide: null
    })
    const rows = Array.from({ length: 10 }, (_, i) => snapshotOf(i))
    await Promise.all(stores.map((store) => store.writeTrades(rows)))
    // One drops the days that another believes to be there.
    await stores[0]?.prune({ deleteBeforeMs: START + 100 * 86_400_000, thinBeforeMs: 0 })
    await stores[1]?.writeTrades(rows)
    t.equal(
      (await stores[2]?.trades({ marketId: 'kalshi:3', ...RANGE, toMs: 1e14, limit: 5, cursor: null }))?.rows
        .length,
      1
    )
    await Promise.all(stores.map((store) => store.close()))
  })

  t.test('brings a database of the first version forward, with its trades and gaps', async (t) => {
    const row = { tradeId: 'old', venueTimeMs: null, price: 1, size: 1, takerSide: null }
    const old = { ...row, marketId: 'kalshi:OLD', atMs: START, receivedAtMs: START }
    const before = await open()
    await before.writeTrades([old])
    await before.writeGaps([gapRow('old', START)])
    await before.close()
    const client = new pg.Client(url.href)
    await client.connect()
    await client.query('alter table trades drop column heard_at_ms')
    await client.query('drop table venue_candles')
    await client.query('alter table gaps drop column decided_at_ms')
    await client.query(`delete from kysely_migration where name > '0001_first'`)
    await client.end()
    const store = await open()
    const again = { ...old, tradeId: 'again', atMs: START + 1, receivedAtMs: START + 9 }
    await store.writeTrades([again])
    const page = { marketId: 'kalshi:OLD', ...RANGE, limit: 5, cursor: null }
    t.strictSame((await store.trades(page)).rows, [old, again])
    const gaps = { marketId: null, ...RANGE, limit: 5 }
    t.strictSame(await store.gaps(gaps), [gapRow('old', START, { decidedAtMs: null })])
    await store.close()
  })

  t.test('refuses a database that a newer Crossbook changed', async (t) => {
    const client = new pg.Client(url.href)
    await client.connect()
    await client.query(`insert into kysely_migration values ('9999_later', '2999-01-01')`)
    await client.end()
    await t.rejects(open(), { code: 'CONFIG_INVALID', message: /newer Crossbook \(9999_later\)/ })
  })
})

async function eventuallyRejects(call: () => Promise<unknown>): Promise<never> {
  for (;;) await call()
}

function ownerOf(dataDir: string): number {
  return (JSON.parse(readFileSync(join(dataDir, 'database.pid'), 'utf8')) as { pid: number }).pid
}
