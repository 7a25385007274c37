import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ReplayHistory } from '../../../services/history/replay/replay-history.ts'
import { lockDataDir } from '../../../services/history/storage/data-dir-lock.ts'
import { openHistory } from '../../../services/history/storage/open-history.ts'

const log = { info() {}, warn() {}, error() {} }

/** Returns the history of a replay once its database is open, or was tried in vain. */
async function replayed(t: Test, dataDir: string, databaseUrl = ''): Promise<ReplayHistory> {
  const history = new ReplayHistory({
    folder: join(dataDir, 'journal'),
    dataDir,
    databaseUrl,
    now: Date.now,
    log
  })
  t.teardown(() => history.stop())
  history.start()
  while (!history.isReady) await sleep(5)
  return history
}

t.test('the history of a replay', async (t) => {
  const dataDir = t.testdir({ journal: {} })
  const refused = (why: RegExp) => ({ code: 'HISTORY_UNAVAILABLE', message: why, retryAfterSeconds: null })
  await (await openHistory({ databaseUrl: '', dataDir, log })).close()

  await t.test('has no rows where a gateway records, whether or not it has its database open', async (t) => {
    for (const part of ['journal', '.']) {
      const unlock = lockDataDir(dataDir, part)
      const history = await replayed(t, dataDir)
      t.throws(() => history.store, refused(/is in use by process/), part)
      unlock()
      t.throws(() => history.store, refused(/is in use by process/), 'it is not tried again')
      t.strictSame(readdirSync(join(dataDir, 'journal')), [], "and stands in nobody's way")
    }
  })

  await t.test('lets no gateway record while it has the database open', async (t) => {
    const history = await replayed(t, dataDir)
    await history.store.ping()
    t.throws(() => lockDataDir(dataDir, 'journal'), { code: 'CONFIG_INVALID', message: /in use by process/ })
    await history.stop()
    lockDataDir(dataDir, 'journal')()
  })

  await t.test('is read from DATABASE_URL where that is set, as a gateway does', async (t) => {
    const history = await replayed(t, dataDir, 'postgres://nobody@127.0.0.1:1/none')
    t.throws(() => history.store, { code: 'HISTORY_UNAVAILABLE', message: /ECONNREFUSED/ })
  })

  await t.test('leaves a database of another version as it is', async (t) => {
    const empty = t.testdir({ journal: {}, database: {} })
    const history = await replayed(t, empty)
    t.throws(() => history.store, refused(/start the gateway of this version on it once/))
    t.notOk(existsSync(join(empty, 'database.pid')))
  })
})
