import { createHash } from 'node:crypto'
import type { Market } from '../../schemas/market.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { MarketMetaRecord } from './records.ts'

/** What moves with every trade is in the snapshots' time, not in the metadata's. */
const MOVING: ReadonlySet<string> = new Set<keyof Market>(['volume', 'volume24h', 'openInterest'])

export interface MarketMetaOptions {
  store: SnapshotStore
  write: (row: MarketMetaRecord) => void
}

interface KnownMeta {
  metaVersion: number
  market: Market
  rules: string
}

/** Writes what a venue says of a market whenever that changes, the first time included. */
export class MarketMetaRecorder {
  private readonly options: MarketMetaOptions
  private readonly known: (KnownMeta | undefined)[] = []

  constructor(options: MarketMetaOptions) {
    this.options = options
  }

  /** Looks whether a slot's market is another one, or is told anew; returns true when a row was written. */
  changed(slot: number, atMs: number): boolean {
    const record = this.options.store.at(slot)
    const known = this.known[slot]
    if (record === undefined) {
      this.known[slot] = undefined
      return false
    }
    if (known?.metaVersion === record.metaVersion) return false
    const { metaVersion, market, rules } = record
    if (known === undefined || known.rules !== rules || !saysSame(known.market, market)) {
      this.known[slot] = { metaVersion, market, rules }
      this.options.write(metaRow(record, atMs))
      return true
    }
    known.metaVersion = metaVersion
    return false
  }
}

/** True when two descriptions differ in nothing but what moves with trades. */
export function saysSame(a: Market, b: Market): boolean {
  for (const key of Object.keys(b) as (keyof Market)[]) {
    if (a[key] === b[key] || MOVING.has(key)) continue
    if (typeof b[key] !== 'object' || JSON.stringify(a[key]) !== JSON.stringify(b[key])) return false
  }
  return true
}

function metaRow({ id, market, rules }: MarketRecord, fromMs: number): MarketMetaRecord {
  const { venue, status } = market
  return {
    marketId: id,
    venue,
    fromMs,
    status,
    rulesHash: createHash('sha256').update(rules).digest('hex'),
    market
  }
}
