import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { RecyclerRun } from '../../../schemas/recycler.ts'
import { History, type HistoryOptions } from '../../../services/history/history.ts'
import { pruneJournal } from '../../../services/history/journal/prune.ts'
import { JournalReader } from '../../../services/history/journal/reader.ts'
import { JournalWriter } from '../../../services/history/journal/writer.ts'
import { Opening } from '../../../services/history/opening.ts'
import { openHistory } from '../../../services/history/storage/open-history.ts'
import { openPglite } from '../../../services/history/storage/pglite-engine.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { type Engine, onEachEngine } from '../../engines.ts'
import { coverageRow, gapRow, snapshotRow } from '../../fake-history.ts'
import { market, serve, testConfig } from '../../helper.ts'

const log = { info() {}, warn() {}, error() {} }
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const ID = 'kalshi:A'
const AT = Date.UTC(2026, 0, 5, 12)
const NOWHERE = 'postgres://nobody@127.0.0.1:1/none'

function newHistory(dataDir: string, databaseUrl = '', options: Partial<HistoryOptions> = {}): History {
  return new History({
    store: new SnapshotStore({ capacityMarkets: 8, capacityLevels: 64 }),
    settings: testConfig({ DATA_DIR: dataDir, DATABASE_URL: databaseUrl }),
    venues: ['kalshi'],
    fetchTrades: async () => null,
    fetchCandles: async () => null,
    followed: () => null,
    log,
    ...options
  })
}

