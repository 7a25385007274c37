import { buildApp } from '../../app.ts'
import { readSettings } from '../../services/settings.ts'
import { createRandom } from '../../simulator/model/random.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { kalshiMarket } from '../synthetic/market.ts'
import type { HistoryPlace } from './engines.ts'
import { fillDay, prepareDay, type RecordedDay } from './fill.ts'
import { startRecording } from './recording.ts'

export interface QueryWorkerOptions {
  place: HistoryPlace
  day: RecordedDay
}

/** What is asked of one market at a time; an empty page shows what an answer costs that reads no rows. */
export type QueryKind = 'empty' | 'page' | 'long page' | 'candles' | 'busy candles' | 'book'

export interface QueryReading {
  p50Ms: number
  p99Ms: number
}

const HOUR_MS = 3_600_000
const SEED = 0x415

const { place, day } = startOptions<QueryWorkerOptions>()
const random = createRandom(SEED)
let app: Awaited<ReturnType<typeof buildApp>> | null = null

answer(async ({ question, kind, count, logToMs, from, to }) => {
  if (question === 'prepare') return prepareDay(place, day)
  if (question === 'fill') return fillDay(place, day, from as number, to as number)
  if (question === 'open') return open()
  if (question === 'ask') return ask(kind as QueryKind, count as number, logToMs as number)
  throw new Error(`cannot answer ${JSON.stringify(question)}`)
})

/** Opens the gateway with this history, and nothing that it serves live. */
async function open(): Promise<void> {
  const config = readSettings({
    PORT: '0',
    HISTORY: 'off',
    LOG_LEVEL: 'silent',
    MAX_MARKETS_PER_VENUE: '1000'
  })
  app = await buildApp({ config, feeds: 'none', logger: false })
  app.decorate('historyReader', await startRecording(app.snapshotStore, place))
  await app.ready()
}

async function ask(kind: QueryKind, count: number, logToMs: number): Promise<QueryReading> {
  if (app === null) throw new Error('nothing is open')
  const took: number[] = []
  for (let i = 0; i < count; i++) {
    const url = urlOf(kind, logToMs)
    const startedAt = performance.now()
    const { statusCode, body } = await app.inject(url)
    took.push(performance.now() - startedAt)
    if (statusCode !== 200) throw new Error(`${url} was answered with ${statusCode}: ${body.slice(0, 300)}`)
    const isEmpty = kind.includes('page') && body.includes('"items":[]')
    if (isEmpty) throw new Error(`${url} found nothing`)
  }
  took.sort((a, b) => a - b)
  const at = (share: number) => took[Math.min(count - 1, Math.floor(count * share))] as number
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function urlOf(kind: QueryKind, logToMs: number): string {
  const market = (index: number) => `/v1/markets/${encodeURIComponent(kalshiMarket(index).id)}`
  const anyone = market(random.int(day.markets))
  const hour = random.int(20)
  const from = day.fromMs + hour * HOUR_MS
  switch (kind) {
    case 'empty':
      return `${anyone}/snapshots?from=${day.fromMs - HOUR_MS}&to=${day.fromMs - 1}`
    case 'page':
      return `${anyone}/snapshots?from=${from}&to=${day.toMs}&limit=100`
    case 'long page':
      return `${anyone}/snapshots?from=${day.fromMs}&to=${day.toMs}&limit=1000`
    case 'candles':
      return `${anyone}/candles?from=${day.fromMs}&to=${day.toMs}&interval=1m`
    case 'busy candles':
      return `${market(random.int(5))}/candles?from=${day.fromMs}&to=${day.toMs}&interval=1m`
    case 'book':
      return `${anyone}/book?asOf=${random.between(day.fromMs + HOUR_MS / 120, logToMs - 1_000)}`
  }
}
