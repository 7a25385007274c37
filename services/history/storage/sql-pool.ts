import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely'
import pg from 'pg'
import { judgeFailure } from './failures.ts'
import type { Tables } from './tables.ts'

const INT8 = 20
const END_LIMIT_MS = 3_000

export interface SqlPoolOptions {
  connection: pg.ClientConfig
  maxConnections: number
  /** How long to wait for a connection, dialled or handed back, milliseconds. */
  connectLimitMs: number
  /** The server gives up a statement after this; two seconds later we do, whatever it does. Milliseconds. */
  statementLimitMs: number
  /** How long an unused connection is kept, milliseconds; 0: for ever. */
  idleLimitMs: number
  /** A statement was not answered in time. */
  onStuck?: () => void
}

export interface SqlPool {
  db: Kysely<Tables>
  /** Ends within seconds; what is asked afterwards is refused as from a database that is away. */
  end(): Promise<void>
}

/** Opens a pool that dials when it is first used, and again whenever connections were lost. */
export function openSqlPool(options: SqlPoolOptions): SqlPool {
  const pool = new GuardedPool(options)
  // `db.destroy` is not for us: it would refuse later calls with errors that are not ours.
  return { db: new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }), end: () => pool.end() }
}

/** Turns what `pg` throws into our errors in one place, and discards connections that are in doubt. */
class GuardedPool implements PostgresPool {
  private readonly pool: pg.Pool
  private readonly onStuck: () => void
  private ended: Promise<void> | null = null
  private readonly clients = new WeakMap<pg.PoolClient, GuardedClient>()

  constructor(options: SqlPoolOptions) {
    const { connection, maxConnections, connectLimitMs, statementLimitMs, idleLimitMs } = options
    this.onStuck = options.onStuck ?? (() => {})
    this.pool = new pg.Pool({
      ...connection,
      max: maxConnections,
      connectionTimeoutMillis: connectLimitMs,
      statement_timeout: statementLimitMs,
      query_timeout: statementLimitMs + 2_000,
      keepAlive: true,
      idleTimeoutMillis: idleLimitMs,
      application_name: 'crossbook',
      types: { getTypeParser }
    })
    // Without listeners a lost connection would end the process: idle ones report here, used ones to their query.
    this.pool.on('error', () => {})
    this.pool.on('connect', (client) => client.on('error', () => {}))
  }

  async connect(): Promise<PostgresPoolClient> {
    try {
      const client = await this.pool.connect()
      let guarded = this.clients.get(client)
      if (guarded === undefined) {
        guarded = new GuardedClient(client, this.onStuck)
        this.clients.set(client, guarded)
      }
      // Cursors are the rest of that type, and Kysely asks for none.
      return guarded as unknown as PostgresPoolClient
    } catch (error) {
      throw judgeFailure(error).error
    }
  }

  end(): Promise<void> {
    this.ended ??= this.endWithin(END_LIMIT_MS)
    return this.ended
  }

  private async endWithin(limitMs: number): Promise<void> {
    let limit: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, limitMs)
    })
    await Promise.race([this.pool.end(), late])
    clearTimeout(limit)
  }
}

class GuardedClient {
  private readonly client: pg.PoolClient
  private readonly onStuck: () => void
  private lost = false

  constructor(client: pg.PoolClient, onStuck: () => void) {
    this.client = client
    this.onStuck = onStuck
  }

  async query(text: string, parameters: unknown[]): Promise<pg.QueryResult> {
    try {
      return await this.client.query(text, parameters)
    } catch (raw) {
      const { error, connectionLost, stuck } = judgeFailure(raw)
      if (connectionLost) this.lost = true
      if (stuck) this.onStuck()
      throw error
    }
  }

  release(discard = false): void {
    this.client.release(discard || this.lost)
  }
}

/** `pg` hands int8 over as text; all of ours are whole numbers that a double holds exactly. */
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  return oid === INT8 ? parseInt8 : pg.types.getTypeParser(oid, format as 'text')
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`the database holds ${text}, which no double holds`)
  return value
}
