import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import t, { type Test } from 'tap'
import { PROGRAM } from '../faults/program.ts'
import type { Manifest } from '../services/history/export/manifest.ts'
import type { HistoryStore } from '../services/history/records.ts'
import { openHistory } from '../services/history/storage/open-history.ts'
import { freshDatabase, withoutServer } from './engines.ts'
import { coverageRow, gapRow, snapshotRow, tradeRow } from './fake-history.ts'

/** `crossbook export` as a whole process, over a database on disk. */

const root = fileURLToPath(new URL('..', import.meta.url))
const A = 'kalshi:KXTEST-A'
const FROM = Date.UTC(2026, 10, 20, 12)
const TO = FROM + 60_000
/** A size of a row that exact decimals are needed for. */
const HUGE = Number.MAX_SAFE_INTEGER
const log = { info() {}, warn() {} }

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

function run(
  args: string[],
  cwd: string,
  environment: Record<string, string>,
  command = process.execPath
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { cwd, env: { PATH: process.env.PATH ?? '', ...environment } },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr })
    )
  })
}

async function recorded(dataDir: string, databaseUrl = ''): Promise<HistoryStore> {
  const history = await openHistory({ databaseUrl, dataDir, log })
  await history.writeSession({ sessionId: 'one', startedAtMs: FROM, heartbeatAtMs: TO, endedAtMs: TO })
  await history.writeSnapshots([
    snapshotRow(A, FROM, { bestBidSize: HUGE, bids: [[4_000, HUGE]], sequence: HUGE }),
    snapshotRow(A, FROM + 1, { bestBid: null, bestBidSize: null, bids: [], sequence: null }),
    snapshotRow(A, TO)
  ])
  await history.writeTrades([tradeRow(A, FROM + 5, { receivedAtMs: FROM + 6, size: 1 })])
  await history.writeCoverage([coverageRow(A, FROM, TO)])
  await history.writeGaps([
    gapRow('hole', FROM + 1_000, { kind: 'recorder_overflow', marketIds: [A], endedAtMs: FROM + 2_000 })
  ])
  return history
}

