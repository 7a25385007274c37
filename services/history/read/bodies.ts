import type {
  BookAtInstant,
  Candle,
  CoverageInterval,
  HistoryGap,
  PriceBarBody,
  RecordedSnapshot,
  RecordedTrade,
  VenueCandleBody
} from '../../../schemas/history.ts'
import type { LevelBody } from '../../../schemas/order-book.ts'
import { formatPrice, formatScaled, formatSize, type PriceE4, type SizeE6 } from '../../numbers/decimal.ts'
import type { Quote } from '../../orderbook/quote.ts'
import { isoTime } from '../../snapshots/aggregate.ts'
import type { VenueCandle } from '../../venue/port.ts'
import type {
  CandleRecord,
  GapRecord,
  PriceBar,
  RecordedLevel,
  SnapshotRecord,
  TimeRange,
  TradeRecord
} from '../records.ts'
import type { CandleHole } from './candle-holes.ts'
import type { Covered } from './coverage-shares.ts'
import { numbersOf } from './missing-numbers.ts'
import type { BookAt, ProofHole } from './reader.ts'

/** What is recorded, as the API tells it: times as ISO 8601 in UTC, prices and sizes as exact decimal text. */

/** Returns a clock reading of ours as text; our clock has never been before 1970. */
export function timeText(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

/** Returns what keeps a book from being proved, and when, as messages tell it. */
export function holeText({ reason, fromMs, toMs }: ProofHole): string {
  return `${reason} from ${timeText(fromMs)} to ${toMs === null ? 'now' : timeText(toMs)}`
}

export function bodyTimes({ fromMs, toMs }: TimeRange): { from: string; to: string } {
  return { from: timeText(fromMs), to: timeText(toMs) }
}

export function snapshotBody(row: SnapshotRecord): RecordedSnapshot {
  return {
    at: timeText(row.atMs),
    source: row.source,
    cause: row.cause,
    quote: quoteOf(row.bestBid, row.bestBidSize, row.bestAsk, row.bestAskSize),
    orderBook: { bids: row.bids.map(levelBody), asks: row.asks.map(levelBody) },
    verdict: {
      state: row.state,
      reason: row.reason,
      source: row.source,
      sequence: row.sequence,
      venueTime: isoTime(row.venueTimeMs),
      receivedAt: isoTime(row.receivedAtMs),
      verifiedAt: isoTime(row.verifiedAtMs),
      mismatches: row.mismatches
    }
  }
}

export function tradeBody({
  tradeId,
  venueTimeMs,
  receivedAtMs,
  price,
  size,
  takerSide
}: TradeRecord): RecordedTrade {
  return {
    tradeId,
    venueTime: isoTime(venueTimeMs),
    receivedAt: timeText(receivedAtMs),
    price: formatPrice(price),
    size: formatSize(size),
    takerSide
  }
}

export function gapBody(gap: GapRecord): HistoryGap {
  return {
    id: gap.id,
    venue: gap.venue,
    kind: gap.kind,
    from: timeText(gap.startedAtMs),
    to: isoTime(gap.endedAtMs),
    detectedAt: timeText(gap.detectedAtMs),
    recovered: gap.recoveredBy !== null && gap.recoveredBy !== 'none',
    recoveredBy: gap.recoveredBy,
    sequences: numbersOf(gap),
    subscription: gap.subscription,
    connection: gap.connection,
    marketCount: gap.marketIds?.length ?? null,
    detail: gap.detail
  }
}

export function intervalBody(covered: Covered): CoverageInterval {
  return { ...bodyTimes(covered), kind: covered.kind, reason: covered.reason }
}

/** A candle without a record is one of which nothing is recorded. */
export function candleBody(
  fromMs: number,
  toMs: number,
  record: CandleRecord | undefined,
  hole: CandleHole | null,
  venue: VenueCandle | undefined
): Candle {
  const { count, sizeE6, bar } = record?.trades ?? { count: 0, sizeE6: 0n, bar: null }
  return {
    from: timeText(fromMs),
    to: timeText(toMs),
    mid: barOf(record?.doubleMid, halfPrice),
    bid: barOf(record?.bid, formatPrice),
    ask: barOf(record?.ask, formatPrice),
    trades: { count, volume: volumeText(sizeE6), price: barOf(bar, formatPrice) },
    snapshots: record?.snapshots ?? 0,
    complete: hole === null,
    reason: hole?.reason ?? null,
    detail: hole?.detail ?? null,
    venue: venue === undefined ? null : venueBody(venue)
  }
}

function venueBody({ bid, ask, price, volume }: VenueCandle): VenueCandleBody {
  return {
    bid: fullBar(bid, formatPrice),
    ask: fullBar(ask, formatPrice),
    price: barOf(price, formatPrice),
    volume: formatSize(volume)
  }
}

export function bookBody(book: BookAt, depth: number): BookAtInstant {
  const { bids, asks, base, hole } = book
  return {
    id: book.marketId,
    asOf: timeText(book.atMs),
    orderBook: { bids: bids.slice(0, depth).map(levelBody), asks: asks.slice(0, depth).map(levelBody) },
    quote: quoteOf(bids[0]?.[0], bids[0]?.[1], asks[0]?.[0], asks[0]?.[1]),
    proof: {
      proven: book.proven,
      base: { at: timeText(base.atMs), kind: base.kind },
      deltas: book.deltas,
      version: book.version,
      digest: book.digest,
      verdict: { state: book.state, reason: book.reason },
      hole:
        hole === null ? null : { from: timeText(hole.fromMs), to: isoTime(hole.toMs), reason: hole.reason }
    }
  }
}

function levelBody([price, size]: RecordedLevel): LevelBody {
  return { price: formatPrice(price), size: formatSize(size) }
}

/** Null and undefined: an empty side. */
function quoteOf(
  bid: PriceE4 | null = null,
  bidSize: SizeE6 | null = null,
  ask: PriceE4 | null = null,
  askSize: SizeE6 | null = null
): Quote {
  return {
    bestBid: bid === null ? null : formatPrice(bid),
    bestBidSize: bidSize === null ? null : formatSize(bidSize),
    bestAsk: ask === null ? null : formatPrice(ask),
    bestAskSize: askSize === null ? null : formatSize(askSize),
    mid: bid === null || ask === null ? null : halfPrice(bid + ask),
    spread: bid === null || ask === null ? null : formatScaled(ask - bid, 4)
  }
}

/** Half of a sum of two prices is exact with one more decimal. */
function halfPrice(doubled: number): string {
  return formatScaled(doubled * 5, 5)
}

function barOf(bar: PriceBar | null | undefined, text: (price: number) => string): PriceBarBody | null {
  return bar === null || bar === undefined ? null : fullBar(bar, text)
}

function fullBar(bar: PriceBar, text: (price: number) => string): PriceBarBody {
  return { open: text(bar.open), high: text(bar.high), low: text(bar.low), close: text(bar.close) }
}

/** Sums of sizes outgrow what a number holds exactly; their whole contracts and the rest do not. */
function volumeText(sizeE6: bigint): string {
  const rest = formatSize(Number(sizeE6 % CONTRACT_E6))
  return `${sizeE6 / CONTRACT_E6}${rest.slice(1)}`
}

const CONTRACT_E6 = 1_000_000n
