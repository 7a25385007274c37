import type { BookTable } from '../integrity/book-table.ts'
import { reasonBits, SOURCES, stateOf, type VerdictSource } from '../integrity/verdict.ts'
import { ONE_E4 } from '../numbers/decimal.ts'
import { type BookArena, NO, type Outcome, YES } from '../orderbook/arena.ts'
import type { RecordedLevel, SnapshotCause, SnapshotRecord } from './records.ts'

/** Levels of each side that a recorded snapshot keeps. */
export const RECORDED_DEPTH = 10

/** Reasons that the venue gives for a whole market, and which hold however its book was read. */
const STATUS_BITS = reasonBits(['market_settled', 'market_closed', 'venue_paused', 'not_open'])

/** Levels as a venue's REST answer is parsed: ascending prices. */
export interface PolledSide {
  count: number
  price: Uint16Array
  size: Float64Array
}

/** Returns what a book and its verdict are now. */
export function snapshotRow(
  { arena, verdicts }: BookTable,
  slot: number,
  marketId: string,
  cause: SnapshotCause,
  atMs: number
): SnapshotRecord {
  const bids = topLevels(arena, slot, YES)
  const asks = topLevels(arena, slot, NO)
  return {
    marketId,
    source: SOURCES[verdicts.source[slot] as number] as VerdictSource,
    cause,
    sequence: orNull(verdicts.sequence(slot)),
    venueTimeMs: orNull(verdicts.venueTimeMs(slot)),
    atMs,
    receivedAtMs: orNull(verdicts.receivedAtMs(slot)),
    ...bestOf(bids, asks),
    bids,
    asks,
    state: verdicts.state(slot),
    reason: verdicts.reason(slot),
    verifiedAtMs: orNull(verdicts.verifiedAtMs(slot)),
    mismatches: verdicts.mismatches[slot] as number
  }
}

/**
 * Returns the row of a REST answer. It is trusted by itself: what is wrong with the streamed book is not wrong with it,
 * so of the table's reasons only the market's status counts, and that it does not cross.
 */
export function polledRow(
  { verdicts }: BookTable,
  slot: number,
  marketId: string,
  receivedAtMs: number,
  yes: PolledSide,
  no: PolledSide
): SnapshotRecord {
  const bids = topPolled(yes, false)
  const asks = topPolled(no, true)
  const best = bestOf(bids, asks)
  const isCrossed = best.bestBid !== null && best.bestAsk !== null && best.bestBid >= best.bestAsk
  const status = (verdicts.reasons[slot] as number) & STATUS_BITS
  return {
    marketId,
    source: 'poll',
    cause: 'poll',
    sequence: null,
    venueTimeMs: null,
    atMs: receivedAtMs,
    receivedAtMs,
    ...best,
    bids,
    asks,
    state: isCrossed && status === 0 ? 'suspect' : stateOf(status),
    reason: status === 0 ? (isCrossed ? 'crossed' : null) : verdicts.reason(slot),
    verifiedAtMs: isCrossed ? null : receivedAtMs,
    mismatches: verdicts.mismatches[slot] as number
  }
}

function topLevels(arena: BookArena, slot: number, outcome: Outcome): RecordedLevel[] {
  const count = Math.min(RECORDED_DEPTH, arena.count(slot, outcome))
  const levels: RecordedLevel[] = new Array(count)
  for (let depth = 0; depth < count; depth++) {
    const price = arena.priceAt(slot, outcome, depth)
    levels[depth] = [outcome === YES ? price : ONE_E4 - price, arena.sizeAt(slot, outcome, depth)]
  }
  return levels
}

/** A REST answer may hold levels of size 0; they are none. */
function topPolled({ count, price, size }: PolledSide, isMirrored: boolean): RecordedLevel[] {
  const levels: RecordedLevel[] = []
  for (let index = count - 1; index >= 0 && levels.length < RECORDED_DEPTH; index--) {
    const at = price[index] as number
    const resting = size[index] as number
    if (resting > 0) levels.push([isMirrored ? ONE_E4 - at : at, resting])
  }
  return levels
}

function bestOf(
  bids: readonly RecordedLevel[],
  asks: readonly RecordedLevel[]
): Pick<SnapshotRecord, 'bestBid' | 'bestBidSize' | 'bestAsk' | 'bestAskSize'> {
  const bid = bids[0]
  const ask = asks[0]
  return {
    bestBid: bid === undefined ? null : bid[0],
    bestBidSize: bid === undefined ? null : bid[1],
    bestAsk: ask === undefined ? null : ask[0],
    bestAskSize: ask === undefined ? null : ask[1]
  }
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