t.test('crossbook export', async (t) => {
  const folder = t.testdir({
    away: {},
    empty: { database: {} },
    broken: { database: { PG_VERSION: '9.6\n' } },
    file: '',
    full: { 'trades.parquet': {} }
  })
  const dataDir = join(folder, 'data')
  const history = await recorded(dataDir)
  const exported = (args: string[], environment: Record<string, string> = {}) =>
    run([PROGRAM, 'export', ...args], folder, { DATA_DIR: dataDir, ...environment })
  const range = ['--from', String(FROM), '--to', String(TO)]
  const refused = async (t: Test, args: string[], sentence: RegExp, environment = {}) => {
    const { code, stdout, stderr } = await exported(args, environment)
    t.equal(code, 1, args.join(' '))
    t.match(stderr.trim(), sentence)
    t.equal(stderr.trim().split('\n').length, 1, 'one sentence')
    t.equal(stdout, '')
  }

  await t.test('says that a gateway holds the database', async (t) => {
    await refused(t, range, new RegExp(`^crossbook: DATA_DIR \\S+ is in use by process ${process.pid}: `))
  })
  await history.close()

  await t.test('writes csv by default, with the manifest beside it, quiet but for its result', async (t) => {
    const { code, stdout, stderr } = await exported(range)
    t.equal(code, 0)
    t.equal(stderr, '', 'a progress bar is for terminals')
    t.match(
      stdout,
      /snapshots\.csv.*2[\s\S]*trades\.csv.*1[\s\S]*1 market and 1 gap in export-\S+manifest\.json/
    )
    const out = join(folder, 'export-20261120T120000Z-20261120T120100Z')
    t.strictSame(readdirSync(out).sort(), ['manifest.json', 'snapshots.csv', 'trades.csv'])
    const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')) as Manifest
    t.match(manifest.gaps, [{ id: 'hole', kind: 'recorder_overflow' }])
    t.strictSame(
      manifest.coverage[A]?.intervals.map(({ from, kind, reason }) => [
        Date.parse(from) - FROM,
        kind,
        reason
      ]),
      [
        [0, 'verified', null],
        [1_000, 'degraded', 'recorder_overflow'],
        [2_000, 'verified', null]
      ]
    )
  })

  await t.test('prints one JSON object with --json, and takes times as ISO 8601 too', async (t) => {
    const times = ['--from', '2026-11-20T13:00:00+01:00', '--to', '2026-11-20T12:00:00.001Z']
    const { code, stdout, stderr } = await exported([...times, '--format', 'ndjson', '--out', 'j', '--json'])
    t.equal(code, 0)
    t.equal(stderr, '')
    t.strictSame(JSON.parse(stdout), {
      folder: 'j',
      files: [
        { name: 'snapshots.ndjson', rows: 1 },
        { name: 'trades.ndjson', rows: 0 }
      ],
      markets: 1,
      gaps: 0
    })
  })

  await t.test('writes parquet that reads back to the last digit', async (t) => {
    const { code } = await exported([...range, '--format', 'parquet', '--out', 'p', '--json'])
    t.equal(code, 0)
    const file = await asyncBufferFromFile(join(folder, 'p', 'snapshots.parquet'))
    const rows = await parquetReadObjects({ file })
    t.match(rows, [
      { market_id: A, at: new Date(FROM), sequence: BigInt(HUGE), state: 'live', reason: null },
      { market_id: A, at: new Date(FROM + 1), best_bid: null, bids: '[]', sequence: null }
    ])
    t.equal(rows.length, 2)
    t.strictSame(JSON.parse(rows[0]?.bids as string), [['0.4', '9007199254.740991']])
    // The reader makes floats of decimals: without their type it gives the integers that are in the file.
    const metadata = await parquetMetadataAsync(file)
    t.match(Object.fromEntries(metadata.key_value_metadata?.map(({ key, value }) => [key, value]) ?? []), {
      'unit.price': /^dollars per contract/,
      'unit.size': /^contracts/
    })
    const money = metadata.schema.filter(({ converted_type }) => converted_type === 'DECIMAL')
    t.strictSame(
      money.map(({ name, scale }) => [name, scale]),
      [
        ['best_bid', 4],
        ['best_bid_size', 6],
        ['best_ask', 4],
        ['best_ask_size', 6]
      ]
    )
    for (const element of money) delete element.converted_type
    const [stored] = await parquetReadObjects({ file, metadata })
    t.match(stored, {
      best_bid: 4_000,
      best_bid_size: BigInt(HUGE),
      best_ask: 4_500,
      best_ask_size: 2_000_001n
    })
    const trades = await asyncBufferFromFile(join(folder, 'p', 'trades.parquet'))
    t.match(await parquetReadObjects({ file: trades }), [
      { market_id: A, trade_id: `trade-${FROM + 5}`, received_at: new Date(FROM + 6), taker_side: 'yes' }
    ])
  })

  await t.test('writes whole files of a range without rows', async (t) => {
    const { code, stdout } = await exported(['--from', '1', '--to', '2', '--format', 'parquet', '--out', 'e'])
    t.equal(code, 0)
    t.match(stdout, /0 markets and 0 gaps/)
    const file = await asyncBufferFromFile(join(folder, 'e', 'snapshots.parquet'))
    t.strictSame(await parquetReadObjects({ file }), [])
  })

  const script = '/usr/bin/script'
  const skip = existsSync(script) ? false : 'no script(1) here to make a terminal'
  await t.test('draws its progress at a terminal', { skip }, async (t) => {
    const command = [process.execPath, PROGRAM, 'export', ...range, '--out', 'out'].join(' ')
    const { stdout } = await run(['-qec', command, '/dev/null'], folder, { DATA_DIR: dataDir }, script)
    t.match(stdout, /[█░]{30} +\d+ % exporting to out/)
    t.match(stdout, /1 market and 1 gap/)
  })

  await t.test('says in one sentence what is wrong', async (t) => {
    const cases: [string[], RegExp, Record<string, string>?][] = [
      [[], /^crossbook: --from must be a time; see crossbook export --help$/],
      [['--from', '1'], /^crossbook: --to must be a time/],
      [['--from', 'noon', '--to', '2'], /^crossbook: --from must be ISO 8601 [^\n]*, but is "noon"$/],
      [['--from', '5', '--to', '5'], /^crossbook: --from must be before --to$/],
      [[...range, '--format', 'xls'], /^crossbook: --format must be one of csv, parquet, ndjson$/],
      [range, /^crossbook: nothing was recorded in DATA_DIR away: /, { DATA_DIR: 'away' }],
      [range, /^crossbook: the database of the history is empty or of an older /, { DATA_DIR: 'empty' }],
      [
        range,
        /^crossbook: the database in broken\/database cannot be opened, it may be damaged \([^\n]+\): move it away/,
        { DATA_DIR: 'broken' }
      ],
      [range, /cannot be reached, ECONNREFUSED/, { DATABASE_URL: 'postgres://u:s3cret@127.0.0.1:1/d' }]
    ]
    await Promise.all(cases.map(([args, sentence, environment]) => refused(t, args, sentence, environment)))
    t.strictSame(readdirSync(join(folder, 'away')), [], 'a database is not made where none was')
    // One after the other: the database is for one at a time.
    await refused(
      t,
      [...range, '--out', 'file/in'],
      /^crossbook: --out file\/in cannot be written \(ENOTDIR\): /
    )
    const onto = [...range, '--out', 'full', '--format', 'parquet']
    await refused(t, onto, /^crossbook: --out full cannot be written \(EISDIR\): /)
  })
})

