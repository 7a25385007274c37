import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'

export type EngineName = 'pglite' | 'postgres'

/** Where a history is kept: a folder for its files and, for PostgreSQL, a database of its own. */
export interface HistoryPlace {
  dataDir: string
  /** Empty means PGlite in `dataDir`. */
  databaseUrl: string
}

const USUAL_SERVER = 'postgres://root@127.0.0.1:5432/test'
const CONNECT_LIMIT_MS = 3_000

/** Folders and databases that a bench makes, and removes at its end. */
export class BenchEngines {
  /** Those that there are here. */
  readonly names: readonly EngineName[]
  private readonly root = mkdtempSync(join(tmpdir(), 'crossbook-bench-'))
  private readonly server: pg.Client | null
  private readonly url: string
  private readonly databases: string[] = []
  private places = 0

  private constructor(url: string, server: pg.Client | null) {
    this.url = url
    this.server = server
    this.names = server === null ? ['pglite'] : ['pglite', 'postgres']
  }

  /** Finds the server of TEST_DATABASE_URL, or the usual one; says on stderr when none answers. */
  static async find(): Promise<BenchEngines> {
    const url = process.env.TEST_DATABASE_URL || USUAL_SERVER
    let server: pg.Client | null = null
    try {
      server = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_LIMIT_MS })
      server.on('error', () => {})
      await server.connect()
    } catch {
      server = null
      console.error('history: no PostgreSQL answers at TEST_DATABASE_URL or 127.0.0.1:5432, it is left out')
    }
    return new BenchEngines(url, server)
  }

  /** Returns a folder of its own. */
  folder(): string {
    return join(this.root, String(this.places++))
  }

  /** Returns a new place for a history, with an empty database. */
  async place(engine: EngineName): Promise<HistoryPlace> {
    const dataDir = this.folder()
    if (engine === 'pglite' || this.server === null) return { dataDir, databaseUrl: '' }
    const name = `crossbook_bench_${randomBytes(6).toString('hex')}`
    await this.server.query(`create database ${name}`)
    this.databases.push(name)
    const url = new URL(this.url)
    url.pathname = name
    return { dataDir, databaseUrl: url.href }
  }

  async remove(): Promise<void> {
    for (const name of this.databases.splice(0))
      await this.server?.query(`drop database if exists ${name} with (force)`)
    await this.server?.end()
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** Runs `use` with engines, and removes what they hold whatever ends it: a gigabyte left behind is not nothing. */
export async function withEngines<Result>(use: (engines: BenchEngines) => Promise<Result>): Promise<Result> {
  const engines = await BenchEngines.find()
  const interrupted = (signal: NodeJS.Signals) => {
    void engines.remove().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143))
  }
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    return await use(engines)
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
    await engines.remove()
  }
}

export const ENGINE_TITLES: Record<EngineName, string> = { pglite: 'PGlite', postgres: 'PostgreSQL' }
