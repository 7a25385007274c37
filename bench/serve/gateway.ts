import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { buildApp } from '../../app.ts'
import { KalshiBooks } from '../../services/kalshi/books.ts'
import { readSettings } from '../../services/settings.ts'
import { getAggregate } from '../../services/snapshots/aggregate.ts'
import type { SnapshotStore } from '../../services/snapshots/store.ts'
import { SupervisedSocket } from '../../services/venue/supervised-socket.ts'
import type { WireTap } from '../../services/venue/wire-tap.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { cpuMicros } from '../harness/cpu.ts'
import type { HistoryPlace } from '../history/engines.ts'
import { startRecording } from '../history/recording.ts'
import { listenExpress } from '../peers/express.mjs'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { kalshiTicker } from '../synthetic/kalshi.ts'
import { kalshiMarket, polymarketMarket } from '../synthetic/market.ts'

export interface GatewayOptions {
  /** Crossbook itself, or the naive peer that serves the same store. */
  kind: 'crossbook' | 'express'
  markets: number
  /** Every second market one of Polymarket: longer texts. */
  isMixed: boolean
  /** Where deltas for the Kalshi markets come from; null for a quiet store. */
  feedUrl: string | null
  /** Where all of it is recorded; null for nothing. */
  recordIn: HistoryPlace | null
}

/** A reading of the server's counters, all at one instant. */
export interface GatewayMark {
  cpuMicros: number
  wallMs: number
  residentBytes: number
  /** The most that was seen since `watch`. */
  residentPeakBytes: number
  /** The longest turn of the event loop since `watch`. */
  stallMs: number
  /** Updates applied so far. */
  applied: number
  /** Rows written, and records and rows that recording gave up. */
  recorded: { rows: number; lostRows: number; lostRecords: number }
}

const { kind, markets, isMixed, feedUrl, recordIn } = startOptions<GatewayOptions>()
const HOUR_MS = 3_600_000
const PEAK_EVERY_MS = 5
const START_MS = 1_795_176_000_123

const config = readSettings({
  PORT: '0',
  HISTORY: 'off',
  LOG_LEVEL: 'silent',
  // The store has room for twice as many of each venue.
  MAX_MARKETS_PER_VENUE: String(Math.ceil(markets / 4))
})
const app = await buildApp({ config, feeds: 'none', logger: false })
const { snapshotStore } = app
const slots = fill(snapshotStore)
const recording = recordIn === null ? null : await startRecording(snapshotStore, recordIn)
const applied = feedUrl === null ? () => 0 : await connect(feedUrl)
const delays = monitorEventLoopDelay({ resolution: 1 })
let peakBytes = 0
let peakTimer: NodeJS.Timeout | undefined
const port = kind === 'crossbook' ? await listenApp() : await listenExpress(allRecords(), aggregateOf)

answer(({ question }) => {
  if (question === 'port') return port
  if (question === 'watch') watch()
  if (question === 'collect') {
    globalThis.gc?.()
    globalThis.gc?.()
  }
  return {
    cpuMicros: cpuMicros(),
    wallMs: performance.now(),
    residentBytes: process.memoryUsage.rss(),
    residentPeakBytes: peakBytes,
    stallMs: delays.max / 1e6,
    applied: applied(),
    recorded: recorded()
  } satisfies GatewayMark
})

function recorded(): GatewayMark['recorded'] {
  if (recording === null) return { rows: 0, lostRows: 0, lostRecords: 0 }
  const { recorder, journals } = recording.status()
  const lostRecords = Object.values(journals).reduce((sum, journal) => sum + journal.lostRecords, 0)
  return { rows: recorder.written, lostRows: recorder.conflated + recorder.dropped, lostRecords }
}

async function listenApp(): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

function allRecords() {
  return [...snapshotStore.records()].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function aggregateOf(record: ReturnType<typeof allRecords>[number]) {
  return getAggregate(snapshotStore, record, 10)
}

/** Starts to look at the event loop and the memory from now on. */
function watch(): void {
  delays.enable()
  delays.reset()
  peakBytes = process.memoryUsage.rss()
  clearInterval(peakTimer)
  peakTimer = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }, PEAK_EVERY_MS)
}

function fill(store: SnapshotStore): Int32Array {
  const { books } = store
  return Int32Array.from({ length: markets }, (_, i) => {
    const record = store.put(isMixed && i % 2 === 1 ? polymarketMarket(i) : kalshiMarket(i), 'Rules.')
    if (record === null) throw new Error('the table is full')
    fillArena(books.arena, record.slot, syntheticBook(i))
    books.received(record.slot, START_MS + i, START_MS + i, i)
    books.resynced(record.slot)
    books.touch(record.slot)
    return record.slot
  })
}

/** Follows the stand-in as the Kalshi feed follows the venue; returns how to count what was applied. */
async function connect(url: string): Promise<() => number> {
  const books = new KalshiBooks({ table: snapshotStore.books })
  slots.forEach((slot, i) => {
    books.follow(kalshiTicker(i), slot)
  })
  const connection = books.connection({ startAnywhere: true })
  const consumer = snapshotStore.consume()
  setInterval(() => consumer.drain(() => {}), 50)
  await new Promise<void>((resolve) => {
    const socket = new SupervisedSocket({
      name: 'bench',
      url,
      keepAlive: { kind: 'ping', everyMs: HOUR_MS, timeoutMs: HOUR_MS },
      onOpen: resolve,
      onFrame: (frame, receivedAtMs) => books.apply(frame, receivedAtMs, connection),
      onDown: (reason) => {
        throw new Error(reason)
      },
      log: { info: () => {}, warn: () => {} },
      tapped:
        recording === null
          ? null
          : { venue: 'kalshi', wire: recording.taps.wire as WireTap, keepsBooks: true }
    })
    socket.start()
  })
  return () => {
    if (books.counters.ignored.size > 0)
      throw new Error(`the product left frames out: ${JSON.stringify([...books.counters.ignored])}`)
    return books.counters.applied
  }
}