t.test(
  'crossbook export writes the same files from PostgreSQL as from PGlite',
  { skip: withoutServer },
  async (t) => {
    const folder = t.testdir()
    const databases = { pglite: '', postgres: await freshDatabase(t) }
    const contents = []
    for (const [engine, DATABASE_URL] of Object.entries(databases)) {
      await (await recorded(join(folder, engine), DATABASE_URL)).close()
      const files = []
      for (const format of ['csv', 'ndjson', 'parquet']) {
        const out = join(folder, `${engine}-${format}`)
        const { code, stderr } = await run(
          [PROGRAM, 'export', '--from', String(FROM), '--to', String(TO), '--format', format, '--out', out],
          folder,
          { DATA_DIR: join(folder, engine), DATABASE_URL }
        )
        t.strictSame([code, stderr], [0, ''])
        for (const name of readdirSync(out).sort()) {
          const bytes = readFileSync(join(out, name))
          files.push([name, name === 'manifest.json' ? withoutTime(bytes) : bytes.toString('latin1')])
        }
      }
      contents.push(files)
    }
    const [one, two] = contents
    t.equal(one?.length, 9)
    t.strictSame(two, one)
  }
)

function withoutTime(manifest: Buffer): object {
  const { madeAt: _, ...rest } = JSON.parse(manifest.toString())
  return rest
}

/** Writes rows in the batches of an export, more than one group of them. */
const GROUPS = `
  import { ParquetFile } from ${JSON.stringify(join(root, 'services/history/export/parquet-file.ts'))}
  const file = new ParquetFile(process.argv[1], { name: 'n', columns: [{ name: 'n', kind: 'integer', value: (n) => n }] })
  for (let from = 0; from < 60_000; from += 5_000)
    await file.write(Array.from({ length: 5_000 }, (_, n) => from + n))
  await file.end()`

t.test('parquet of many rows is in groups, in their order', async (t) => {
  const path = join(t.testdir(), 'n.parquet')
  const { code, stderr } = await run(['--import', 'tsx', '--input-type=module', '-e', GROUPS, path], root, {})
  t.equal(code, 0, stderr)
  const file = await asyncBufferFromFile(path)
  const { row_groups } = await parquetMetadataAsync(file)
  t.strictSame(
    row_groups.map(({ num_rows }) => num_rows),
    [50_000n, 10_000n]
  )
  const rows = await parquetReadObjects({ file })
  t.equal(rows.length, 60_000)
  t.ok(rows.every(({ n }, index) => n === BigInt(index)))
})
