import { join } from 'node:path'
import { sql } from 'kysely'
import { ConfigError } from '../../errors.ts'
import { DATABASE_FOLDER, JOURNAL_FOLDER, makeFolder } from './data-dir.ts'
import { lockDataDir } from './data-dir-lock.ts'
import { EmbeddedDatabase } from './embedded-database.ts'
import type { Engine } from './engine.ts'
import type { HistoryLog, OpenHistoryOptions } from './open-history.ts'
import { openSqlPool } from './sql-pool.ts'

const CONNECT_LIMIT_MS = 10_000
const STATEMENT_LIMIT_MS = 60_000
/** PGlite has no process that writes checkpoints: without ours its write-ahead log grows for ever. */
const ROWS_PER_CHECKPOINT = 50_000

/**
 * Opens the embedded database in a folder, which is created at first.
 *
 * @throws {ConfigError} where another process has it, or it cannot be opened or written
 */
export async function openPglite(
  dataDir: string,
  log: HistoryLog,
  { signal, keepsGatewaysOut = false }: Pick<OpenHistoryOptions, 'signal' | 'keepsGatewaysOut'> = {}
): Promise<Engine> {
  const locks: (() => void)[] = []
  const unlock = () => {
    for (const release of locks) release()
  }
  const folder = join(dataDir, DATABASE_FOLDER)
  let embedded: EmbeddedDatabase
  try {
    if (keepsGatewaysOut) locks.push(lockDataDir(dataDir, JOURNAL_FOLDER))
    locks.push(lockDataDir(dataDir))
    makeFolder(folder)
    embedded = await EmbeddedDatabase.start(folder, log, signal)
  } catch (error) {
    unlock()
    if (error instanceof ConfigError) throw error
    const said = error instanceof Error ? error.message : String(error)
    // PGlite may say it in lines, and ends it with a full stop.
    const why = said.trim().replace(/\s+/g, ' ').replace(/\.$/, '')
    const cannot = `the database in ${folder} cannot be opened`
    // The system's own refusals have a code, and are of no database that is damaged.
    if (error instanceof Error && 'code' in error) throw new ConfigError(`${cannot}: ${why}`)
    throw new ConfigError(
      `${cannot}, it may be damaged (${why}): move it away, and a new one is made; journals and asOf do not need it`
    )
  }
  const pool = openSqlPool({
    connection: { ...embedded.address, user: 'postgres', database: 'postgres' },
    // All clients share one session, and statements of two would get mixed up between their parts.
    maxConnections: 1,
    idleLimitMs: 0,
    connectLimitMs: CONNECT_LIMIT_MS,
    statementLimitMs: STATEMENT_LIMIT_MS,
    // It knows no limits of its own and cannot be told to stop.
    onStuck: () => embedded.restart('a statement was not answered in time')
  })
  let rowsSinceCheckpoint = 0
  return {
    name: 'pglite',
    db: pool.db,
    patient: pool.db,
    async wrote(rows) {
      rowsSinceCheckpoint += rows
      if (rowsSinceCheckpoint < ROWS_PER_CHECKPOINT) return
      rowsSinceCheckpoint = 0
      try {
        await sql`checkpoint`.execute(pool.db)
      } catch (error) {
        // The rows are safe without it; the next one comes.
        log.warn({ error: String(error) }, 'no checkpoint of the embedded database could be written')
      }
    },
    async close() {
      await pool.end()
      await embedded.stop()
      unlock()
    }
  }
}
