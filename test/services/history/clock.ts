import { HistoryRecorder, type HistoryRecorderOptions } from '../../../services/history/history-recorder.ts'
import type { SnapshotRecord, TradeRecord } from '../../../services/history/records.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { RECEIVED_AT_MS } from '../../helper.ts'
import { MemoryHistoryStore } from './memory-store.ts'

/** Two clocks that a test sets: the wall's and a steady one, which move together. */
export class Clock {
  ms = RECEIVED_AT_MS
  readonly now = (): number => this.ms
  readonly steadyNow = (): number => this.ms - RECEIVED_AT_MS
}

export const SILENT = { info: () => {}, warn: () => {} }

export function newStore(capacityMarkets = 100): SnapshotStore {
  return new SnapshotStore({ capacityMarkets, capacityLevels: capacityMarkets * 64 })
}

/** A recorder with everything around it, over a history in memory. Intervals that a test does not ask for are long. */
export function recorderOf(options: Partial<HistoryRecorderOptions> = {}) {
  const clock = new Clock()
  const history = new MemoryHistoryStore()
  const store = options.store ?? newStore()
  const recorder = new HistoryRecorder({
    store,
    history,
    flushMs: 10,
    queueMax: 10_000,
    gapFillIntervalMs: 1_000_000,
    log: SILENT,
    now: clock.now,
    steadyNow: clock.steadyNow,
    random: () => 0,
    ...options
  })
  return { clock, history, store, recorder }
}

/** Resolves once a condition holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** A row of a market's book at an instant, with an empty book. */
export function snapshot(overrides: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    marketId: 'kalshi:A',
    source: 'websocket',
    cause: 'change',
    sequence: null,
    venueTimeMs: null,
    atMs: RECEIVED_AT_MS,
    receivedAtMs: RECEIVED_AT_MS,
    bestBid: null,
    bestBidSize: null,
    bestAsk: null,
    bestAskSize: null,
    bids: [],
    asks: [],
    state: 'live',
    reason: null,
    verifiedAtMs: null,
    mismatches: 0,
    ...overrides
  }
}

export function trade(overrides: Partial<TradeRecord> = {}): TradeRecord {
  return {
    marketId: 'kalshi:A',
    tradeId: null,
    venueTimeMs: null,
    atMs: overrides.receivedAtMs ?? RECEIVED_AT_MS,
    receivedAtMs: RECEIVED_AT_MS,
    price: 5_000,
    size: 1_000_000,
    takerSide: null,
    ...overrides
  }
}
