import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { buildApp } from '../../../app.ts'
import type { Config } from '../../../schemas/config.ts'
import type { Health } from '../../../schemas/health.ts'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { Recovery } from '../../../services/venue/recovery.ts'
import { gatewaySettings } from '../../../simulator/gateway-settings.ts'
import { startSimulator } from '../../../simulator/index.ts'
import { testConfig } from '../../helper.ts'

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10)
}

t.test('a loss is over when the last book that it took is whole again', async (t) => {
  let nowMs = 0
  const lines: object[] = []
  const table = new BookTable({ capacityMarkets: 4, capacityLevels: 64 })
  const log = { info: (fields: object) => void lines.push(fields) }
  const recovery = new Recovery({ table, log: log as never, steadyNow: () => nowMs })
  const slots = [0, 1, 2].map(() => table.allocate())
  for (const slot of [0, 1]) {
    table.received(slot, 1, 1, 1)
    table.resynced(slot)
  }
  recovery.lost('a', new BookTable({ capacityMarkets: 4, capacityLevels: 64 }), slots)
  t.equal(recovery.status().losses, 0, 'shadow books are felt by nobody')
  recovery.lost('a', table, slots)
  for (const slot of slots) table.raise(slot, 'disconnected')
  recovery.tick('a', slots)
  t.match(recovery.status(), { losses: 1, recovered: 0 })
  nowMs = 1_000
  recovery.resubscribed('a', 3)
  for (const slot of slots) table.clear(slot, 'disconnected')
  table.raise(0, 'awaiting_snapshot')
  table.raise(1, 'awaiting_snapshot')
  table.resynced(0)
  recovery.tick('a', slots)
  t.equal(recovery.status().recovered, 0, 'one is still to come')
  recovery.lost('a', table, slots)
  nowMs = 1_500
  table.resynced(1)
  recovery.tick('a', slots)
  t.same(
    recovery.status(),
    { losses: 2, recovered: 1, lastMs: 1_500, maxMs: 1_500, resubscribed: 3 },
    'one that never had a snapshot is not waited for, and a second loss goes on from the first'
  )
  t.same(lines, [{ connection: 'a', books: 2, resubscribed: 3, ms: 1_500 }])
  recovery.lost('b', table, [0])
  table.raise(0, 'disconnected')
  recovery.tick('b', [1])
  t.equal(recovery.status().recovered, 2, 'a market that has gone is not waited for')
})

/** The whole gateway on simulated venues. */
async function gateway(t: Test, settings: Partial<Config> = {}) {
  const simulator = await startSimulator({ port: 0, marketsPerVenue: 40, rate: 200, churnMs: 0 })
  const app = await buildApp({
    config: testConfig({
      ...gatewaySettings(simulator),
      POLYMARKET_ASSETS_PER_CONNECTION: 4,
      DIALS_PER_SECOND: 20,
      ...settings
    })
  })
  t.teardown(async () => {
    await app.close()
    await simulator.stop()
  })
  await app.listen({ port: 0 })
  const health = (venue: string) => app.getHealth().venues.find((one) => one.venue === venue) as Venue
  const isLive = (venue: string) => {
    const { booksByState, markets, connections } = health(venue)
    return markets > 30 && booksByState.live === markets && connections.every(({ state }) => state === 'open')
  }
  await until(() => isLive('kalshi') && isLive('polymarket'))
  return { simulator, app, health, isLive }
}
type Venue = Health['venues'][number]

