import type { Test } from 'tap'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { PolymarketFeed, type PolymarketSettings } from '../../../services/polymarket/feed.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import type { HistoryTaps } from '../../../services/venue/wire-tap.ts'
import type { FaultName, FaultParameters } from '../../../simulator/faults.ts'
import { type SimulatorOptions, startSimulator } from '../../../simulator/index.ts'
import type { SimMarket } from '../../../simulator/model/types.ts'

const WAIT_MS = 40_000
const silent = { info: () => {}, warn: () => {} }

/** A simulated venue that moves only where a test says so, and a feed with all its proofs. */
export async function setUp(
  t: Test,
  simulator: SimulatorOptions = {},
  config: Partial<PolymarketSettings> = {},
  history: HistoryTaps | null = null
) {
  const venue = await startSimulator({
    marketsPerVenue: 30,
    rate: 0,
    churnMs: 0,
    openDelayMs: 0,
    ...simulator
  })
  const store = new SnapshotStore({ capacityMarkets: 600, capacityLevels: 400_000 })
  const incidents = new Incidents()
  const feed = new PolymarketFeed({
    sink: store,
    incidents,
    history,
    log: silent,
    config: {
      POLYMARKET_HTTP_BASE: venue.polymarket.clobBase,
      POLYMARKET_GAMMA_BASE: venue.polymarket.gammaBase,
      POLYMARKET_WS_URL: venue.polymarket.wsUrl,
      POLYMARKET_POLL_INTERVAL_MS: 3_600_000,
      POLYMARKET_TAGS: '',
      POLYMARKET_CONDITION_IDS: '',
      POLYMARKET_ASSETS_PER_CONNECTION: 250,
      MAX_MARKETS_PER_VENUE: 500,
      REDISCOVERY_INTERVAL_MS: 3_600_000,
      ENDED_MARKET_RETENTION_MS: 3_600_000,
      SNAPSHOT_TIMEOUT_MS: 2_000,
      SILENT_AFTER_MS: 12_000,
      DIALS_PER_SECOND: 100,
      BREAKER_FAILURES: 5,
      BREAKER_OPEN_MS: 1_000,
      HASH_BUDGET_PERCENT: 50,
      AUDIT_PERIOD_MS: 60_000,
      ...config
    }
  })
  feed.start()
  t.teardown(async () => {
    await feed.stop()
    await venue.stop()
  })
  const { world } = venue
  const active = () => world.markets('polymarket').filter(({ status }) => status === 'active')
  const slotOf = (market: SimMarket) => store.get(`polymarket:${market.id}`)?.slot
  const verdictOf = (market: SimMarket) => {
    const slot = slotOf(market)
    return slot === undefined ? undefined : store.books.verdicts.get(slot)
  }
  const isLive = (market: SimMarket) => verdictOf(market)?.state === 'live'
  const isTrue = (market: SimMarket) => equalsTruth(store, slotOf(market), market)
  const isHealed = (market: SimMarket) => isLive(market) && isTrue(market)
  await until('every book is live', () => active().length > 0 && active().every(isLive))
  await until('every book can be proved', () => feed.status().proofs?.provable === active().length)
  /** The states and reasons that books came to, in order. */
  const seen: { market: string; reason: string | null }[] = []
  store.books.onState = (slot) => {
    const market = active().find((one) => slotOf(one) === slot)
    seen.push({ market: market?.id ?? '', reason: store.books.verdicts.reason(slot) })
  }
  /** Moves one market so often, and lets each frame arrive by itself. */
  const act = async (market: SimMarket, times: number, everyMs = 2) => {
    for (let i = 0; i < times; i++) {
      world.act(market)
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
  }
  const fault = (name: FaultName, parameters?: FaultParameters) =>
    venue.faults.set('polymarket', name, parameters)
  return {
    venue,
    world,
    store,
    feed,
    incidents,
    fault,
    active,
    act,
    seen,
    verdictOf,
    isLive,
    isTrue,
    isHealed
  }
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function equalsTruth(store: SnapshotStore, slot: number | undefined, market: SimMarket): boolean {
  if (slot === undefined) return false
  const { arena } = store.books
  const { bids, asks } = market.book
  if (arena.count(slot, YES) !== bids.size || arena.count(slot, NO) !== asks.size) return false
  for (const [price, size] of bids) if (arena.sizeOf(slot, YES, price) !== size) return false
  for (const [price, size] of asks) if (arena.sizeOf(slot, NO, 10_000 - price) !== size) return false
  return true
}
