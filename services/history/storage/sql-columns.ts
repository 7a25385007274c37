import { type RawBuilder, sql } from 'kysely'

/** What a cell of a batch can be; JSON goes as text, 64-bit numbers beyond a double as decimal text. */
export type Cell = string | number | boolean | null

/** Columns of a batch: name and PostgreSQL type, in the order of each row's cells. */
export type Columns = readonly (readonly [name: string, type: string])[]

/** Returns the names of columns, for a list of an `insert` or a `select`. */
export function namesOf(columns: Columns): RawBuilder<unknown> {
  return sql.join(columns.map(([name]) => sql.ref(name)))
}

/**
 * Returns a batch as a table `batch` with an `ordinal` from 1: one array parameter a column, so that the statement is
 * the same for every number of rows.
 */
export function batchOf(columns: Columns, rows: readonly (readonly Cell[])[]): RawBuilder<unknown> {
  const arrays = columns.map(([, type], i) => sql`${rows.map((row) => row[i])}::${sql.raw(type)}[]`)
  return sql`unnest(${sql.join(arrays)}) with ordinality as batch(${namesOf(columns)}, ordinal)`
}

/** Returns the names of columns to read: those that are written, the order of writing, and no digest. */
export function shownOf(columns: Columns): RawBuilder<unknown> {
  return sql`${namesOf(columns.filter(([name]) => name !== 'digest'))}, row_no`
}

/** SQL that is true of rows whose time is not later than an instant; null: of all rows. */
export function knownBy(asOfMs: number | null, column: string): RawBuilder<boolean> {
  return asOfMs === null ? sql`true` : sql`${sql.ref(column)} <= ${asOfMs}::bigint`
}

/** Returns text as PostgreSQL can hold it: a NUL, which no venue sends on purpose, would fail the whole batch. */
export function storable<T extends string | null>(text: T): T {
  return (text?.includes('\0') ? text.replaceAll('\0', '\ufffd') : text) as T
}

/** Returns the last of the rows that share a key: one statement cannot replace a row twice. */
export function lastOfEach<Row>(rows: readonly Row[], key: (row: Row) => string): Row[] {
  return [...new Map(rows.map((row) => [key(row), row])).values()]
}
