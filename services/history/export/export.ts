import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HistoryStore, TimeRange } from '../records.ts'
import { makeFolder } from '../storage/data-dir.ts'
import { isoTime, type Manifest, manifestGaps, readAllGaps, readManifestCoverage } from './manifest.ts'
import { type ExportTable, SNAPSHOTS, TRADES, UNITS } from './tables.ts'
import { CsvFile, NdjsonFile, type RowFile } from './text-file.ts'

export const EXPORT_FORMATS = ['csv', 'parquet', 'ndjson'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export interface ExportOptions {
  history: HistoryStore
  range: TimeRange
  format: ExportFormat
  /** Made if it is not there. */
  folder: string
  nowMs: number
  /** Hears how far into the range the rows have come, epoch milliseconds. */
  onProgress?: (atMs: number) => void
}

export interface ExportResult {
  files: { name: string; rows: number }[]
  markets: number
  gaps: number
}

const BATCH_ROWS = 5_000
const MANIFEST = 'manifest.json'
/**
 * Writes everything recorded in a range to files, and beside them `manifest.json`: of each market which stretches are
 * verified, degraded or missing, and every gap of the range. The manifest comes last: files without one are not whole.
 *
 * @throws {RangeInvalidError} for a range with more gaps than a manifest holds
 */
export async function exportHistory(options: ExportOptions): Promise<ExportResult> {
  const { history, range, format, folder, nowMs, onProgress = () => {} } = options
  // Before anything is written: a range with too many is refused.
  await readAllGaps(history, range)
  const markets = new Set(await history.coveredMarkets(range))
  makeFolder(folder)
  await rm(join(folder, MANIFEST), { force: true })
  const heard = (rows: readonly { marketId: string }[]) => {
    for (const { marketId } of rows) markets.add(marketId)
  }
  const files = [
    await exportTable(SNAPSHOTS, options, history.exportSnapshots(range, BATCH_ROWS), (rows) => {
      heard(rows)
      onProgress(rows.at(-1)?.atMs ?? range.fromMs)
    }),
    await exportTable(TRADES, options, history.exportTrades(range, BATCH_ROWS), heard)
  ]
  // Anew: one that was found since is among what was read above.
  const gaps = await readAllGaps(history, range)
  const manifest: Manifest = {
    from: isoTime(range.fromMs),
    to: isoTime(range.toMs),
    madeAt: isoTime(nowMs),
    format,
    units: UNITS,
    files,
    gaps: manifestGaps(gaps),
    coverage: await readManifestCoverage(history, { range, gaps, nowMs }, [...markets].sort())
  }
  await writeFile(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`)
  return { files, markets: markets.size, gaps: gaps.length }
}

async function exportTable<Row>(
  table: ExportTable<Row>,
  { format, folder }: Pick<ExportOptions, 'format' | 'folder'>,
  batches: AsyncIterable<Row[]>,
  onRows: (rows: readonly Row[]) => void
): Promise<ExportResult['files'][number]> {
  const name = `${table.name}.${format}`
  const file = await openFile(join(folder, name), format, table)
  let rows = 0
  try {
    for await (const batch of batches) {
      await file.write(batch)
      rows += batch.length
      onRows(batch)
    }
  } finally {
    await file.end()
  }
  return { name, rows }
}

async function openFile<Row>(
  path: string,
  format: ExportFormat,
  table: ExportTable<Row>
): Promise<RowFile<Row>> {
  if (format === 'csv') return new CsvFile(path, table)
  if (format === 'ndjson') return new NdjsonFile(path, table)
  // Only here, since nobody else needs its library.
  const { ParquetFile } = await import('./parquet-file.ts')
  return new ParquetFile(path, table)
}
