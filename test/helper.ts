import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { buildApp } from '../app.ts'
import type { Config } from '../schemas/config.ts'
import type { Market } from '../schemas/market.ts'
import { NO, YES } from '../services/orderbook/arena.ts'
import { readSettings } from '../services/settings.ts'
import type { MarketRecord } from '../services/snapshots/market-record.ts'
import type { SnapshotStore } from '../services/snapshots/store.ts'

/** Settings for a test: no log, few markets, and every answer checked against its schema. */
export function testConfig(overrides: Partial<Config> = {}): Config {
  const defaults = readSettings({
    LOG_LEVEL: 'silent',
    MAX_MARKETS_PER_VENUE: '500',
    VALIDATE_RESPONSES: 'all',
    PORT: '0',
    HISTORY: 'off'
  })
  return { ...defaults, ...overrides }
}

/**
 * Returns the real app without venues. It is closed when the test ends, which fails if any answer did not match its
 * schema.
 */
export async function build(t: Test, overrides: Partial<Config> = {}): Promise<FastifyInstance> {
  const app = await buildApp({ config: testConfig(overrides), feeds: 'none' })
  t.teardown(async () => {
    const { failuresByRoute } = app.responseChecker.health()
    await app.close()
    const failed = JSON.stringify(failuresByRoute)
    if (failed !== '{}') throw new Error(`answers that do not match their schemas: ${failed}`)
  })
  return app
}

/** Returns an open Kalshi market; `n` makes its id and its times its own. */
export function market(n: number, overrides: Partial<Market> = {}): Market {
  const ticker = `KXTEST-${String(n).padStart(4, '0')}`
  return {
    id: `kalshi:${ticker}`,
    venue: 'kalshi',
    venueMarketId: ticker,
    symbol: ticker,
    eventId: `kalshi:KXTEST-EVENT-${n % 3}`,
    title: `Will test number ${n} pass?`,
    outcomes: { yes: 'Yes', no: 'No' },
    tokens: null,
    status: 'open',
    result: null,
    openTime: '2026-01-01T00:00:00.000Z',
    closeTime: new Date(Date.UTC(2027, 0, 1) + n * 3_600_000).toISOString(),
    eventStartTime: null,
    priceBands: [{ start: '0', end: '1', step: '0.01' }],
    minOrderSize: null,
    volume: String(1000 + n),
    volume24h: String(n),
    volumeUnit: 'contracts',
    openInterest: '12.5',
    ...overrides
  }
}

export const RECEIVED_AT_MS = Date.UTC(2026, 10, 20, 12, 34, 56, 789)

/** Puts a market and its event into the store and gives it a live book of a few levels. */
export function serve(
  store: SnapshotStore,
  served: Market,
  rules = 'It settles by the rules.'
): MarketRecord {
  const record = store.put(served, rules)
  if (record === null) throw new Error('the store is full')
  const { slot } = record
  if (served.eventId !== null) {
    const [, venueEventId = ''] = served.eventId.split(':')
    store.putEvent({
      id: served.eventId,
      venue: served.venue,
      venueEventId,
      symbol: venueEventId,
      seriesId: null,
      title: `Event ${venueEventId}`,
      category: 'Tests',
      mutuallyExclusive: false
    })
  }
  const { arena } = store.books
  for (let level = 0; level < 15; level++) {
    arena.setLevel(slot, YES, 4_000 - level * 100, 1_500_000 * (level + 1))
    arena.setLevel(slot, NO, 5_500 - level * 100, 2_000_001 * (level + 1))
  }
  store.books.received(slot, RECEIVED_AT_MS, RECEIVED_AT_MS - 5, 7)
  store.books.resynced(slot)
  store.books.touch(slot)
  return record
}
