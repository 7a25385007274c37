import pg from 'pg'
import { ConfigError, HistoryUnavailableError } from '../../errors.ts'
import type { Engine } from './engine.ts'
import { judgeFailure } from './failures.ts'
import { openSqlPool } from './sql-pool.ts'

const CONNECT_LIMIT_MS = 5_000
const STATEMENT_LIMIT_MS = 8_000
const PATIENT_LIMIT_MS = 120_000
const IDLE_LIMIT_MS = 60_000

/**
 * Connects to PostgreSQL.
 *
 * @throws {ConfigError} where the URL is none, or the server does not let us in
 * @throws {HistoryUnavailableError} where no server answers
 */
export async function openPostgres(databaseUrl: string): Promise<Engine> {
  assertUrl(databaseUrl)
  const connection = { connectionString: databaseUrl }
  await tryLogin(connection)
  const shared = { connection, connectLimitMs: CONNECT_LIMIT_MS, idleLimitMs: IDLE_LIMIT_MS }
  const quick = openSqlPool({ ...shared, maxConnections: 4, statementLimitMs: STATEMENT_LIMIT_MS })
  const patient = openSqlPool({ ...shared, maxConnections: 2, statementLimitMs: PATIENT_LIMIT_MS })
  return {
    name: 'postgres',
    db: quick.db,
    patient: patient.db,
    async wrote() {},
    async close() {
      await Promise.all([quick.end(), patient.end()])
    }
  }
}

/** Checked here, since the errors of URL parsers quote the whole text, password and all. */
function assertUrl(databaseUrl: string): void {
  const scheme = /^postgres(ql)?:\/\//.test(databaseUrl)
  if (!scheme || !URL.canParse(databaseUrl))
    throw new ConfigError('DATABASE_URL must look like postgres://user:password@host:5432/database')
}

/** A refused login is a wrong setting, for which no later try helps; a pool would call it a database that is away. */
async function tryLogin(connection: pg.ClientConfig): Promise<void> {
  let client: pg.Client | undefined
  try {
    client = new pg.Client({ ...connection, connectionTimeoutMillis: CONNECT_LIMIT_MS })
    client.on('error', () => {})
    await client.connect()
  } catch (error) {
    if (error instanceof pg.DatabaseError && /^(28|3D)/.test(error.code ?? ''))
      throw new ConfigError(`DATABASE_URL is refused by the server: ${error.message}`)
    if (client === undefined) throw new ConfigError('DATABASE_URL holds an option that cannot be used')
    const { error: judged } = judgeFailure(error)
    throw judged instanceof HistoryUnavailableError
      ? judged
      : new ConfigError('DATABASE_URL cannot be used: the server did not take what it says')
  } finally {
    await client?.end().catch(() => {})
  }
}
