import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Config } from '../../../schemas/config.ts'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { loadSigner } from '../../../services/kalshi/auth.ts'
import { KalshiFeed, type KalshiFeedOptions } from '../../../services/kalshi/feed.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../simulator/index.ts'
import type { SimMarket } from '../../../simulator/model/types.ts'
import { testConfig } from '../../helper.ts'

/** Waits for a condition; the test's own time limit ends a wait that does not. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10)
}

/** A feed over a simulated venue, all of whose books are live. */
export async function follow(
  t: Test,
  world: SimulatorOptions = {},
  periodMs = 2_000,
  options: Partial<KalshiFeedOptions> = {},
  settings: (kalshi: Simulator['kalshi']) => Promise<Partial<Config>> = async () => ({})
) {
  const simulator: Simulator = await startSimulator({
    marketsPerVenue: 12,
    rate: 400,
    churnMs: 0,
    openDelayMs: 0,
    ...world
  })
  const { kalshi } = simulator
  const store = options.sink ?? new SnapshotStore({ capacityMarkets: 64, capacityLevels: 64 * 256 })
  const incidents = new Incidents()
  const feed = new KalshiFeed({
    sink: store,
    config: testConfig({
      KALSHI_HTTP_BASE: kalshi.httpBase,
      KALSHI_WS_URL: kalshi.wsUrl,
      MAX_MARKETS_PER_VENUE: 40,
      AUDIT_PERIOD_MS: periodMs,
      ...(await settings(kalshi))
    }),
    signer: loadSigner(kalshi.keyId, kalshi.privateKeyPem),
    log: { info: () => {}, warn: () => {} },
    incidents,
    ...options
  })
  t.teardown(async () => {
    await feed.stop()
    await simulator.stop()
  })
  feed.start()
  const verdict = (market: SimMarket) => {
    const slot = store.get(`kalshi:${market.id}`)?.slot ?? -1
    return slot < 0 ? null : store.books.verdicts.get(slot)
  }
  const markets = () => simulator.world.markets('kalshi').filter(({ status }) => status === 'active')
  const audit = () => feed.status().audit
  await until(() => markets().every((one) => verdict(one)?.state === 'live'))
  return { simulator, feed, store, incidents, verdict, markets, audit }
}
