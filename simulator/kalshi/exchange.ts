import type { JsonObject } from './objects.ts'
import { timeText } from './text.ts'

const SHARDS = ['default', 'combos', 'crypto and commodities', 'tennis, baseball, basketball']
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
const DAY_MS = 86_400_000

/** Returns the body of `/exchange/status`, which is also that of the venue's 500, 503 and 504. */
export function exchangeStatus(isActive: boolean): JsonObject {
  return {
    exchange_active: isActive,
    exchange_estimated_resume_time: null,
    exchange_index_statuses: SHARDS.map((description, index) => ({
      description,
      exchange_active: isActive,
      exchange_index: index,
      intra_exchange_transfers_active: isActive,
      trading_active: isActive
    })),
    intra_exchange_transfers_active: isActive,
    trading_active: isActive
  }
}

/** Returns the body of `/exchange/schedule`: open all week but Thursday 03:00 to 05:00 ET. */
export function exchangeSchedule(): JsonObject {
  const whole = [{ close_time: '00:00', open_time: '00:00' }]
  const thursday = [
    { close_time: '03:00', open_time: '00:00' },
    { close_time: '00:00', open_time: '05:00' }
  ]
  const hours = Object.fromEntries(DAYS.map((day) => [day, day === 'thursday' ? thursday : whole]))
  return {
    schedule: {
      maintenance_windows: [],
      standard_hours: [{ ...hours, end_time: '2050-01-01T00:00:00Z', start_time: '2021-01-01T00:00:00Z' }]
    }
  }
}

/**
 * Returns the body of `/historical/cutoff`: what is older is served under `/historical` only, which the
 * simulator has not.
 */
export function historicalCutoff(nowMs: number): JsonObject {
  const day = (ago: number): string => timeText(Math.floor(nowMs / DAY_MS) * DAY_MS - ago * DAY_MS)
  return {
    market_positions_last_updated_ts: day(60),
    market_settled_ts: day(60),
    orders_updated_ts: day(14),
    trades_created_ts: day(60)
  }
}
