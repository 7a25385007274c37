import type { BookTable } from '../../integrity/book-table.ts'
import { type BookArena, NO, type Outcome, YES } from '../../orderbook/arena.ts'
import type { RecordedLevel } from '../records.ts'
import type { ChangeHead } from './change-buffer.ts'

const NUMBER_AT = '{"number":'.length
const NUMBER_DIGITS_MAX = 10

/** A whole book, as its slot held it. */
export interface BookCheckpoint extends ChangeHead {
  /** Of the record in the log; stands first, see `numberOf`. */
  number: number
  marketId: string
  sequence: number | null
  venueTimeMs: number | null
  receivedAtMs: number | null
  verifiedAtMs: number | null
  /** Bids for YES and bids for NO, best first, each at its own price. */
  bids: RecordedLevel[]
  asks: RecordedLevel[]
}

/** The market has left its slot. */
export interface ReleasedCheckpoint {
  number: number
  slot: number
  marketId: string
  released: true
}

/** Returns what the book in a slot is now; `version` is that of its last recorded change. */
export function checkpointOf(
  { arena, verdicts }: BookTable,
  slot: number,
  { number, marketId, version }: Pick<BookCheckpoint, 'number' | 'marketId' | 'version'>
): BookCheckpoint {
  const { sequence, venueTimeMs, receivedAtMs, verifiedAtMs } = verdicts.get(slot)
  return {
    number,
    slot,
    marketId,
    version,
    reasons: verdicts.reasons[slot] as number,
    source: verdicts.source[slot] as number,
    sequence,
    venueTimeMs,
    receivedAtMs,
    verifiedAtMs,
    bids: levelsOf(arena, slot, YES),
    asks: levelsOf(arena, slot, NO),
    yesPrint: arena.sidePrint(slot, YES),
    noPrint: arena.sidePrint(slot, NO)
  }
}

export function parseCheckpoint(body: Buffer): BookCheckpoint | ReleasedCheckpoint {
  return JSON.parse(body.toString()) as BookCheckpoint | ReleasedCheckpoint
}

/** Returns the number of a checkpoint without reading the rest: a reader passes over those of all other markets. */
export function numberOf(body: Buffer): number {
  return Number.parseInt(body.toString('latin1', NUMBER_AT, NUMBER_AT + NUMBER_DIGITS_MAX), 10)
}

/** Returns the levels of a side, best first. */
export function levelsOf(arena: BookArena, slot: number, outcome: Outcome): RecordedLevel[] {
  const levels: RecordedLevel[] = []
  for (let i = 0; i < arena.count(slot, outcome); i++)
    levels.push([arena.priceAt(slot, outcome, i), arena.sizeAt(slot, outcome, i)])
  return levels
}
