/** How far a book can be trusted, worst last in no order: see ARCHITECTURE.md for who may use which. */
export const STATES = ['syncing', 'live', 'stale', 'suspect', 'halted', 'closed'] as const
export type VerdictState = (typeof STATES)[number]

export const SOURCES = ['websocket', 'poll'] as const
export type VerdictSource = (typeof SOURCES)[number]

/**
 * Every reason for which a book is not live, most important first, with the state it brings. A book's state is
 * derived: it is that of the first reason that holds, or `live` when none does.
 */
export const REASONS = [
  ['market_settled', 'closed'],
  ['market_closed', 'closed'],
  ['venue_paused', 'halted'],
  ['not_open', 'halted'],
  ['drift', 'suspect'],
  ['negative_level', 'suspect'],
  ['crossed', 'suspect'],
  ['hash_mismatch', 'suspect'],
  ['audit_mismatch', 'suspect'],
  ['sequence_gap', 'suspect'],
  ['arena_full', 'syncing'],
  ['awaiting_snapshot', 'syncing'],
  ['refused', 'stale'],
  ['disconnected', 'stale'],
  ['silent', 'stale'],
  ['poll_overdue', 'stale']
] as const satisfies readonly (readonly [string, VerdictState])[]
export type VerdictReason = (typeof REASONS)[number][0]

/** What every book, and so every answer that holds one, says of itself. Times are epoch milliseconds. */
export interface Verdict {
  state: VerdictState
  reason: VerdictReason | null
  source: VerdictSource
  /** The venue's own counter; null where it sends none. */
  sequence: number | null
  /** The venue's clock at the last change. */
  venueTimeMs: number | null
  /** Our clock at the last message for this market. */
  receivedAtMs: number | null
  /** Our clock when the book was last proved. */
  verifiedAtMs: number | null
  mismatches: number
}

const BITS = new Map<VerdictReason, number>(REASONS.map(([reason], index) => [reason, 1 << index]))
const STATE_CODES = REASONS.map(([, state]) => STATES.indexOf(state))
const LIVE = STATES.indexOf('live')

/** Returns the bit that stands for a reason in `VerdictTable.reasons`. */
export function reasonBit(reason: VerdictReason): number {
  return BITS.get(reason) as number
}

/** Returns the state that a set of reasons brings. */
export function stateOf(reasons: number): VerdictState {
  return STATES[stateCode(reasons)] as VerdictState
}

function firstReason(reasons: number): number {
  return 31 - Math.clz32(reasons & -reasons)
}

function stateCode(reasons: number): number {
  return reasons === 0 ? LIVE : (STATE_CODES[firstReason(reasons)] as number)
}

/** The verdicts of all books, in typed arrays by slot. */
export class VerdictTable {
  readonly reasons: Uint32Array
  readonly source: Uint8Array
  /** NaN stands for null in each of these four. */
  readonly sequence: Float64Array
  readonly venueTimeMs: Float64Array
  readonly receivedAtMs: Float64Array
  readonly verifiedAtMs: Float64Array
  readonly mismatches: Uint32Array

  constructor(capacityMarkets: number) {
    this.reasons = new Uint32Array(capacityMarkets)
    this.source = new Uint8Array(capacityMarkets)
    this.sequence = new Float64Array(capacityMarkets).fill(Number.NaN)
    this.venueTimeMs = new Float64Array(capacityMarkets).fill(Number.NaN)
    this.receivedAtMs = new Float64Array(capacityMarkets).fill(Number.NaN)
    this.verifiedAtMs = new Float64Array(capacityMarkets).fill(Number.NaN)
    this.mismatches = new Uint32Array(capacityMarkets)
  }

  /** Makes a slot what a market is before its first snapshot. */
  reset(slot: number): void {
    this.reasons[slot] = reasonBit('awaiting_snapshot')
    this.source[slot] = 0
    this.sequence[slot] = Number.NaN
    this.venueTimeMs[slot] = Number.NaN
    this.receivedAtMs[slot] = Number.NaN
    this.verifiedAtMs[slot] = Number.NaN
    this.mismatches[slot] = 0
  }

  state(slot: number): VerdictState {
    return STATES[stateCode(this.reasons[slot] as number)] as VerdictState
  }

  reason(slot: number): VerdictReason | null {
    const reasons = this.reasons[slot] as number
    return reasons === 0 ? null : (REASONS[firstReason(reasons)] as (typeof REASONS)[number])[0]
  }

  has(slot: number, reason: VerdictReason): boolean {
    return ((this.reasons[slot] as number) & reasonBit(reason)) !== 0
  }

  get(slot: number): Verdict {
    return {
      state: this.state(slot),
      reason: this.reason(slot),
      source: SOURCES[this.source[slot] as number] as VerdictSource,
      sequence: orNull(this.sequence[slot] as number),
      venueTimeMs: orNull(this.venueTimeMs[slot] as number),
      receivedAtMs: orNull(this.receivedAtMs[slot] as number),
      verifiedAtMs: orNull(this.verifiedAtMs[slot] as number),
      mismatches: this.mismatches[slot] as number
    }
  }
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
