import type { BookTable } from '../integrity/book-table.ts'
import type { Incidents } from '../integrity/incidents.ts'
import { reasonBits } from '../integrity/verdict.ts'
import type { CorruptReason } from './book-writer.ts'

const DETAILS: Partial<Record<CorruptReason, string>> = {
  drift: 'a message of a known type was not understood',
  crossed: 'the best bid is not below the best ask, and no match explains it',
  arena_full: 'there is no room for the book: raise BOOK_LEVELS_MAX',
  hash_mismatch: 'the book has not the hash that the venue gives it',
  best_price_mismatch: 'the best prices differ from those that the venue gives, several times in a row'
}
const DOUBTFUL = reasonBits(['drift', 'crossed', 'arena_full', 'hash_mismatch'])
const SAMPLE_BYTES = 500

export interface BookIncidentsOptions {
  table: BookTable
  incidents: Incidents
  /** The market of a slot; null where it has none. */
  marketId: (slot: number) => string | null
}

/** Notes what went wrong with single books, each until its book is whole again. */
export class BookIncidents {
  private readonly options: BookIncidentsOptions
  /** The incident of each kind that goes on, by slot. */
  private readonly open = new Map<number, Map<CorruptReason, number>>()

  constructor(options: BookIncidentsOptions) {
    this.options = options
  }

  /** Notes that a book has to be read again; one that is merely late is no incident. */
  corrupt(slot: number, reason: CorruptReason, frame: Buffer | null): void {
    const detail = DETAILS[reason]
    if (detail === undefined) return
    const { incidents, marketId } = this.options
    // The proofs fail long after the frame that was lost.
    const sample = reason === 'drift' && frame !== null ? sampleOf(frame) : null
    const id = incidents.note({ venue: 'polymarket', kind: reason, marketId: marketId(slot), detail, sample })
    const ids = this.open.get(slot) ?? new Map<CorruptReason, number>()
    const before = ids.get(reason)
    // It was listed again: the new one goes on in its place.
    if (before !== undefined && before !== id) incidents.end(before)
    this.open.set(slot, ids.set(reason, id))
  }

  /** Notes a frame of which nothing tells what books it is about. */
  refused(reason: string, frame: Buffer): void {
    // Each book that drifts is noted by itself.
    if (reason === 'drift' || reason === 'market_drift') return
    const detail = `a frame was not understood: ${reason}`
    this.options.incidents.note({ venue: 'polymarket', kind: reason, detail, sample: sampleOf(frame) })
  }

  /** Ends the incidents of books that are whole again. */
  tick(): void {
    const { table, incidents } = this.options
    for (const [slot, ids] of this.open) {
      if (((table.verdicts.reasons[slot] as number) & DOUBTFUL) !== 0) continue
      for (const id of ids.values()) incidents.end(id)
      this.open.delete(slot)
    }
  }
}

function sampleOf(frame: Buffer): string {
  return frame.toString('latin1', 0, SAMPLE_BYTES)
}
