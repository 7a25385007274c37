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
  ['poll_overdue', 'stale'],
  // Appended, since the book log keeps these as bits: what only a replica says of the books that it follows.
  ['replica_gap', 'suspect'],
  ['replica_lagging', 'stale']
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

/** Returns the bits of several reasons. */
export function reasonBits(reasons: readonly VerdictReason[]): number {
  return reasons.reduce((bits, reason) => bits | reasonBit(reason), 0)
}

/** With any of these reasons a book has no state that a change could build on: only a snapshot mends it. */
export const NEEDS_SNAPSHOT = reasonBits([
  'drift',
  'negative_level',
  'crossed',
  'sequence_gap',
  'arena_full',
  'awaiting_snapshot'
])

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

/** A slot's entry in `marks`. NaN stands for null in each. */
const MARKS = 4
const SEQUENCE = 0
const VENUE_TIME = 1
const RECEIVED_AT = 2
const VERIFIED_AT = 3

/** The verdicts of all books, in typed arrays by slot. */
export class VerdictTable {
  readonly reasons: Uint32Array
  readonly source: Uint8Array
  readonly mismatches: Uint32Array
  /** Sequence and times of each slot, together: a message writes three of them into one cache line. */
  private readonly marks: Float64Array

  constructor(capacityMarkets: number) {
    this.reasons = new Uint32Array(capacityMarkets)
    this.source = new Uint8Array(capacityMarkets)
    this.mismatches = new Uint32Array(capacityMarkets)
    this.marks = new Float64Array(capacityMarkets * MARKS).fill(Number.NaN)
  }

  /** Makes a slot what a market is before its first snapshot. */
  reset(slot: number): void {
    this.reasons[slot] = reasonBit('awaiting_snapshot')
    this.source[slot] = 0
    this.mismatches[slot] = 0
    this.marks.fill(Number.NaN, slot * MARKS, (slot + 1) * MARKS)
  }

  /** Records that a message came: our clock, the venue's clock (NaN leaves it), its counter (NaN if it has none). */
  received(slot: number, receivedAtMs: number, venueTimeMs: number, sequence: number): void {
    const { marks } = this
    const entry = slot * MARKS
    marks[entry + RECEIVED_AT] = receivedAtMs
    if (!Number.isNaN(venueTimeMs)) marks[entry + VENUE_TIME] = venueTimeMs
    marks[entry + SEQUENCE] = sequence
  }

  /** Records that the book was proved, by our clock. */
  verified(slot: number, verifiedAtMs: number): void {
    this.marks[slot * MARKS + VERIFIED_AT] = verifiedAtMs
  }

  /** Takes over counter and times as another process has them, NaN for null: what it does not know is known no more. */
  assume(
    slot: number,
    sequence: number,
    venueTimeMs: number,
    receivedAtMs: number,
    verifiedAtMs: number
  ): void {
    this.marks.set([sequence, venueTimeMs, receivedAtMs, verifiedAtMs], slot * MARKS)
  }

  /** Each of these four is NaN for null, as in `received`. */
  sequence(slot: number): number {
    return this.marks[slot * MARKS + SEQUENCE] as number
  }

  venueTimeMs(slot: number): number {
    return this.marks[slot * MARKS + VENUE_TIME] as number
  }

  receivedAtMs(slot: number): number {
    return this.marks[slot * MARKS + RECEIVED_AT] as number
  }

  verifiedAtMs(slot: number): number {
    return this.marks[slot * MARKS + VERIFIED_AT] as number
  }

  state(slot: number): VerdictState {
    return STATES[stateCode(this.reasons[slot] as number)] as VerdictState
  }

  reason(slot: number): VerdictReason | null {
    const reasons = this.reasons[slot] as number
    return reasons === 0 ? null : (REASONS[firstReason(reasons)] as (typeof REASONS)[number])[0]
  }

  sourceOf(slot: number): VerdictSource {
    return SOURCES[this.source[slot] as number] as VerdictSource
  }

  has(slot: number, reason: VerdictReason): boolean {
    return ((this.reasons[slot] as number) & reasonBit(reason)) !== 0
  }

  get(slot: number): Verdict {
    return {
      state: this.state(slot),
      reason: this.reason(slot),
      source: this.sourceOf(slot),
      sequence: orNull(this.sequence(slot)),
      venueTimeMs: orNull(this.venueTimeMs(slot)),
      receivedAtMs: orNull(this.receivedAtMs(slot)),
      verifiedAtMs: orNull(this.verifiedAtMs(slot)),
      mismatches: this.mismatches[slot] as number
    }
  }
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
