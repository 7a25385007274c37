import type { FastifyBaseLogger } from 'fastify'
import type { HistoryStore } from '../records.ts'
import type { Engine } from './engine.ts'
import { assertMigrated, migrate } from './migrations.ts'
import { openPglite } from './pglite-engine.ts'
import { openPostgres } from './postgres-engine.ts'
import { SqlHistoryStore } from './sql-history-store.ts'
import { isPartitioned, readLayout } from './time-layout.ts'
import { compressHypertables, loadTimescale } from './timescale.ts'

export type HistoryLog = Pick<FastifyBaseLogger, 'info' | 'warn'>

export interface OpenHistoryOptions {
  /** Of PostgreSQL; empty means PGlite in `dataDir`. Never logged, and in no error. */
  databaseUrl: string
  dataDir: string
  log: HistoryLog
  now?: () => number
  /** Ends the opening of an embedded database where it is: what was begun is gone on with the next time. */
  signal?: AbortSignal | undefined
  /** For who reads what others recorded: its schema is left as it is, and one that is not of this version is refused. */
  readsOnly?: boolean
  /**
   * With PGlite no gateway starts on `dataDir` meanwhile: for who has it for long. It would have no database for its rows,
   * and more would wait than it has room for.
   */
  keepsGatewaysOut?: boolean
}

/**
 * Opens the history, brings its schema up to date and returns it: the one place that chooses the engine.
 *
 * @throws {ConfigError} where a setting is wrong: a folder in use or not writable, a refused login, a database of another
 *   version
 * @throws {HistoryUnavailableError} where PostgreSQL does not answer
 */
export async function openHistory({
  databaseUrl,
  dataDir,
  log,
  now = Date.now,
  signal,
  readsOnly = false,
  keepsGatewaysOut = false
}: OpenHistoryOptions): Promise<HistoryStore> {
  const begunAtMs = now()
  const engine = await (databaseUrl === ''
    ? openPglite(dataDir, log, { signal, keepsGatewaysOut })
    : openPostgres(databaseUrl))
  try {
    if (readsOnly) await assertMigrated(engine.db)
    else await bringForward(engine, log)
    const layout = await readLayout(engine.db, engine.patient)
    const timescale = !(await isPartitioned(engine.db))
    log.info({ engine: engine.name, timescale, tookMs: now() - begunAtMs }, 'the history is open')
    return new SqlHistoryStore(engine, layout)
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function bringForward({ name, db, patient }: Engine, log: HistoryLog): Promise<void> {
  const timescale = name === 'postgres' && (await loadTimescale(patient))
  await migrate(patient, timescale)
  if (timescale && !(await isPartitioned(db)))
    await compressHypertables(patient).catch((error) => {
      log.warn({ error: String(error) }, 'old rows of the history are not compressed')
    })
}