/** A folder that is removed once all is stopped that runs in it: tap removes its own before later handlers. */
function folderOf(t: Test): { dataDir: string; runs: (history: History) => void } {
  const running: History[] = []
  t.teardown(() => Promise.all(running.map((history) => history.stop())))
  return { dataDir: t.testdir(), runs: (history) => running.push(history) }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

const pidFile = (dataDir: string) => join(dataDir, 'database.pid')
const ownerOf = (dataDir: string): unknown => JSON.parse(readFileSync(pidFile(dataDir), 'utf8')).pid

t.test('a database that is away is waited for, and not for ever', async (t) => {
  let steadyMs = 1_000
  const history = newHistory(t.testdir(), NOWHERE, { steadyNow: () => steadyMs })
  t.equal(history.isReady, false, 'before the start')
  await history.start()
  await until(() => /ECONNREFUSED/.test(history.status().openError ?? ''))
  t.throws(() => history.store, { code: 'HISTORY_UNAVAILABLE', message: /ECONNREFUSED/ })
  steadyMs += 29_999
  t.equal(history.isReady, false)
  steadyMs += 1
  t.equal(history.isReady, true, 'books need no database')
  t.match(history.status(), { engine: null })
  await history.stop()
})

t.test('a database that opens makes ready, and holds the runs of the recycler', async (t) => {
  const dataDir = t.testdir()
  const history = newHistory(dataDir)
  await history.start()
  t.equal(history.isReady, false)
  await until(() => history.isReady)
  t.match(history.status(), { engine: 'pglite', openError: null })
  await until(() => history.status().recorder.state === 'well')
  const run: RecyclerRun = {
    id: 1,
    trigger: 'operator',
    startedAt: '2026-11-20T12:00:00.000Z',
    endedAt: '2026-11-20T12:00:07.250Z',
    durationMs: 7_250,
    outcome: 'completed',
    venues: []
  }
  history.recyclerRun(run)
  history.recyclerRun({ ...run, id: 2, outcome: 'partial' })
  await history.flush()
  await history.stop()
  t.notOk(existsSync(pidFile(dataDir)))
  const { db, close } = await openPglite(dataDir, log)
  t.teardown(close)
  const rows = await db.selectFrom('recycler_runs').selectAll().orderBy('run_id').execute()
  t.match(rows, [
    { started_at_ms: Date.parse(run.startedAt), ended_at_ms: Date.parse(run.endedAt), report: run },
    { report: { id: 2, outcome: 'partial' } }
  ])
  t.equal(new Set(rows.map(({ run_id }) => run_id)).size, 2)
  t.match(rows[0]?.run_id, /^[0-9a-f-]{36}:1$/, 'of one run of the gateway')
})

t.test('a stop tells of lost rows only where rows were lost', async (t) => {
  const told: [level: string, detail: object][] = []
  const note = (level: string) => (detail: object) => told.push([level, detail])
  const log = { info: note('info'), warn: note('warn'), error: () => {} }
  const trade = (history: History) =>
    history.taps.onTrade({
      marketId: 'kalshi:A',
      tradeId: '1',
      venueTimeMs: 1,
      receivedAtMs: 1,
      price: 5_000,
      size: 1_000_000,
      takerSide: 'yes'
    })

  t.test('not where nothing was recorded', async (t) => {
    await newHistory(t.testdir(), '', { log }).stop()
    t.strictSame(told.splice(0), [])
  })

  t.test('not as a warning where the run ends before its database is open', async (t) => {
    const history = newHistory(t.testdir(), '', { log })
    await history.start()
    trade(history)
    await history.stop()
    t.strictSame(told.splice(0), [['info', { rows: 1 }]])
  })

  t.test('with their number where the database could not be opened', async (t) => {
    const history = newHistory(t.testdir(), NOWHERE, { log })
    await history.start()
    trade(history)
    await until(() => /ECONNREFUSED/.test(history.status().openError ?? ''))
    await history.stop()
    t.strictSame(told.splice(0), [['warn', { rows: 1 }]])
  })
})

t.test('coverage of a range', (t) => onEachEngine(t, coverageOfRange))

async function coverageOfRange(t: Test, { databaseUrl }: Engine): Promise<void> {
  const { dataDir, runs } = folderOf(t)
  // Of the time of its rows: what is older than the retention is deleted two seconds after the start.
  const history = newHistory(dataDir, databaseUrl, { now: () => AT + 200_000 })
  runs(history)
  await history.start()
  await until(() => history.status().engine !== null)
  const { store } = history
  const row = (fromMs: number, toMs: number) => coverageRow(ID, AT + fromMs, AT + toMs)
  const hole = (id: string, fromMs: number) =>
    gapRow(id, AT + fromMs, { kind: 'journal_hole', endedAtMs: AT + fromMs + 1 })
  await store.writeCoverage([row(0, 10), row(20, 100_000)])

  t.test('says when recording began, which is long before the range', async (t) => {
    const { recordedFromMs, intervals } = await history.coverage(ID, { fromMs: AT + 50, toMs: AT + 60 })
    t.equal(recordedFromMs, AT)
    t.strictSame(intervals, [{ fromMs: AT + 50, toMs: AT + 60, kind: 'verified', reason: null }])
  })

  t.test('is gapless from its start where the range begins between two records', async (t) => {
    const { intervals } = await history.coverage(ID, { fromMs: AT + 15, toMs: AT + 30 })
    t.strictSame(intervals, [
      { fromMs: AT + 15, toMs: AT + 20, kind: 'missing', reason: 'not_recorded' },
      { fromMs: AT + 20, toMs: AT + 30, kind: 'verified', reason: null }
    ])
  })

  t.test('names a hole behind ten thousand gaps that are none', async (t) => {
    const atOnce = (n: number) => gapRow(`gap ${n}`, AT + 100 + n, { detectedAtMs: AT + 100 + n })
    await store.writeGaps(Array.from({ length: 10_000 }, (_, n) => atOnce(n)))
    await store.writeGaps([hole('hole', 50_000)])
    const { intervals } = await history.coverage(ID, { fromMs: AT + 100, toMs: AT + 60_000 })
    t.match(intervals, [
      { kind: 'verified' },
      { kind: 'degraded', reason: 'journal_hole' },
      { kind: 'verified' }
    ])
  })

  t.test('names a gap before it was noticed', async (t) => {
    await store.writeGaps([gapRow('late', AT + 30_000, { detectedAtMs: AT + 30_050 })])
    const { intervals } = await history.coverage(ID, { fromMs: AT + 30_020, toMs: AT + 30_100 })
    t.strictSame(intervals, [
      { fromMs: AT + 30_020, toMs: AT + 30_050, kind: 'degraded', reason: 'sequence_gap' },
      { fromMs: AT + 30_050, toMs: AT + 30_100, kind: 'verified', reason: null }
    ])
  })

  t.test('is refused where it has more holes than are looked at', async (t) => {
    await store.writeGaps(Array.from({ length: 10_000 }, (_, n) => hole(`hole ${n}`, 60_000 + 2 * n)))
    await t.rejects(history.coverage(ID, { fromMs: AT, toMs: AT + 100_000 }), {
      code: 'RANGE_INVALID',
      message: /more than 10000 gaps/
    })
    t.equal((await history.coverage(ID, { fromMs: AT, toMs: AT + 60_000 })).intervals.length, 7)
  })
}

t.test('a book that was live while a gap had begun and was not noticed is not proved', (t) =>
  onEachEngine(t, bookOfLateGap)
)

async function bookOfLateGap(t: Test, { databaseUrl }: Engine): Promise<void> {
  const { dataDir, runs } = folderOf(t)
  const clock = { ms: AT }
  const store = new SnapshotStore({ capacityMarkets: 8, capacityLevels: 64 })
  const history = newHistory(dataDir, databaseUrl, { store, now: () => clock.ms })
  runs(history)
  await history.start()
  await until(() => history.status().recorder.state === 'well')
  const { id, slot } = serve(store, market(1))
  clock.ms += 4_000
  t.ok((await history.bookAt(id, AT + 2_000)).proven)
  const told = {
    venue: 'kalshi',
    kind: 'disconnected',
    connection: 'c',
    subscription: null,
    slots: [slot]
  } as const
  const numbers = { fromSequence: null, toSequence: null }
  history.taps.onGap({
    ...told,
    ...numbers,
    startedAtMs: AT + 1_000,
    detectedAtMs: AT + 3_000,
    detail: 'cut'
  })
  const hole = { fromMs: AT + 1_000, toMs: AT + 3_000, reason: 'disconnected' }
  t.match(await history.bookAt(id, AT + 2_000), { proven: false, hole })
  t.match(await history.bookAt(id, AT + 999), { proven: true, hole: null }, 'before it')
  t.match(
    await history.bookAt(id, AT + 3_000),
    { proven: true, hole: null },
    'from there on its verdict tells'
  )
}

t.test('a book of which the log was deleted', (t) => onEachEngine(t, bookWithoutLog))

async function bookWithoutLog(t: Test, { databaseUrl }: Engine): Promise<void> {
  const { dataDir, runs } = folderOf(t)
  const clock = { ms: AT }
  const run = async (untilMs: number) => {
    const store = new SnapshotStore({ capacityMarkets: 8, capacityLevels: 64 })
    const history = newHistory(dataDir, databaseUrl, { store, now: () => clock.ms })
    await history.start()
    await until(() => history.status().recorder.state === 'well')
    clock.ms += 1_000
    serve(store, market(1))
    clock.ms = untilMs
    await history.flush()
    return history
  }
  const first = await run(AT + 5_000)
  t.ok((await first.bookAt(market(1).id, AT + 3_000)).proven)
  await first.stop()
  const pruned = { folder: join(dataDir, 'journal'), maxAgeMs: HOUR_MS, maxBytes: 1e9 }
  await pruneJournal({ ...pruned, nowMs: AT + 2 * HOUR_MS })
  clock.ms = AT + 2 * HOUR_MS
  const second = await run(AT + 2 * HOUR_MS + 5_000)
  runs(second)
  const at = (atMs: number) => second.bookAt(market(1).id, atMs)
  const [from, to] = [AT + 1_000, AT + 2 * HOUR_MS + 1_000].map((ms) => new Date(ms).toISOString())
  await t.rejects(at(AT + 3_000), {
    code: 'BOOK_UNPROVEN',
    message: new RegExp(`log_pruned from ${from} to ${to}`)
  })
  await t.rejects(at(AT + 999), { code: 'BOOK_UNKNOWN' }, 'before the recording began')
  await t.rejects(at(AT + HOUR_MS), { code: 'BOOK_UNKNOWN' }, 'when nothing was recorded')
  t.match(await at(AT + 2 * HOUR_MS + 1_000), { marketId: market(1).id })
}

t.test('old history is deleted soon after the database is open, as the settings say', (t) =>
  onEachEngine(t, oldHistoryGoes)
)

async function oldHistoryGoes(t: Test, { databaseUrl }: Engine): Promise<void> {
  const { dataDir, runs } = folderOf(t)
  const folder = join(dataDir, 'journal')
  const nowMs = AT + 100 * DAY_MS
  const ago = (hours: number) => nowMs - hours * HOUR_MS
  const journal = async (name: string, atMs: number, bytes: number) => {
    const writer = new JournalWriter({ folder, name, flushMs: 1_000, onHole: () => {}, log })
    await writer.start()
    writer.append('frame', atMs, 1, randomBytes(bytes))
    await writer.stop()
    return async () => (await new JournalReader({ folder, name }).segments()).length
  }
  const old = await journal('old', ago(6), 10)
  const bulky = await journal('bulky', ago(4), 17_000_000)
  const small = await journal('small', ago(3), 10)
  const before = await openHistory({ databaseUrl, dataDir, log })
  const rows = [ago(49), ago(47), ago(47) + 1, ago(1), ago(1) + 1].map((atMs) => snapshotRow(ID, atMs))
  await before.writeSnapshots(rows)
  await before.close()

  const settings = testConfig({
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    JOURNAL_RETENTION_HOURS: 5,
    JOURNAL_MAX_MB: 16,
    SNAPSHOT_RETENTION_DAYS: 2,
    SNAPSHOT_THIN_AFTER_HOURS: 2
  })
  const history = newHistory(dataDir, databaseUrl, { settings, now: () => nowMs })
  runs(history)
  await history.start()
  await until(() => history.status().engine !== null)
  const query = { marketId: ID, fromMs: 0, toMs: nowMs, source: null, limit: 9, cursor: null }
  const kept = async () => (await history.store.snapshots(query)).rows.map(({ atMs }) => atMs)
  while ((await kept()).length > 3) await sleep(20)
  t.strictSame(await kept(), [ago(47) + 1, ago(1), ago(1) + 1], 'one too old, one thinned')
  t.same([await old(), await bulky(), await small()], [0, 0, 1], 'one too old, one too much')
}

t.test('an embedded database', async (t) => {
  t.test('is not made at all by a gateway that stops at once', async (t) => {
    const dataDir = t.testdir()
    const opening = new Opening({ databaseUrl: '', dataDir, log, now: Date.now, steadyNow: Date.now })
    opening.start()
    await opening.close()
    t.notOk(existsSync(join(dataDir, 'database')))
  })

  t.test('that is opening when the gateway stops is ended, and leaves no pid file', async (t) => {
    const dataDir = t.testdir()
    const history = newHistory(dataDir)
    await history.start()
    await until(() => existsSync(pidFile(dataDir)))
    t.equal(history.isReady, false, 'it is opening')
    await history.stop()
    t.notOk(existsSync(pidFile(dataDir)))
    t.notOk(existsSync(pidFile(join(dataDir, 'journal'))))
    await opens(t, dataDir)
  })

  t.test('whose process died while it opened it is taken over', async (t) => {
    const dataDir = t.testdir()
    const opener = new URL('../../../services/history/storage/open-history.ts', import.meta.url).href
    const script = `
      import { openHistory } from ${JSON.stringify(opener)}
      await openHistory({ databaseUrl: '', dataDir: process.argv[1], log: { info() {}, warn() {} } })
      process.stdout.write('opened')`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH }
    })
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
    })
    const ended = once(child, 'exit')
    await until(() => existsSync(join(dataDir, 'database')))
    child.kill('SIGKILL')
    await ended
    t.equal(said, '', 'it was opening')
    t.equal(ownerOf(dataDir), child.pid, 'it left its pid file behind')
    await opens(t, dataDir)
  })
})

async function opens(t: Test, dataDir: string): Promise<void> {
  const store = await openHistory({ databaseUrl: '', dataDir, log })
  t.equal(ownerOf(dataDir), process.pid)
  await store.ping()
  await store.close()
  t.notOk(existsSync(pidFile(dataDir)))
}
