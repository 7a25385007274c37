import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { MarketPage } from '../../schemas/market.ts'
import { WarmStateWriter } from '../../services/history/warm-state.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { kalshiMarket, polymarketMarket } from '../synthetic/market.ts'
import { TARGETS } from '../targets.ts'
import type { BenchEngines } from './engines.ts'

const START_LIMIT_MS = 60_000
const LOOK_EVERY_MS = 5
/** Nobody listens there: no venue can be asked, and what is served is the last state. */
const NOBODY = '127.0.0.1:9'
const root = fileURLToPath(new URL('../..', import.meta.url))
const log = { info() {}, warn() {} }

/** From the start of the process to the first page that has every market of the last state, `stale`. */
export async function warmStartFigures(engines: BenchEngines, context: BenchContext): Promise<Figure[]> {
  const { quick, rounds, progress } = context
  const markets = quick ? 2_000 : 20_000
  progress('building, as `npm start` does')
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: root })
  const folders = { warm: engines.folder(), cold: engines.folder() }
  await saveState(folders.warm, markets)
  const readings = await interleave(
    rounds,
    ['cold', 'warm'],
    (name: keyof typeof folders) =>
      startMs(folders[name], name === 'warm' ? (port) => countsStale(port, markets) : isAlive),
    (round) => progress(`warm start, round ${round + 1} of ${rounds}`)
  )
  const figure = median(readings.warm)
  const against = median(readings.cold)
  return [
    {
      bench: 'history',
      figure,
      unit: `ms from the start to ${markets} markets, stale, on a page`,
      peer: 'the same start with no last state',
      against,
      ratio: figure / against,
      target: TARGETS.historyWarmStart
    }
  ]
}

async function saveState(dataDir: string, markets: number): Promise<void> {
  const store = new SnapshotStore({ capacityMarkets: markets, capacityLevels: markets * 256 })
  const now = Date.now()
  for (let index = 0; index < markets; index++) {
    const market = index % 2 === 0 ? kalshiMarket(index) : polymarketMarket(index)
    const record = store.put(market, 'Rules of a market take some space. '.repeat(20))
    if (record === null) throw new Error('the table is full')
    fillArena(store.books.arena, record.slot, syntheticBook(index))
    store.books.received(record.slot, now, now, index)
    store.books.resynced(record.slot)
  }
  await new WarmStateWriter({ dataDir, store, now: () => now, log }).save()
}

async function startMs(dataDir: string, isServing: (port: number) => Promise<boolean>): Promise<number> {
  const port = await freePort()
  const beganAt = performance.now()
  const child = spawn(process.execPath, ['--enable-source-maps', 'dist/crossbook.mjs', 'serve'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH ?? '',
      PORT: String(port),
      LOG_LEVEL: 'silent',
      DATA_DIR: dataDir,
      MAX_MARKETS_PER_VENUE: '10000',
      KALSHI_HTTP_BASE: `http://${NOBODY}/trade-api/v2`,
      KALSHI_WS_URL: `ws://${NOBODY}/`,
      POLYMARKET_HTTP_BASE: `http://${NOBODY}`,
      POLYMARKET_GAMMA_BASE: `http://${NOBODY}`,
      POLYMARKET_WS_URL: `ws://${NOBODY}/`
    }
  })
  try {
    while (performance.now() - beganAt < START_LIMIT_MS) {
      if (child.exitCode !== null) throw new Error(`the start ended with ${child.exitCode}`)
      if (await isServing(port)) return performance.now() - beganAt
      await sleep(LOOK_EVERY_MS)
    }
    throw new Error('nothing was served in time')
  } finally {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
}

/** True once a page counts that many markets, all of them stale. */
async function countsStale(port: number, markets: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v1/markets?state=stale`)
    return ((await response.json()) as Partial<MarketPage>).total === markets
  } catch {
    return false
  }
}

async function isAlive(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/v1/livez`)).ok
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
