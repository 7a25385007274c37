import { existsSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { buildApp } from '../../app.ts'
import type { Market } from '../../schemas/market.ts'
import { KalshiBooks } from '../../services/kalshi/books.ts'
import { PolymarketBooks } from '../../services/polymarket/books.ts'
import { readSettings } from '../../services/settings.ts'
import { SupervisedSocket } from '../../services/venue/supervised-socket.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { cpuMicros } from '../harness/cpu.ts'
import { listenNaiveStream } from '../peers/naive-stream.ts'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { kalshiTicker } from '../synthetic/kalshi.ts'
import { kalshiMarket, polymarketMarket } from '../synthetic/market.ts'
import { polymarketBook, polymarketIds } from '../synthetic/polymarket.ts'
import { nowMicros } from './stamp.ts'

export interface StreamGatewayOptions {
  /** Crossbook itself, or the naive peer that streams the same store. */
  kind: 'crossbook' | 'naive'
  /** Markets of Polymarket, and who sends their stamped changes; null for books that stay as they are. */
  stamped: { markets: number; url: string | null }
  /** Markets of Kalshi, and who sends the deltas that keep the gateway busy. */
  busy: { markets: number; url: string } | null
  /** Settings of Crossbook that are not its defaults. */
  settings: Record<string, string>
}

/** A reading of the gateway's counters, all at one instant. */
export interface StreamMark {
  cpuMicros: number
  wallMs: number
  /** How long it could have run and its core was another's; 0 where the system does not say. */
  waitedMs: number
  residentBytes: number
  /** In the heap and in buffers: what is still needed, after `collect`. */
  heldBytes: number
  /** The most that was seen since `watch`; to look costs time. */
  residentPeakBytes: number
  /** The longest turn of the event loop since `watch`. */
  stallMs: number
  /** Frames of venues that were applied so far. */
  applied: number
}

/** When a message of a topic was put together. */
export type Flush = [topic: number, seq: number, atMicros: number]

const { kind, stamped, busy, settings } = startOptions<StreamGatewayOptions>()
const HOUR_MS = 3_600_000
const START_MS = 1_795_176_000_123
const PEAK_EVERY_MS = 50
/** Of the main thread: nanoseconds run, nanoseconds waited, turns. */
const SCHEDULED = '/proc/self/schedstat'

const config = readSettings({
  PORT: '0',
  HISTORY: 'off',
  LOG_LEVEL: 'silent',
  // The store has room for twice as many of each venue.
  MAX_MARKETS_PER_VENUE: String(Math.ceil((stamped.markets + (busy?.markets ?? 0)) / 4) + 1),
  // The clients of a bench answer no pings.
  STREAM_IDLE_TIMEOUT_MS: String(HOUR_MS),
  ...settings
})
const app = await buildApp({ config, feeds: 'none', logger: false })
const { snapshotStore: store, streamHub } = app
const { books } = store
const polymarket = new PolymarketBooks({ table: books, hashBudgetPercent: 0 })
const kalshi = new KalshiBooks({ table: books })
for (let i = 0; i < stamped.markets; i++) {
  const { yes, no } = polymarketIds(i)
  polymarket.follow(yes, slotOf(polymarketMarket(i)), no)
  polymarket.apply(Buffer.from(polymarketBook(i, syntheticBook(i))), Date.now())
}
for (let i = 0; i < (busy?.markets ?? 0); i++) {
  const slot = slotOf(kalshiMarket(i))
  fillArena(books.arena, slot, syntheticBook(i))
  books.received(slot, START_MS, START_MS, i)
  books.resynced(slot)
  kalshi.follow(kalshiTicker(i), slot)
}
if (stamped.url !== null) await follow(stamped.url, (frame, atMs) => polymarket.apply(frame, atMs))
if (busy !== null) {
  const connection = kalshi.connection({ startAnywhere: true })
  await follow(busy.url, (frame, atMs) => kalshi.apply(frame, atMs, connection))
}

const port = kind === 'naive' ? (await listenNaiveStream(store)).port : await listenApp()
const delays = monitorEventLoopDelay({ resolution: 1 })
const flushes: Flush[] = []
let peakBytes = 0
let peakTimer: NodeJS.Timeout | undefined

answer(({ question }) => {
  if (question === 'port') return port
  if (question === 'note flushes') return noteFlushes()
  if (question === 'flushes') return flushes.splice(0)
  if (question === 'stream') return streamHub.status()
  if (question === 'collect') for (let i = 0; i < 2; i++) globalThis.gc?.()
  if (question === 'watch') watch()
  assertNothingIgnored()
  const { heapUsed, external } = process.memoryUsage()
  const mark: StreamMark = {
    cpuMicros: cpuMicros(),
    wallMs: performance.now(),
    waitedMs: waitedMs(),
    residentBytes: process.memoryUsage.rss(),
    heldBytes: heapUsed + external,
    residentPeakBytes: peakBytes,
    stallMs: delays.max / 1e6,
    applied: polymarket.counters.applied + kalshi.counters.applied
  }
  if (question === 'unwatch') unwatch()
  return mark
})

function waitedMs(): number {
  return existsSync(SCHEDULED) ? Number(readFileSync(SCHEDULED, 'utf8').split(' ')[1]) / 1e6 : 0
}

function watch(): void {
  delays.enable()
  delays.reset()
  peakBytes = process.memoryUsage.rss()
  peakTimer = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }, PEAK_EVERY_MS)
}

function unwatch(): void {
  delays.disable()
  clearInterval(peakTimer)
}

function slotOf(market: Market): number {
  const record = store.put(market, '')
  if (record === null) throw new Error('the table is full')
  return record.slot
}

async function listenApp(): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

/** Notes when each message of the topics that are there is put together, just before it goes to the first client. */
function noteFlushes(): null {
  for (const topic of streamHub.topics.all()) {
    const publish = topic.publish.bind(topic)
    topic.publish = (slots, bodies) => {
      flushes.push([topic.number, topic.seq + 1, nowMicros()])
      publish(slots, bodies)
    }
  }
  return null
}

function follow(url: string, onFrame: (frame: Buffer, receivedAtMs: number) => void): Promise<void> {
  const keepAlive = { kind: 'ping', everyMs: HOUR_MS, timeoutMs: HOUR_MS } as const
  const log = { info: () => {}, warn: () => {} }
  const onDown = (reason: string) => {
    throw new Error(reason)
  }
  return new Promise((resolve) => {
    new SupervisedSocket({ name: 'bench', url, keepAlive, log, onDown, onFrame, onOpen: resolve }).start()
  })
}

function assertNothingIgnored(): void {
  const ignored = [...polymarket.counters.ignored, ...kalshi.counters.ignored]
  if (ignored.length > 0) throw new Error(`the gateway left frames out: ${JSON.stringify(ignored)}`)
}
