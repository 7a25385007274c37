import { type Kysely, type RawBuilder, sql } from 'kysely'
import pg from 'pg'
import { HistoryUnavailableError } from '../../errors.ts'
import type { Tables } from './tables.ts'

export const DAY_MS = 86_400_000

/** The tables that grow with time, and the column that says when. */
export const TIME_TABLES = { market_snapshots: 'at_ms', trades: 'received_at_ms' } as const
export type TimeTable = keyof typeof TIME_TABLES

/** How the tables that grow are cut by time: into partitions of ours, or into chunks of TimescaleDB. */
export interface TimeLayout {
  /** Makes room for rows of these times. */
  ensure(table: TimeTable, times: Iterable<number>): Promise<void>
  /** Forgets what `ensure` believes to be there: someone else dropped it. */
  forget(): void
  /** Drops what lies wholly before an instant; returns the rows that went with it. */
  dropBefore(table: TimeTable, beforeMs: number): Promise<number>
  /** Whether the day of an instant is compressed: it goes whole, since to delete rows of it means to unpack it. */
  isCompressed(table: TimeTable, atMs: number): Promise<boolean>
  /** Runs a statement that deletes rows, of compressed days too; returns how many. */
  deleteRows(statement: RawBuilder<unknown>): Promise<number>
  /** Gives the space of deleted rows back, of whole days in a range. */
  compact(table: TimeTable, fromMs: number, toMs: number): Promise<void>
}

/** Finds out which layout the migrations chose. */
export async function readLayout(db: Kysely<Tables>, patient: Kysely<Tables>): Promise<TimeLayout> {
  return (await isPartitioned(db)) ? new DayPartitions(db, patient) : new Hypertables(patient)
}

/** Whether the tables that grow have partitions of ours, which they keep when TimescaleDB is installed later. */
export async function isPartitioned(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ partitioned: boolean }>`
    select relkind = 'p' as partitioned from pg_class where oid = 'market_snapshots'::regclass`.execute(db)
  return rows[0]?.partitioned ?? false
}

/** One partition a UTC day, created by the first write of that day. */
class DayPartitions implements TimeLayout {
  private readonly db: Kysely<Tables>
  private readonly patient: Kysely<Tables>
  private readonly known = new Set<string>()

  constructor(db: Kysely<Tables>, patient: Kysely<Tables>) {
    this.db = db
    this.patient = patient
  }

  async ensure(table: TimeTable, times: Iterable<number>): Promise<void> {
    const days = new Set<number>()
    for (const time of times) days.add(Math.floor(time / DAY_MS))
    for (const day of days) {
      const name = partitionName(table, day)
      if (this.known.has(name)) continue
      await this.create(table, name, day)
      this.known.add(name)
    }
  }

  forget(): void {
    this.known.clear()
  }

  async dropBefore(table: TimeTable, beforeMs: number): Promise<number> {
    let removed = 0
    for (const { name, day } of await this.partitions(table)) {
      if ((day + 1) * DAY_MS > beforeMs) continue
      this.known.delete(name)
      const { rows } = await sql<{ rows: number }>`select count(*) as rows from ${sql.table(name)}`.execute(
        this.patient
      )
      await sql`drop table if exists ${sql.table(name)}`.execute(this.patient)
      removed += rows[0]?.rows ?? 0
    }
    return removed
  }

  async isCompressed(): Promise<boolean> {
    return false
  }

  deleteRows(statement: RawBuilder<unknown>): Promise<number> {
    return countDeleted(this.patient, statement)
  }

  async compact(table: TimeTable, fromMs: number, toMs: number): Promise<void> {
    for (const { name, day } of await this.partitions(table)) {
      if (day * DAY_MS < fromMs || (day + 1) * DAY_MS > toMs) continue
      // A plain vacuum frees room for new rows only, and a day that is over gets none.
      await sql`vacuum (full, analyze) ${sql.table(name)}`.execute(this.patient)
    }
  }

  private async create(table: TimeTable, name: string, day: number): Promise<void> {
    try {
      await sql`
        create table if not exists ${sql.table(name)} partition of ${sql.table(table)}
        for values from (${sql.lit(day * DAY_MS)}) to (${sql.lit((day + 1) * DAY_MS)})`.execute(this.db)
    } catch (error) {
      // "if not exists" does not hold between two processes that create at once; the other one did.
      const raced = error instanceof pg.DatabaseError && ['42P07', '23505'].includes(error.code ?? '')
      if (!raced) throw error
    }
  }

  private async partitions(table: TimeTable): Promise<{ name: string; day: number }[]> {
    const { rows } = await sql<{ name: string }>`
      select child.relname as name from pg_inherits
      join pg_class child on child.oid = inhrelid
      where inhparent = ${table}::regclass order by 1`.execute(this.db)
    return rows.flatMap(({ name }) => {
      const [, year, month, date] = /_p(\d+)(\d\d)(\d\d)$/.exec(name) ?? []
      if (year === undefined) return []
      return { name, day: Date.UTC(Number(year), Number(month) - 1, Number(date)) / DAY_MS }
    })
  }
}

/** TimescaleDB creates and compresses chunks by itself. */
class Hypertables implements TimeLayout {
  private readonly patient: Kysely<Tables>

  constructor(patient: Kysely<Tables>) {
    this.patient = patient
  }

  async ensure(): Promise<void> {}

  forget(): void {}

  async dropBefore(table: TimeTable, beforeMs: number): Promise<number> {
    const wholeDaysMs = Math.floor(beforeMs / DAY_MS) * DAY_MS
    const { rows } = await sql<{ rows: number }>`
      select count(*) as rows from ${sql.table(table)}
      where ${sql.ref(TIME_TABLES[table])} < ${sql.lit(wholeDaysMs)}`.execute(this.patient)
    const drop = () =>
      sql`select drop_chunks(${table}::regclass, older_than => ${wholeDaysMs}::bigint)`.execute(this.patient)
    await drop().catch((error) => {
      if (!(error instanceof HistoryUnavailableError)) throw error
      // Where TimescaleDB is about to compress what we drop, both wait for each other until ours is given up.
      return drop()
    })
    return rows[0]?.rows ?? 0
  }

  async isCompressed(table: TimeTable, atMs: number): Promise<boolean> {
    const { rows } = await sql`
      select from timescaledb_information.chunks
      where hypertable_schema = current_schema and hypertable_name = ${table} and is_compressed
        and range_start_integer <= ${atMs}::bigint and range_end_integer > ${atMs}::bigint`.execute(
      this.patient
    )
    return rows.length > 0
  }

  deleteRows(statement: RawBuilder<unknown>): Promise<number> {
    return this.patient.transaction().execute(async (transaction) => {
      // By default a statement that unpacks more than 100,000 rows is refused; old versions know no limit.
      await sql`
        select set_config(name, '0', true) from pg_settings
        where name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'`.execute(transaction)
      return countDeleted(transaction, statement)
    })
  }

  async compact(): Promise<void> {}
}

/** Runs a statement that deletes and returns the rows it deleted. */
export async function countDeleted(db: Kysely<Tables>, statement: RawBuilder<unknown>): Promise<number> {
  const { numAffectedRows } = await statement.execute(db)
  return Number(numAffectedRows ?? 0)
}

function partitionName(table: TimeTable, day: number): string {
  return `${table}_p${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`
}
