import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { buildApp } from '../app.ts'
import type { MarketAggregate } from '../schemas/market.ts'
import type { RecyclerStatus } from '../schemas/recycler.ts'
import { gatewaySettings } from '../simulator/gateway-settings.ts'
import { startSimulator } from '../simulator/index.ts'
import { testConfig } from './helper.ts'

const KEY = 'operator-key-0123456789'
const MARKETS = 150

t.test('a run that an operator starts under traffic is seen by nobody who reads', async (t) => {
  const venue = await startSimulator({ marketsPerVenue: MARKETS, rate: 1_500, churnMs: 0, openDelayMs: 0 })
  const app = await buildApp({
    config: testConfig({
      OPERATOR_API_KEY: KEY,
      VALIDATE_RESPONSES: 'sample',
      POLYMARKET_ASSETS_PER_CONNECTION: 50,
      ...gatewaySettings(venue)
    })
  })
  t.teardown(async () => {
    await app.close()
    await venue.stop()
  })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const states = async () => {
    const text = await (await fetch(`${address}/v1/markets.ndjson?depth=1`)).text()
    const lines = text.trim().split('\n')
    return lines
      .map((line) => JSON.parse(line) as MarketAggregate)
      .map(({ id, verdict }) => [id, verdict.state])
  }
  const notLive = async () => (await states()).filter(([, state]) => state !== 'live')
  const status = async () => (await (await fetch(`${address}/v1/recycler`)).json()) as RecyclerStatus
  while ((await fetch(`${address}/v1/readyz`)).status !== 200) await sleep(50)
  while ((await states()).length < 2 * MARKETS || (await notLive()).length > 0) await sleep(50)

  const started = await fetch(`${address}/v1/recycler/runs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}` }
  })
  t.equal(started.status, 202)
  let polls = 0
  const seen: string[][] = []
  while ((await status()).running !== null) {
    seen.push(...((await notLive()) as string[][]))
    polls++
  }
  seen.push(...((await notLive()) as string[][]))
  t.same(seen, [], `no book was anything but live in ${polls} looks`)
  const [run] = (await status()).lastRuns
  t.match(run, {
    outcome: 'completed',
    trigger: 'operator',
    venues: [
      { venue: 'kalshi', connections: [{ outcome: 'swapped', markets: MARKETS }], differed: { total: 0 } },
      { venue: 'polymarket', connections: [{ outcome: 'swapped' }, {}, {}], differed: { total: 0 } }
    ]
  })
  t.comment(`a run over ${2 * MARKETS} books in ${run?.durationMs} ms, ${polls} looks`)
  for (const { venue, connections } of run?.venues ?? [])
    for (const one of connections)
      t.comment(
        `${venue} ${one.name}: ${one.equal} equal, ${one.explained} explained, filled in ${one.fillMs} ms`
      )
})
