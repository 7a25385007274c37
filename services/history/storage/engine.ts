import type { Kysely } from 'kysely'
import type { Tables } from './tables.ts'

/** A database that is reached, whichever it is. */
export interface Engine {
  readonly name: 'pglite' | 'postgres'
  /** For what a caller waits for. */
  readonly db: Kysely<Tables>
  /** For long statements: its connections and its limits are its own. The same as `db` where there is one connection. */
  readonly patient: Kysely<Tables>
  /** Told of rows that were written or deleted. */
  wrote(rows: number): Promise<void>
  close(): Promise<void>
}
