import { randomUUID } from 'node:crypto'
import { VENUES, type Venue } from '../../schemas/common.ts'
import type { JournalHole } from './journal/record.ts'
import type { GapRecord } from './records.ts'

/** Returns the gap of records that a journal lost; nothing brings them back. `venue` null: of both venues. */
export function journalGaps(hole: JournalHole, venue: Venue | null, nowMs: number): GapRecord[] {
  const { journal, fromMs, toMs, records, reason } = hole
  return ofVenues(venue, {
    kind: 'journal_hole',
    startedAtMs: fromMs,
    detectedAtMs: nowMs,
    endedAtMs: toMs,
    recoveredBy: 'none',
    decidedAtMs: nowMs,
    detail: `The journal ${journal} lost ${records} records: ${reason.replaceAll('_', ' ')}.`
  })
}

/** The time in which the database was away, told when it goes and again, under the same ids, when it is back. */
export class StorageGap {
  private readonly write: (gap: GapRecord) => void
  private away: { fromMs: number; rows: GapRecord[] } | null = null

  constructor(write: (gap: GapRecord) => void) {
    this.write = write
  }

  went(atMs: number): void {
    const rows = ofVenues(null, {
      kind: 'storage_down',
      startedAtMs: atMs,
      detectedAtMs: atMs,
      endedAtMs: null,
      recoveredBy: null,
      decidedAtMs: null,
      detail: 'The database is away: rows wait.'
    })
    this.away = { fromMs: atMs, rows }
    for (const row of rows) this.write(row)
  }

  /** Rows that found no room meanwhile are a gap of their own; the others only came late. */
  back(atMs: number, lostRows: number): void {
    if (this.away === null) return
    const { fromMs, rows } = this.away
    this.away = null
    const kept =
      lostRows === 0 ? 'every row waited and was written' : `${lostRows} rows had no room, the others waited`
    const endedAtMs = Math.max(fromMs, atMs)
    for (const row of rows) {
      this.write({
        ...row,
        endedAtMs,
        recoveredBy: lostRows === 0 ? 'snapshot' : 'none',
        decidedAtMs: endedAtMs,
        detail: `The database was away for ${atMs - fromMs} ms: ${kept}.`
      })
    }
  }
}

type VenueGap = Pick<
  GapRecord,
  'kind' | 'startedAtMs' | 'detectedAtMs' | 'endedAtMs' | 'recoveredBy' | 'decidedAtMs' | 'detail'
>

/** Returns a gap of all markets, of one venue or of each. `venue` null: of both. */
export function ofVenues(venue: Venue | null, gap: VenueGap): GapRecord[] {
  const id = randomUUID()
  return (venue === null ? VENUES : [venue]).map((one) => ({
    id: `${gap.kind}:${id}:${one}`,
    venue: one,
    connection: null,
    subscription: null,
    fromSequence: null,
    toSequence: null,
    marketIds: null,
    ...gap
  }))
}
