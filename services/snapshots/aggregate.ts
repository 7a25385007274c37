import type { MarketAggregate, MarketDetail } from '../../schemas/market.ts'
import type { VerdictBody } from '../../schemas/verdict.ts'
import { NO, YES } from '../orderbook/arena.ts'
import { getDepth } from '../orderbook/depth.ts'
import { getQuote, type Quote } from '../orderbook/quote.ts'
import type { MarketRecord } from './market-record.ts'
import type { SnapshotStore } from './store.ts'

/** 9999-12-31T23:59:59.999Z: beyond it, ISO 8601 needs more than four digits for the year. */
const LAST_MS = 253_402_300_799_999

/** Returns a clock reading as ISO 8601 text in UTC; null for null and for what no calendar year can say. */
export function isoTime(epochMs: number | null): string | null {
  return epochMs !== null && epochMs >= 0 && epochMs <= LAST_MS ? new Date(epochMs).toISOString() : null
}

/** Returns a market with its book to `depth` levels a side, its quotes and its verdict. */
export function getAggregate(store: SnapshotStore, record: MarketRecord, depth: number): MarketAggregate {
  const { arena, verdicts } = store.books
  const { slot, market } = record
  const yes = getQuote(arena, slot, YES)
  const no = getQuote(arena, slot, NO)
  const verdict = verdicts.get(slot)
  return {
    id: record.id,
    market,
    orderBook: getDepth(arena, slot, depth),
    quotes: { usable: verdict.state === 'live', yes, no },
    summary: { yes: summary(yes, market.volume), no: summary(no, market.volume) },
    verdict: {
      state: verdict.state,
      reason: verdict.reason,
      source: verdict.source,
      sequence: verdict.sequence,
      venueTime: isoTime(verdict.venueTimeMs),
      receivedAt: isoTime(verdict.receivedAtMs),
      verifiedAt: isoTime(verdict.verifiedAtMs),
      mismatches: verdict.mismatches
    } satisfies VerdictBody,
    lastUpdatedMs: verdict.receivedAtMs === null ? null : Math.trunc(verdict.receivedAtMs)
  }
}

/** Returns one market in full, with the rules by which it settles. */
export function getDetail(store: SnapshotStore, record: MarketRecord, depth: number): MarketDetail {
  return { ...getAggregate(store, record, depth), rules: record.rules }
}

/** Returns the short form of an outcome's quote. */
export function summary({ bestBid, bestAsk }: Pick<Quote, 'bestBid' | 'bestAsk'>, volume: string | null) {
  return { bid: bestBid, ask: bestAsk, volume }
}
