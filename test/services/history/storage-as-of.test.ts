import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { createDatabase } from '../../../faults/database.ts'
import type {
  GapRecord,
  HistoryRows,
  HistoryStore,
  SessionRecord
} from '../../../services/history/records.ts'
import { openHistory } from '../../../services/history/storage/open-history.ts'
import { coverageRow, gapRow, snapshotRow, tradeRow } from '../../fake-history.ts'
import { market } from '../../helper.ts'
import { MemoryHistoryStore } from './memory-store.ts'

/**
 * One database holds a whole recording. As of an instant it must answer what a history answers that had been written up
 * to that instant, and no further.
 */

const log = { info() {}, warn() {} }
const START = Date.UTC(2026, 0, 5, 12)
const MINUTE_MS = 60_000
const SECOND_MS = 1_000
const ALL = { fromMs: START - 60 * MINUTE_MS, toMs: START + 60 * MINUTE_MS }
/** Before its start nobody asks for it: what begins in the future is refused. */
const PART = { fromMs: START + 3 * SECOND_MS, toMs: START + 9 * SECOND_MS }

type Write = (history: HistoryStore) => Promise<void>

/** What a recorder writes of one market, each with when it does: seconds since the start. */
function recording(): {
  marketId: string
  sessionId: string
  gapId: string
  writes: [second: number, write: Write][]
} {
  const marketId = `kalshi:TEST-${randomUUID()}`
  const [sessionId, gapId] = [randomUUID(), randomUUID()]
  const at = (second: number) => START + second * SECOND_MS
  const writes: [number, Write][] = []
  const session = (second: number, startedAt: number, over: Partial<SessionRecord> = {}) =>
    writes.push([
      second,
      (history) =>
        history.writeSession({
          sessionId: `${sessionId}-${startedAt}`,
          startedAtMs: at(startedAt),
          heartbeatAtMs: at(second),
          endedAtMs: null,
          ...over
        })
    ])
  const snapshot = (second: number, over: Parameters<typeof snapshotRow>[2] = {}) =>
    writes.push([second, (history) => history.writeSnapshots([snapshotRow(marketId, at(second), over)])])
  const trade = (second: number, over: Parameters<typeof tradeRow>[2] = {}) =>
    writes.push([
      second,
      (history) =>
        history.writeTrades([tradeRow(marketId, at(second), { receivedAtMs: at(second), ...over })])
    ])
  const gap = (second: number, id: string, startedAt: number, over: Partial<GapRecord>) =>
    writes.push([
      second,
      (history) =>
        history.writeGaps([
          gapRow(`${id}-${gapId}`, at(startedAt), {
            marketIds: [marketId],
            detectedAtMs: at(startedAt + 1),
            endedAtMs: null,
            recoveredBy: null,
            decidedAtMs: null,
            ...over
          })
        ])
    ])
  const covered = (from: number, to: number | null, run: number, kind: 'verified' | 'missing') =>
    writes.push([
      to ?? from,
      (history) =>
        history.writeCoverage([
          {
            ...coverageRow(marketId, at(from), to === null ? null : at(to), kind),
            sessionId: `${sessionId}-${run}`
          }
        ])
    ])
  const told = (second: number, status: 'open' | 'halted') =>
    writes.push([
      second,
      (history) =>
        history.writeMarkets([
          {
            marketId,
            venue: 'kalshi',
            fromMs: at(second),
            status,
            rulesHash: '',
            market: market(1, { id: marketId, status })
          }
        ])
    ])

  // The first run: it loses its connection from 4 to 7, and ends in order at 10.
  told(1, 'open')
  covered(1, null, 0, 'missing')
  covered(1, 2, 0, 'missing')
  covered(2, null, 0, 'verified')
  covered(2, 5, 0, 'verified')
  covered(5, null, 0, 'missing')
  covered(5, 7, 0, 'missing')
  covered(7, null, 0, 'verified')
  gap(5, 'cut', 4, {})
  gap(7, 'cut', 4, { endedAtMs: at(7), recoveredBy: 'snapshot', decidedAtMs: at(7) })
  for (const second of [2, 3, 4, 7, 8, 9]) snapshot(second, { bestBid: 4_000 + second })
  snapshot(6, { source: 'poll', cause: 'poll', bestBid: 3_000 })
  for (const second of [2, 3, 8]) trade(second)
  told(8, 'halted')
  for (let second = 0; second < 10; second++) session(second, 0)
  session(10, 0, { endedAtMs: at(10) })
  // The second: it tells of the time between, and reads again what was traded while the connection was lost.
  session(12, 12)
  const restart = { kind: 'restart', marketIds: null, detectedAtMs: at(12), endedAtMs: at(12) } as const
  gap(12, 'restart', 10, restart)
  gap(14, 'restart', 10, { ...restart, recoveredBy: 'trades', decidedAtMs: at(14) })
  covered(12, null, 12, 'verified')
  snapshot(13)
  writes.push([
    14,
    (history) => history.writeTrades([tradeRow(marketId, at(5), { receivedAtMs: at(14), price: 9_900 })])
  ])
  for (let second = 13; second < 20; second++) session(second, 12)
  return { marketId, sessionId, gapId, writes: writes.sort(([a], [b]) => a - b) }
}

