import type { SchemaElement } from 'hyparquet'
import { fileWriter, ParquetWriter } from 'hyparquet-writer'
import { type Column, type ColumnKind, type ColumnValue, type ExportTable, UNITS } from './tables.ts'
import type { RowFile } from './text-file.ts'

/** Rows of a row group: large enough to compress, small enough to hold. */
const GROUP_ROWS = 50_000

const ELEMENTS: Record<ColumnKind, Omit<SchemaElement, 'name'>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  integer: { type: 'INT64' },
  price: { type: 'INT32', converted_type: 'DECIMAL', precision: 5, scale: 4 },
  size: { type: 'INT64', converted_type: 'DECIMAL', precision: 18, scale: 6 },
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  levels: { type: 'BYTE_ARRAY', converted_type: 'UTF8' }
}

/** Parquet with exact decimals for money and timestamps in milliseconds; its metadata says the units. */
export class ParquetFile<Row> implements RowFile<Row> {
  private readonly columns: readonly Column<Row>[]
  private readonly writer: ParquetWriter
  private waiting: Row[] = []

  constructor(path: string, { columns }: ExportTable<Row>) {
    this.columns = columns
    const schema: SchemaElement[] = [
      { name: 'root', num_children: columns.length },
      ...columns.map(({ name, kind }) => ({ name, ...ELEMENTS[kind], repetition_type: 'OPTIONAL' as const }))
    ]
    this.writer = new ParquetWriter({
      writer: fileWriter(path),
      schema,
      createdBy: 'crossbook',
      kvMetadata: Object.entries(UNITS).map(([key, value]) => ({ key: `unit.${key}`, value }))
    })
  }

  async write(rows: readonly Row[]): Promise<void> {
    this.waiting.push(...rows)
    if (this.waiting.length >= GROUP_ROWS) await this.group()
  }

  async end(): Promise<void> {
    if (this.waiting.length > 0) await this.group()
    await this.writer.finish()
  }

  private async group(): Promise<void> {
    const rows = this.waiting
    this.waiting = []
    const columnData = this.columns.map(({ name, kind, value }) => ({
      name,
      data: rows.map((row) => stored(kind, value(row)))
    }))
    await this.writer.write({ columnData, rowGroupSize: rows.length })
  }
}

/** Unscaled integers as they are: a decimal made of a float could not hold every size. */
function stored(kind: ColumnKind, value: ColumnValue): string | bigint | Date | null {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'object') return JSON.stringify(value)
  return kind === 'time' ? new Date(value) : BigInt(value)
}
