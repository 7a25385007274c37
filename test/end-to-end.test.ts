import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { buildApp } from '../app.ts'
import { PROGRAM } from '../faults/program.ts'
import type { MarketAggregate } from '../schemas/market.ts'
import { readSettings } from '../services/settings.ts'
import type { SimulatorStats } from '../simulator/control/server.ts'
import type { TrueBookView } from '../simulator/control/true-books.ts'
import { gatewaySettings } from '../simulator/gateway-settings.ts'
import type { Simulator } from '../simulator/index.ts'

/** A minute of 2,000 messages a second; fewer seconds for a quick look. */
const SECONDS = Number(process.env.E2E_SECONDS ?? 60)
const MARKETS = 300
const RATE = 2_000
/** A market that was announced is looked up again and again, the last time after a minute. */
const LISTED_MS = 70_000

type Venues = Pick<Simulator, 'kalshi' | 'polymarket' | 'controlUrl'>

/** The simulator in its own process, as anyone runs it. */
async function simulator(t: Test): Promise<Venues> {
  const args = ['simulate', '--json', '--port', '0', '--markets', String(MARKETS), '--rate', String(RATE)]
  const child = spawn(process.execPath, [PROGRAM, ...args, '--churn', '5000'], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGTERM'))
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  return JSON.parse(line)
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50)
}

/** Nothing is sent any more while we compare, which a feed rightly calls silence after some seconds. */
const isSound = (item: MarketAggregate | undefined) =>
  item?.verdict.state === 'live' || item?.verdict.reason === 'silent'

interface Page {
  total: number
  items: MarketAggregate[]
}

t.test(
  `${MARKETS} markets a venue at ${RATE} messages a second for ${SECONDS} s`,
  { timeout: 300_000 },
  async (t) => {
    const venues = await simulator(t)
    const control = async <T>(method: string, path: string) =>
      (await (await fetch(`${venues.controlUrl}${path}`, { method })).json()) as T
    const wires = async () => (await control<{ wires: SimulatorStats }>('GET', '/state')).wires
    const app = await buildApp({
      config: readSettings({
        PORT: '0',
        HISTORY: 'off',
        LOG_LEVEL: 'warn',
        MAX_MARKETS_PER_VENUE: String(2 * MARKETS),
        ...gatewaySettings(venues)
      })
    })
    t.teardown(() => app.close())
    const address = await app.listen({ host: '127.0.0.1', port: 0 })
    const ask = async (path: string) => (await (await fetch(`${address}${path}`)).json()) as Page

    await until(async () => (await fetch(`${address}/v1/readyz`)).status === 200)
    const before = await wires()
    const startedMs = performance.now()
    await sleep(SECONDS * 1_000)
    const seconds = (performance.now() - startedMs) / 1_000
    await control('POST', '/pause')
    const after = await wires()

    const sent = ({ kalshi, polymarket }: SimulatorStats) => kalshi.framesSent + polymarket.framesSent
    const perSecond = Math.round((sent(after) - sent(before)) / seconds)
    t.ok(perSecond >= 0.9 * RATE, `${perSecond} messages a second were sent`)

    const feed = (venue: string) => app.venueFeeds.find((one) => one.venue === venue)?.status()
    const frames = (venue: string) => feed(venue)?.counters.frames ?? 0
    await until(async () => frames('kalshi') === (await wires()).kalshi.framesSent)
    t.pass('every Kalshi frame was taken')
    await until(async () => {
      const { framesSent, pongsSent } = (await wires()).polymarket
      return framesSent - pongsSent === frames('polymarket')
    })
    t.pass('every Polymarket frame was taken')

    const servedOf = async (venue: string) => {
      const served = new Map<string, MarketAggregate>()
      for (let page = 1; ; page++) {
        const { items, total } = await ask(`/v1/markets?venue=${venue}&depth=100&pageSize=500&page=${page}`)
        for (const item of items) served.set(item.id.slice(venue.length + 1), item)
        if (page * 500 >= total) return served
      }
    }

    let levels = 0
    for (const venue of ['kalshi', 'polymarket']) {
      const truth = await control<TrueBookView[]>('GET', `/books/${venue}`)
      const active = truth.filter(({ status }) => status === 'active')
      // One that was listed a moment before the end is looked up over REST first.
      const giveUpAt = performance.now() + LISTED_MS
      let served = await servedOf(venue)
      while (!active.every(({ marketId }) => isSound(served.get(marketId))) && performance.now() < giveUpAt) {
        await sleep(200)
        served = await servedOf(venue)
      }
      t.ok(active.length >= MARKETS * 0.9, `${active.length} markets are active on ${venue}`)
      const wrong = []
      for (const { marketId, bids, asks } of active) {
        const item = served.get(marketId)
        const pairs = (side: { price: string; size: string }[]) =>
          side.map(({ price, size }) => [price, size])
        const got = item && { bids: pairs(item.orderBook.bids), asks: pairs(item.orderBook.asks) }
        const expected = { bids: bids.slice(0, 100), asks: asks.slice(0, 100) }
        levels += expected.bids.length + expected.asks.length
        if (!isSound(item) || JSON.stringify(got) !== JSON.stringify(expected)) {
          wrong.push({ marketId, verdict: item?.verdict, got, expected })
        }
      }
      t.strictSame(wrong.slice(0, 2), [], `every ${venue} book equals the true one`)
      const status = feed(venue)
      t.equal(
        status?.connections.reduce((sum, { reconnects }) => sum + reconnects, 0),
        0,
        'no connection was lost'
      )
      t.comment(`${venue}: ${JSON.stringify(Object.fromEntries(status?.counters.ignored ?? []))}`)
    }
    t.comment(`${levels} levels compared`)
  }
)
