import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assembleCoverage } from '../coverage.ts'
import type { HistoryStore, TimeRange } from '../records.ts'
import { ParquetFile } from './parquet-file.ts'
import { type ExportTable, SNAPSHOTS, TRADES } from './tables.ts'
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
const GAPS_MAX = 100_000

/**
 * Writes everything recorded in a range to files, and beside them `manifest.json`: of each market which stretches are
 * verified, degraded or missing, and every gap of the range. A range without a hole says so; one with holes names them.
 */
export async function exportHistory(options: ExportOptions): Promise<ExportResult> {
  const { history, range, format, folder, nowMs, onProgress = () => {} } = options
  await mkdir(folder, { recursive: true })
  const markets = new Set<string>()
  const snapshots = await exportTable(
    SNAPSHOTS,
    format,
    folder,
    history.exportSnapshots(range, BATCH_ROWS),
    (rows) => {
      for (const { marketId } of rows) markets.add(marketId)
      onProgress(rows.at(-1)?.atMs ?? range.fromMs)
    }
  )
  const trades = await exportTable(
    TRADES,
    format,
    folder,
    history.exportTrades(range, BATCH_ROWS),
    (rows) => {
      for (const { marketId } of rows) markets.add(marketId)
    }
  )
  const gaps = await history.gaps({ ...range, marketId: null, limit: GAPS_MAX })
  const sessions = await history.sessions(range)
  const coverage: Record<string, unknown> = {}
  for (const marketId of [...markets].sort()) {
    const rows = await history.coverage({ ...range, marketId })
    const { recordedFromMs, intervals } = assembleCoverage(rows, sessions, range, nowMs)
    coverage[marketId] = {
      recordedFrom: recordedFromMs === null ? null : isoTime(recordedFromMs),
      intervals: intervals.map(({ fromMs, toMs, kind, reason }) => ({
        from: isoTime(fromMs),
        to: isoTime(toMs ?? range.toMs),
        kind,
        reason
      }))
    }
  }
  const files = [snapshots, trades]
  const manifest = {
    from: isoTime(range.fromMs),
    to: isoTime(range.toMs),
    madeAt: isoTime(nowMs),
    format,
    units: {
      price: 'dollars per contract; in levels: ten-thousandths of a dollar',
      size: 'contracts; in levels: millionths of a contract',
      time: 'UTC'
    },
    files,
    gaps: gaps.map(({ startedAtMs, detectedAtMs, endedAtMs, ...gap }) => ({
      ...gap,
      startedAt: isoTime(startedAtMs),
      detectedAt: isoTime(detectedAtMs),
      endedAt: endedAtMs === null ? null : isoTime(endedAtMs)
    })),
    coverage
  }
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return { files, markets: markets.size, gaps: gaps.length }
}

async function exportTable<Row>(
  table: ExportTable<Row>,
  format: ExportFormat,
  folder: string,
  batches: AsyncIterable<Row[]>,
  onRows: (rows: readonly Row[]) => void
): Promise<ExportResult['files'][number]> {
  const name = `${table.name}.${format}`
  const file = openFile(join(folder, name), format, table)
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

function openFile<Row>(path: string, format: ExportFormat, table: ExportTable<Row>): RowFile<Row> {
  if (format === 'csv') return new CsvFile(path, table)
  return format === 'ndjson' ? new NdjsonFile(path, table) : new ParquetFile(path, table)
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
