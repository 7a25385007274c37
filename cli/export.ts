import { join } from 'node:path'
import { styleText } from 'node:util'
import { EXPORT_FORMATS, type ExportFormat, exportHistory } from '../services/history/export/export.ts'
import { holdsDatabase } from '../services/history/storage/data-dir.ts'
import { openHistory } from '../services/history/storage/open-history.ts'
import { readSettings } from '../services/settings.ts'
import { loadEnvironment } from './environment.ts'
import { ProgressBar } from './progress.ts'
import { parseCommand, timeOption, UsageError } from './usage.ts'

const HELP = `Usage: crossbook export --from TIME --to TIME [--format csv|parquet|ndjson] [--out FOLDER] [--json]

Writes what was recorded in a range to files, and beside them manifest.json, which says of each market which stretches
are verified, degraded or missing. A time is ISO 8601 with an offset or Z, or epoch milliseconds; --to is not inside.
The database is the one that DATABASE_URL or DATA_DIR names; PGlite cannot be read while a gateway holds it.

  --format  csv (default), parquet or ndjson
  --out     where to (default: export-<from>-<to>)
  --json    print the result as one JSON object`

export async function exportCommand(args: string[]): Promise<void> {
  const options = parseCommand(
    args,
    {
      from: { type: 'string' },
      to: { type: 'string' },
      format: { type: 'string', default: 'csv' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false }
    },
    HELP
  )
  if (options === null) return
  const range = { fromMs: neededTime('from', options.from), toMs: neededTime('to', options.to) }
  if (range.fromMs >= range.toMs) throw new UsageError('--from must be before --to')
  const format = EXPORT_FORMATS.find((known) => known === options.format)
  if (format === undefined) throw new UsageError(`--format must be one of ${EXPORT_FORMATS.join(', ')}`)
  loadEnvironment('.env')
  const config = readSettings(process.env)
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = config
  if (databaseUrl === '' && !holdsDatabase(dataDir))
    throw new UsageError(
      `nothing was recorded in DATA_DIR ${dataDir}: set DATA_DIR or DATABASE_URL to where it was`
    )
  const folder = options.out ?? join('.', `export-${nameOf(range.fromMs)}-${nameOf(range.toMs)}`)
  const log = { info: () => {}, warn: () => {}, error: () => {} }
  const history = await openHistory({ databaseUrl, dataDir, log, readsOnly: true })
  const bar = new ProgressBar(`exporting to ${folder}`, range.toMs - range.fromMs)
  try {
    let doneMs = range.fromMs
    const result = await exportHistory({
      history,
      range,
      format: format as ExportFormat,
      folder,
      nowMs: Date.now(),
      onProgress: (atMs) => {
        bar.advance(atMs - doneMs)
        doneMs = atMs
      }
    })
    bar.done()
    if (options.json) console.log(JSON.stringify({ folder, ...result }))
    else {
      console.table(result.files)
      const title = styleText('bold', counted(result.markets, 'market'), { stream: process.stdout })
      console.log(`${title} and ${counted(result.gaps, 'gap')} in ${join(folder, 'manifest.json')}`)
    }
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    throw new UsageError(`--out ${folder} cannot be written (${code}): give another folder, or make room`)
  } finally {
    bar.done()
    await history.close()
  }
}

function neededTime(name: string, text: string | undefined): number {
  const timeMs = timeOption(name, text)
  if (timeMs === null) throw new UsageError(`--${name} must be a time; see crossbook export --help`)
  return timeMs
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** A time as part of a file's name. */
function nameOf(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/[-:]|\.\d+/g, '')
}
