import { setTimeout as sleep } from 'node:timers/promises'
import { HistoryRecorder } from '../../services/history/history-recorder.ts'
import type { HistoryStore, SnapshotRecord } from '../../services/history/records.ts'
import { snapshotRow } from '../../services/history/snapshot-rows.ts'
import { openHistory } from '../../services/history/storage/open-history.ts'
import { YES } from '../../services/orderbook/arena.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { kalshiMarket } from '../synthetic/market.ts'
import type { HistoryPlace } from './engines.ts'

export interface RecorderWorkerOptions extends HistoryPlace {
  markets: number
  flushMs: number
}

/** What the recorder did in one stretch. */
export interface RecorderReading {
  rowsPerSecond: number
  /** The longest that a row waited, as far as looks every few milliseconds see it. */
  lagMs: number
  /** Rows that gave way to newer ones, or had no room. */
  lost: number
}

/** A book changes no more often than it is recorded, so that each change is a row. */
const TURN_MS = 1_050
const LOOK_EVERY_MS = 20
const SETTLE_LIMIT_MS = 120_000
const QUEUE_MAX = 50_000
/** Changes under way when the recorder is kept busy: some batches, and far from the bound. */
const UNDER_WAY = 4_000
const STEP = 1_000_000

const { databaseUrl, dataDir, markets, flushMs } = startOptions<RecorderWorkerOptions>()
const log = { info() {}, warn: (...what: unknown[]) => console.error(...what) }
const store = new SnapshotStore({ capacityMarkets: markets, capacityLevels: markets * 256 })
const { books } = store
const slots = Int32Array.from({ length: markets }, (_, index) => {
  const record = store.put(kalshiMarket(index), 'Rules.')
  if (record === null) throw new Error('the table is full')
  fillArena(books.arena, record.slot, syntheticBook(index))
  books.received(record.slot, Date.now(), Date.now(), index)
  books.resynced(record.slot)
  return record.slot
})
const history = await openHistory({ databaseUrl, dataDir, log })
const recorder = new HistoryRecorder({
  store,
  history,
  flushMs,
  queueMax: QUEUE_MAX,
  gapFillIntervalMs: 3_600_000,
  log,
  now: Date.now,
  steadyNow: performance.now.bind(performance),
  random: Math.random
})
recorder.start()
await settled()

let made = 0
const changedAt = new Float64Array(markets).fill(Number.NEGATIVE_INFINITY)

answer(({ question, perSecond, ms }) => {
  if (question === 'record') return record(perSecond as number | null, ms as number)
  if (question === 'single') return writeSingly(history, ms as number)
  throw new Error(`cannot answer ${JSON.stringify(question)}`)
})

/** Changes so many books a second, or as many as the recorder takes, and looks at what it does after a second. */
async function record(perSecond: number | null, ms: number): Promise<RecorderReading> {
  const first = made
  const builtBefore = built()
  const lostBefore = lost()
  const startedAt = performance.now()
  let lagMs = 0
  let isMeasured = false
  const pace = setInterval(() => {
    const wanted =
      perSecond === null
        ? made + UNDER_WAY - (made - first - (built() - builtBefore)) - recorder.status().waiting
        : first + ((performance.now() - startedAt) * perSecond) / 1_000
    while (made < wanted && change()) made++
  }, 1)
  const look = setInterval(() => {
    if (isMeasured) lagMs = Math.max(lagMs, recorder.status().lagMs)
  }, LOOK_EVERY_MS)
  await sleep(flushMs)
  isMeasured = true
  const before = { ...recorder.status(), at: performance.now() }
  await sleep(ms)
  const after = { ...recorder.status(), at: performance.now() }
  clearInterval(pace)
  clearInterval(look)
  await settled()
  const rows = after.written - before.written
  return {
    rowsPerSecond: (rows * 1_000) / (after.at - before.at),
    lagMs,
    lost: lost() - lostBefore
  }
}

/** Changes the book that has not changed for longest; false if even that one is too fresh. */
function change(): boolean {
  const index = made % markets
  const now = performance.now()
  if (now - (changedAt[index] as number) < TURN_MS) return false
  changedAt[index] = now
  const slot = slots[index] as number
  const atMs = Date.now()
  books.arena.changeLevel(slot, YES, books.arena.priceAt(slot, YES, 0), STEP)
  books.received(slot, atMs, atMs, made)
  books.touch(slot)
  return true
}

/** The same rows to the same engine the plain way: one statement each, one after the other. */
async function writeSingly(to: HistoryStore, ms: number): Promise<RecorderReading> {
  const startedAt = performance.now()
  let rows = 0
  while (performance.now() - startedAt < ms) {
    const slot = slots[rows % markets] as number
    await to.writeSnapshots([singleRow(slot, rows)])
    rows++
  }
  const tookMs = performance.now() - startedAt
  return {
    rowsPerSecond: (rows * 1_000) / tookMs,
    lagMs: 0,
    lost: 0
  }
}

function singleRow(slot: number, number: number): SnapshotRecord {
  const id = store.at(slot)?.id ?? ''
  return { ...snapshotRow(books, slot, id, 'change', Date.now()), sequence: number }
}

function lost(): number {
  const { conflated, dropped } = recorder.status()
  return conflated + dropped
}

function built(): number {
  const { rows } = recorder.status()
  return rows.change + rows.interval + rows.verdict + rows.poll
}

/** Resolves once everything is written. */
async function settled(): Promise<void> {
  const giveUpAt = performance.now() + SETTLE_LIMIT_MS
  for (;;) {
    await recorder.flush()
    const { waiting, pending, lastError } = recorder.status()
    if (waiting === 0 && pending === 0) return
    if (performance.now() > giveUpAt)
      throw new Error(`${waiting} rows still wait: ${lastError ?? 'too slow'}`)
    await sleep(LOOK_EVERY_MS)
  }
}