t.test('every socket of a venue is cut at once: dialled at a pace, resubscribed, measured', async (t) => {
  const { simulator, health, isLive } = await gateway(t, { DIALS_PER_SECOND: 4 })
  const shards = health('polymarket').connections.length
  t.ok(shards >= 10, `${shards} shards`)
  const startedMs = performance.now()
  simulator.faults.set('polymarket', 'cut_socket')
  simulator.faults.set('kalshi', 'cut_socket')
  await until(() => health('polymarket').recovery.losses === shards && health('kalshi').recovery.losses === 1)
  await until(() => isLive('polymarket') && isLive('kalshi'))
  await until(() => health('polymarket').recovery.recovered === shards)
  await until(() => health('kalshi').recovery.recovered === 1)
  const tookMs = performance.now() - startedMs
  const { recovery, markets, connections } = health('polymarket')
  t.equal(recovery.resubscribed, markets)
  t.equal(health('kalshi').recovery.resubscribed, health('kalshi').markets)
  t.ok(connections.every(({ reconnects, lastError }) => reconnects === 1 && lastError === null))
  // The burst comes at once, the others at the pace; what the burst had gained since the start is no longer there.
  t.ok(tookMs >= ((shards - 4) / 4) * 1_000 - 500, `${shards} shards in ${Math.round(tookMs)} ms`)
  t.ok((recovery.maxMs ?? 0) <= tookMs)
  t.comment(`${shards} shards, 4 dials a second: ${Math.round(recovery.maxMs ?? 0)} ms to the last book`)
})

t.test('a dead socket is found in time on both venues; a quiet one that answers is kept', async (t) => {
  const { simulator, health, isLive } = await gateway(t, {
    SILENT_AFTER_MS: 1_000,
    POLYMARKET_ASSETS_PER_CONNECTION: 100
  })
  const reconnects = () =>
    ['kalshi', 'polymarket'].map((venue) =>
      health(venue).connections.reduce((sum, one) => sum + one.reconnects, 0)
    )
  simulator.world.setRate(0)
  const pings = performance.now()
  await until(() => performance.now() - pings > 3_000)
  t.same(reconnects(), [0, 0], 'three limits long no message came')
  const startedMs = performance.now()
  simulator.faults.set('kalshi', 'half_open', { connection: 1 })
  simulator.faults.set('polymarket', 'half_open', { connection: 1 })
  await until(() => reconnects().every((count) => count > 0))
  const foundMs = performance.now() - startedMs
  t.ok(foundMs < 2_500, `found and mended after ${Math.round(foundMs)} ms of a limit of 1,000`)
  await until(() => isLive('kalshi') && isLive('polymarket'))
})

t.test('a REST host that is down opens its breaker; books go on live, and it heals', async (t) => {
  const { simulator, app, health, isLive } = await gateway(t, {
    BREAKER_OPEN_MS: 500,
    REDISCOVERY_INTERVAL_MS: 1_000
  })
  const breaker = (venue: string, name: string) =>
    health(venue).rest.hosts.find((host) => host.name === name)?.breaker
  simulator.faults.set('kalshi', 'rest_status', { status: 503 })
  simulator.faults.set('polymarket', 'rest_html', { status: 502 })
  await until(() => (breaker('kalshi', 'kalshi')?.opened ?? 0) > 0)
  await until(() => (breaker('polymarket', 'gamma')?.opened ?? 0) > 0)
  await until(() => (breaker('kalshi', 'kalshi')?.state ?? '') === 'open')
  t.equal(app.getHealth().status, 'degraded')
  t.ok(isLive('kalshi') && isLive('polymarket'), 'what the stream tells is as good as before')
  simulator.faults.clearAll()
  await until(() => breaker('kalshi', 'kalshi')?.state === 'closed')
  await until(() => breaker('polymarket', 'gamma')?.state === 'closed')
  await until(() => app.getHealth().status === 'ok')
  await until(() => health('kalshi').rest.lastError === null)
})

t.test('429 slows the pace of a host, good answers bring it back', async (t) => {
  const { simulator, health } = await gateway(t, { REDISCOVERY_INTERVAL_MS: 1_000 })
  const pace = () => health('polymarket').rest.hosts.find(({ name }) => name === 'gamma')
  t.equal(pace()?.tokensPerSecond, pace()?.tokensPerSecondMax)
  simulator.faults.set('polymarket', 'rest_status', { status: 429, count: 2 })
  await until(() => (pace()?.tokensPerSecond ?? 0) < (pace()?.tokensPerSecondMax ?? 0))
  const slow = pace()?.tokensPerSecond ?? 0
  await until(() => (pace()?.tokensPerSecond ?? 0) > slow)
  t.ok(slow <= (pace()?.tokensPerSecondMax ?? 0) / 2 + 0.2)
})
