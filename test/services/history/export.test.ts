import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type ExportFormat, exportHistory } from '../../../services/history/export/export.ts'
import type { Manifest } from '../../../services/history/export/manifest.ts'
import type { TimeRange } from '../../../services/history/records.ts'
import { coverageRow, gapRow, snapshotRow, tradeRow } from '../../fake-history.ts'
import { MemoryHistoryStore } from './memory-store.ts'

const A = 'kalshi:KXTEST-A'
const B = 'polymarket:0xb'
const FROM = Date.UTC(2026, 10, 20, 12)
const TO = FROM + 60_000
const RANGE = { fromMs: FROM, toMs: TO }
/** Parquet is written by whole processes only: see test/export.test.ts. */
const TEXTS = ['csv', 'ndjson'] as const
const HUGE = Number.MAX_SAFE_INTEGER
const isoTime = (epochMs: number) => new Date(epochMs).toISOString()

/** Of both markets, with a row at each edge of the range and one outside of it. */
async function recorded(): Promise<MemoryHistoryStore> {
  const history = new MemoryHistoryStore()
  await history.writeSession({ sessionId: 'one', startedAtMs: FROM, heartbeatAtMs: TO, endedAtMs: null })
  await history.writeSnapshots([
    snapshotRow(A, FROM - 1),
    snapshotRow(A, FROM, { bestBidSize: HUGE, bids: [[4_000, HUGE]], sequence: HUGE, verifiedAtMs: FROM }),
    snapshotRow(B, TO - 1, {
      source: 'poll',
      cause: 'poll',
      sequence: null,
      venueTimeMs: null,
      receivedAtMs: null,
      bestBid: null,
      bestBidSize: null,
      bestAsk: null,
      bestAskSize: null,
      bids: [],
      asks: [],
      state: 'suspect',
      reason: 'a "quoted", one\r\nof two lines',
      mismatches: 2
    }),
    snapshotRow(B, TO)
  ])
  await history.writeTrades([
    tradeRow(A, FROM + 5, { price: 10_000, size: 1, receivedAtMs: FROM + 6 }),
    tradeRow(B, TO, { receivedAtMs: TO })
  ])
  await history.writeCoverage([coverageRow(A, FROM - 10, TO), coverageRow(B, FROM + 1_000, TO)])
  return history
}

async function exported(
  t: Test,
  history: MemoryHistoryStore,
  format: ExportFormat,
  range: TimeRange = RANGE
) {
  const folder = join(t.testdir(), 'made', 'here')
  const progress: number[] = []
  const result = await exportHistory({
    history,
    range,
    format,
    folder,
    nowMs: TO + 5_000,
    onProgress: (atMs) => progress.push(atMs)
  })
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { folder, result, progress, read, manifest: JSON.parse(read('manifest.json')) as Manifest }
}

t.test('csv holds a range that is half-open, with exact decimals and quoted text', async (t) => {
  const { result, read, progress } = await exported(t, await recorded(), 'csv')
  t.strictSame(result, {
    files: [
      { name: 'snapshots.csv', rows: 2 },
      { name: 'trades.csv', rows: 1 }
    ],
    markets: 2,
    gaps: 0
  })
  t.strictSame(progress, [TO - 1])
  const at = isoTime(FROM)
  t.equal(
    read('snapshots.csv'),
    'market_id,at,source,cause,sequence,venue_time,received_at,best_bid,best_bid_size,best_ask,best_ask_size,bids,' +
      'asks,state,reason,verified_at,mismatches\r\n' +
      `${A},${at},websocket,change,${HUGE},${isoTime(FROM - 5)},${isoTime(FROM - 1)},0.4,9007199254.740991,0.45,` +
      `2.000001,"[[""0.4"",""9007199254.740991""]]","[[""0.45"",""2.000001""]]",live,,${at},0\r\n` +
      `${B},${isoTime(TO - 1)},poll,poll,,,,,,,,[],[],suspect,"a ""quoted"", one\r\nof two lines",,2\r\n`
  )
  t.equal(
    read('trades.csv'),
    'market_id,trade_id,venue_time,received_at,price,size,taker_side\r\n' +
      `${A},trade-${FROM + 5},${isoTime(FROM + 5)},${isoTime(FROM + 6)},1,0.000001,yes\r\n`
  )
})

t.test('ndjson holds the same, money as decimal text, levels as lists and nothing as null', async (t) => {
  const { read } = await exported(t, await recorded(), 'ndjson')
  const lines = read('snapshots.ndjson')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
  t.equal(lines.length, 2)
  t.match(lines[0], { market_id: A, best_bid: '0.4', best_bid_size: '9007199254.740991', sequence: HUGE })
  t.strictSame(lines[0].bids, [['0.4', '9007199254.740991']])
  t.strictSame(lines[0].asks, [['0.45', '2.000001']])
  t.strictSame([lines[1].bids, lines[1].asks], [[], []])
  t.match(lines[1], { market_id: B, at: isoTime(TO - 1), best_bid: null, sequence: null, mismatches: 2 })
  t.match(JSON.parse(read('trades.ndjson')), { price: '1', size: '0.000001', taker_side: 'yes' })
})

t.test('a range of which nothing was recorded makes whole files without rows', async (t) => {
  for (const format of TEXTS) {
    const { read, manifest } = await exported(t, new MemoryHistoryStore(), format)
    t.match(manifest, { format, files: [{ rows: 0 }, { rows: 0 }], gaps: [], coverage: {} })
    t.match(read(`trades.${format}`), format === 'csv' ? /^market_id,[a-z_,]+\r\n$/ : /^$/)
  }
})

