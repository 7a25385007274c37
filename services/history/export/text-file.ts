import { createWriteStream, type WriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { formatPrice, formatSize } from '../../numbers/decimal.ts'
import type { Column, ColumnKind, ColumnValue, ExportTable } from './tables.ts'

/** Takes the rows of one table, a batch at a time; `end` resolves when the file is whole. */
export interface RowFile<Row> {
  write(rows: readonly Row[]): Promise<void>
  end(): Promise<void>
}

/** Returns a value as people read it: decimal text for money, ISO 8601 for times, JSON for levels. */
function textOf(kind: ColumnKind, value: ColumnValue): string | null {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'object') return JSON.stringify(value)
  if (kind === 'price') return formatPrice(value)
  if (kind === 'size') return formatSize(value)
  if (kind === 'time') return new Date(value).toISOString()
  return String(value)
}

/** Lines of text, one a row; waits for the disk where it is slower than the database. */
abstract class LineFile<Row> implements RowFile<Row> {
  protected readonly columns: readonly Column<Row>[]
  private readonly stream: WriteStream

  constructor(path: string, { columns }: ExportTable<Row>) {
    this.columns = columns
    this.stream = createWriteStream(path)
    // Each write, and the end, hear of it too; without a listener it would end the process.
    this.stream.on('error', () => {})
  }

  async write(rows: readonly Row[]): Promise<void> {
    await this.put(rows.map((row) => this.line(row)).join(''))
  }

  async end(): Promise<void> {
    this.stream.end()
    await finished(this.stream)
  }

  protected async put(text: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.stream.write(text, (error) => (error === null || error === undefined ? resolve() : reject(error)))
    })
  }

  protected abstract line(row: Row): string
}

/** RFC 4180, with a header; an empty field is null. */
export class CsvFile<Row> extends LineFile<Row> {
  private hasHeader = false

  override async write(rows: readonly Row[]): Promise<void> {
    await this.header()
    await super.write(rows)
  }

  override async end(): Promise<void> {
    await this.header()
    await super.end()
  }

  protected override line(row: Row): string {
    const fields = this.columns.map(({ kind, value }) => quoted(textOf(kind, value(row)) ?? ''))
    return `${fields.join(',')}\r\n`
  }

  private async header(): Promise<void> {
    if (this.hasHeader) return
    this.hasHeader = true
    await this.put(`${this.columns.map(({ name }) => name).join(',')}\r\n`)
  }
}

/** One JSON object a line; money as decimal text, so that no reader makes a float of it unasked. */
export class NdjsonFile<Row> extends LineFile<Row> {
  protected override line(row: Row): string {
    const fields = this.columns.map(({ name, kind, value }) => {
      const found = value(row)
      return [name, kind === 'integer' || kind === 'levels' ? found : textOf(kind, found)]
    })
    return `${JSON.stringify(Object.fromEntries(fields))}\n`
  }
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