/** All that can be asked of one market; other tests' runs are not among the answers. */
async function answers(rows: HistoryRows, marketId: string, sessionId: string, second: number) {
  const pages = async (limit: number, of: 'snapshots' | 'trades', range: typeof ALL) => {
    const found: object[][] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<HistoryRows['trades' | 'snapshots']>> = await rows[of]({
        marketId,
        ...range,
        source: null,
        limit,
        cursor
      })
      found.push(page.rows)
      cursor = page.cursor
    } while (cursor !== null)
    return found
  }
  const inParts = async (range: typeof ALL) => ({
    snapshots: await pages(2, 'snapshots', range),
    trades: await pages(2, 'trades', range),
    gaps: await rows.gaps({ marketId, ...range, limit: 10 }),
    oneGap: await rows.gaps({ marketId, ...range, limit: 1 }),
    coverage: await rows.coverage({ marketId, ...range })
  })
  return {
    latest: (await rows.latestSnapshots(marketId)).sort((a, b) => a.source.localeCompare(b.source)),
    all: await inParts(ALL),
    part: START + second * SECOND_MS < PART.fromMs ? null : await inParts(PART),
    candles: await rows.candles({ marketId, ...ALL, interval: '1m' }),
    recorded: await rows.recordedSpan(marketId),
    sessions: (await rows.sessions(ALL)).filter((one) => one.sessionId.startsWith(sessionId)),
    meta: await rows.marketMeta(marketId),
    knows: await rows.knows(marketId)
  }
}

function suite(t: Test, open: () => Promise<HistoryStore>): void {
  let store: HistoryStore
  t.before(async () => {
    store = await open()
  })
  t.teardown(() => store.close())

  t.test('as of each instant it answers what it would have then', async (t) => {
    const { marketId, sessionId, writes } = recording()
    for (const [, write] of writes) await write(store)
    for (let second = 0; second <= 20; second++) {
      const then = new MemoryHistoryStore()
      for (const [at, write] of writes) if (at <= second) await write(then)
      const asOf = store.asOf(START + second * SECOND_MS)
      const [found, wanted] = [
        await answers(asOf, marketId, sessionId, second),
        await answers(then, marketId, sessionId, second)
      ]
      for (const name of Object.keys(wanted) as (keyof typeof wanted)[])
        t.strictSame(found[name], wanted[name], `${name} after ${second} s`)
    }
  })

  t.test('between two signs of life a run lives', async (t) => {
    const { sessionId, writes } = recording()
    for (const [, write] of writes) await write(store)
    const atMs = START + 4_321
    const [session] = (await store.asOf(atMs).sessions(ALL)).filter((one) =>
      one.sessionId.startsWith(sessionId)
    )
    t.match(session, { heartbeatAtMs: atMs, endedAtMs: null })
  })

  t.test('pages go on where they were while the instant moves', async (t) => {
    const { marketId, writes } = recording()
    for (const [, write] of writes) await write(store)
    const query = { marketId, ...ALL, source: null, limit: 2 }
    const first = await store.asOf(START + 4 * SECOND_MS).snapshots({ ...query, cursor: null })
    t.strictSame(
      first.rows.map(({ bestBid }) => bestBid),
      [4_002, 4_003]
    )
    const second = await store.asOf(START + 8 * SECOND_MS).snapshots({ ...query, cursor: first.cursor })
    t.strictSame(
      second.rows.map(({ bestBid }) => bestBid),
      [4_004, 3_000]
    )
    t.not(second.cursor, null)
  })

  t.test(
    'how a gap was recovered is told once it is decided; where that was not kept, from its end',
    async (t) => {
      const marketId = `kalshi:TEST-${randomUUID()}`
      const [given, before] = [randomUUID(), randomUUID()]
      const ended = { marketIds: [marketId], endedAtMs: START + 1_500, recoveredBy: 'none' } as const
      await store.writeGaps([
        gapRow(given, START, { ...ended, decidedAtMs: START + 9_000 }),
        gapRow(before, START, { ...ended, decidedAtMs: null })
      ])
      const told = async (ms: number) => {
        const gaps = await store.asOf(START + ms).gaps({ marketId, ...ALL, limit: 9 })
        return [given, before].map((id) => {
          const gap = gaps.find((one) => one.id === id)
          return [gap?.endedAtMs, gap?.recoveredBy]
        })
      }
      const none = [START + 1_500, 'none']
      t.strictSame(await told(1_499), [
        [null, null],
        [null, null]
      ])
      t.strictSame(await told(8_999), [[START + 1_500, null], none])
      t.strictSame(await told(9_000), [none, none])
    }
  )

  t.test('a sentence that is written at the end is not told before', async (t) => {
    const marketId = `kalshi:TEST-${randomUUID()}`
    const id = randomUUID()
    await store.writeGaps([
      gapRow(id, START, {
        kind: 'storage_down',
        marketIds: [marketId],
        detail: 'The database was away for 1500 ms.'
      })
    ])
    const told = async (ms: number) =>
      (await store.asOf(START + ms).gaps({ marketId, ...ALL, limit: 9 })).filter((gap) => gap.id === id)
    t.strictSame(await told(49), [], 'not detected yet')
    t.match(await told(1_499), [{ endedAtMs: null, recoveredBy: null, detail: 'It is not over.' }])
    t.match(await told(1_500), [{ recoveredBy: 'snapshot', detail: 'The database was away for 1500 ms.' }])
  })
}

t.test('PGlite', async (t) => {
  const dataDir = t.testdir({})
  suite(t, () => openHistory({ databaseUrl: '', dataDir, log }))
})

const server = process.env.TEST_DATABASE_URL ?? ''
t.test('PostgreSQL', { skip: server === '' && 'TEST_DATABASE_URL is not set' }, async (t) => {
  const { url, drop } = await createDatabase(server)
  t.teardown(drop)
  suite(t, () => openHistory({ databaseUrl: url, dataDir: '', log }))
})