t.test('the manifest', async (t) => {
  t.test('says what it is of', async (t) => {
    const { manifest } = await exported(t, await recorded(), 'csv')
    t.match(manifest, {
      from: isoTime(FROM),
      to: isoTime(TO),
      madeAt: isoTime(TO + 5_000),
      format: 'csv',
      units: { price: /^dollars per contract/, size: /^contracts/, levels: /decimal text/ },
      files: [
        { name: 'snapshots.csv', rows: 2 },
        { name: 'trades.csv', rows: 1 }
      ],
      gaps: []
    })
    t.strictSame(manifest.coverage, {
      [A]: {
        recordedFrom: isoTime(FROM - 10),
        intervals: [{ from: isoTime(FROM), to: isoTime(TO), kind: 'verified', reason: null }]
      },
      [B]: {
        recordedFrom: isoTime(FROM + 1_000),
        intervals: [{ from: isoTime(FROM + 1_000), to: isoTime(TO), kind: 'verified', reason: null }]
      }
    })
  })

  t.test('says when recording began, also where that was long before the range', async (t) => {
    const history = await recorded()
    await history.writeCoverage([coverageRow(A, FROM - 90, FROM - 10)])
    const { manifest } = await exported(t, history, 'csv')
    t.equal(manifest.coverage[A]?.recordedFrom, isoTime(FROM - 90))
  })

  t.test('names a hole, of the markets that it is of', async (t) => {
    const history = await recorded()
    await history.writeGaps([
      gapRow('hole', FROM + 10_000, {
        kind: 'journal_hole',
        marketIds: null,
        fromSequence: null,
        toSequence: null,
        endedAtMs: FROM + 20_000,
        recoveredBy: 'none'
      }),
      gapRow('before', FROM - 30_000)
    ])
    const { manifest, result } = await exported(t, history, 'csv')
    t.equal(result.gaps, 1)
    t.match(manifest.gaps, [
      {
        id: 'hole',
        kind: 'journal_hole',
        startedAt: isoTime(FROM + 10_000),
        detectedAt: isoTime(FROM + 10_050),
        endedAt: isoTime(FROM + 20_000)
      }
    ])
    t.strictSame(
      manifest.coverage[A]?.intervals.map(({ from, to, kind, reason }) => [from, to, kind, reason]),
      [
        [isoTime(FROM), isoTime(FROM + 10_000), 'verified', null],
        [isoTime(FROM + 10_000), isoTime(FROM + 20_000), 'degraded', 'journal_hole'],
        [isoTime(FROM + 20_000), isoTime(TO), 'verified', null]
      ]
    )
    t.equal(manifest.coverage[B]?.intervals.length, 1, 'another venue')
  })

  t.test('names the time between two runs, also of a market of which no row is left', async (t) => {
    const history = new MemoryHistoryStore()
    const session = (sessionId: string, startedAtMs: number, heartbeatAtMs: number) =>
      history.writeSession({ sessionId, startedAtMs, heartbeatAtMs, endedAtMs: null })
    await session('one', FROM - 100, FROM + 10_000)
    await session('two', FROM + 30_000, TO)
    await history.writeCoverage([
      coverageRow(A, FROM - 100, null),
      { ...coverageRow(A, FROM + 31_000, null), sessionId: 'two' },
      coverageRow(B, FROM - 100, null)
    ])
    const { manifest } = await exported(t, history, 'csv')
    const parts = (id: string) =>
      manifest.coverage[id]?.intervals.map(({ from, kind }) => `${Date.parse(from) - FROM} ${kind}`)
    t.strictSame(parts(A), ['0 verified', '10000 missing', '31000 verified'])
    t.strictSame(parts(B), ['0 verified', '10000 missing'])
    const later = await exported(t, history, 'csv', { fromMs: FROM + 40_000, toMs: TO })
    t.strictSame(Object.keys(later.manifest.coverage), [A], 'nobody followed the other one any more')
  })

  t.test('of an export before does not stay beside files that are not whole', async (t) => {
    const history = await recorded()
    const { folder } = await exported(t, history, 'csv')
    t.ok(readdirSync(folder).includes('manifest.json'))
    Object.assign(history, {
      async *exportTrades() {
        yield [tradeRow(A, FROM)]
        throw new Error('away')
      }
    })
    const again = { history, range: RANGE, format: 'csv', folder, nowMs: TO } as const
    await t.rejects(exportHistory(again), { message: 'away' })
    t.strictSame(readdirSync(folder).sort(), ['snapshots.csv', 'trades.csv'])
  })

  t.test('is refused where it could not name every gap', async (t) => {
    const history = await recorded()
    Object.assign(history, {
      gaps: async ({ limit }: { limit: number }) =>
        Array.from({ length: limit }, (_, n) => gapRow(`${n}`, FROM))
    })
    const folder = join(t.testdir(), 'none')
    await t.rejects(exportHistory({ history, range: RANGE, format: 'csv', folder, nowMs: TO }), {
      code: 'RANGE_INVALID',
      message: /more than 100000 gaps/
    })
    t.throws(() => readdirSync(folder), { code: 'ENOENT' })
  })
})

t.test('a file that cannot be written ends the export with its error, whatever the format', async (t) => {
  const history = await recorded()
  for (const format of TEXTS) {
    const folder = t.testdir()
    mkdirSync(join(folder, `snapshots.${format}`))
    const options = { history, range: RANGE, format, nowMs: TO }
    await t.rejects(exportHistory({ ...options, folder }), { code: 'EISDIR' }, format)
    writeFileSync(join(folder, 'file'), '')
    await t.rejects(exportHistory({ ...options, folder: join(folder, 'file', 'in') }), { code: 'ENOTDIR' })
  }
})
