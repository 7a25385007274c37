import type { Venue } from '../../schemas/common.ts'
import { reasonBits, SOURCES, type VerdictReason } from '../integrity/verdict.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import { hasEnded } from '../venue/catalogue.ts'
import type { GapNote } from '../venue/wire-tap.ts'
import type { GapRecord, GapRecovery } from './records.ts'

/** Open gaps that are kept apart; above it a further one is told as part of the newest of its kind. */
const OPEN_MAX = 1_000
/** From so many books on it is worth asking whether they are all of the venue. */
const ALL_OF_VENUE_MIN = 500
/** A feed raises its reasons within this time of its note. */
const GRACE_MS = 1_000

export interface GapLogOptions {
  store: SnapshotStore
  sessionId: string
  write: (gap: GapRecord) => void
}

interface OpenGap {
  row: GapRecord
  /** Reasons with which a book is not whole again. */
  waitsFor: number
  /** Books that are not whole again, each with the market that it was. */
  books: Map<number, string>
  /** How the last of them that came back did; null while none did. */
  recoveredBy: GapRecovery | null
  /** When the last book left the list. */
  lastAtMs: number
}

/** A book that waits for a snapshot is not whole, whatever it was that made it wait. */
const BOOKLESS: VerdictReason[] = ['awaiting_snapshot', 'arena_full']
const REASONS_OF: Record<GapNote['kind'], number> = {
  sequence_gap: reasonBits(['sequence_gap', ...BOOKLESS]),
  hash_mismatch: reasonBits(['hash_mismatch', ...BOOKLESS]),
  audit_mismatch: reasonBits(['audit_mismatch', ...BOOKLESS]),
  disconnected: reasonBits(['disconnected', 'refused', 'poll_overdue', ...BOOKLESS]),
  drift: reasonBits(['drift', 'negative_level', 'crossed', ...BOOKLESS]),
  stray_change: reasonBits(['sequence_gap', ...BOOKLESS])
}

/**
 * Gaps that the feeds told, from their note until the last of their books is whole again. A book that came back at the
 * time of the note, or before, counts from the note on.
 */
export class GapLog {
  private readonly options: GapLogOptions
  private readonly open = new Set<OpenGap>()
  private readonly bySlot = new Map<number, Set<OpenGap>>()
  private number = 0

  constructor(options: GapLogOptions) {
    this.options = options
  }

  get size(): number {
    return this.open.size
  }

  /** Returns the open gaps as they would be written now. */
  rows(): GapRecord[] {
    return [...this.open].map(({ row }) => row)
  }

  /** Takes a feed's note. The feed may raise its reasons just before or just after, so nothing is ended here. */
  note(note: GapNote): void {
    const { store, sessionId, write } = this.options
    const { slots, ...told } = note
    const books = new Map<number, string>()
    for (const slot of slots) {
      const record = store.at(slot)
      if (record !== undefined) books.set(slot, record.id)
    }
    const gap = this.open.size < OPEN_MAX ? undefined : this.newestOf(note)
    if (gap !== undefined) {
      this.join(gap, note, books)
      return
    }
    const marketIds = this.isWholeVenue(note.venue, books.size) ? null : [...books.values()]
    const id = `${note.kind}:${sessionId}:${this.number++}`
    const row: GapRecord = { ...told, id, marketIds, endedAtMs: null, recoveredBy: null, decidedAtMs: null }
    const opened: OpenGap = {
      row,
      waitsFor: REASONS_OF[note.kind],
      books,
      recoveredBy: null,
      lastAtMs: note.detectedAtMs
    }
    this.open.add(opened)
    for (const slot of books.keys()) this.follow(slot, opened)
    write(row)
  }

  /** A slot's verdict or market changed, now. */
  changed(slot: number, atMs: number): void {
    const gaps = this.bySlot.get(slot)
    if (gaps === undefined) return
    for (const gap of [...gaps]) {
      this.look(gap, slot, atMs)
      if (gap.books.size === 0) this.end(gap, atMs)
    }
  }

  /**
   * Ends what ended without a change that was heard. A book whose reasons did not change since the note, and do not
   * hold it back, was whole at the note already.
   */
  check(nowMs: number): void {
    for (const gap of [...this.open]) {
      if (nowMs - gap.row.detectedAtMs < GRACE_MS) continue
      for (const slot of [...gap.books.keys()]) this.look(gap, slot, gap.row.detectedAtMs)
      if (gap.books.size === 0) this.end(gap, nowMs)
    }
  }

  /**
   * Ends what is open with the run, whose record ends: the time until the next one is a gap of its own, and of what comes
   * after, that one tells.
   */
  stop(nowMs: number): void {
    for (const gap of [...this.open]) {
      for (const slot of gap.books.keys()) this.unfollow(slot, gap)
      gap.lastAtMs = Math.max(gap.lastAtMs, nowMs)
      this.end(gap, nowMs)
    }
  }

  private look(gap: OpenGap, slot: number, atMs: number): void {
    const { store } = this.options
    const { books } = gap
    const { verdicts } = store.books
    const record = store.at(slot)
    // One that has ended is served on, but no book comes for it any more.
    const isAwaited = record?.id === books.get(slot) && record !== undefined && !hasEnded(record.market)
    if (isAwaited && ((verdicts.reasons[slot] as number) & gap.waitsFor) !== 0) return
    books.delete(slot)
    this.unfollow(slot, gap)
    if (isAwaited) {
      const source = SOURCES[verdicts.source[slot] as number]
      gap.recoveredBy = source === 'websocket' ? 'snapshot' : 'rest'
    }
    gap.lastAtMs = Math.max(gap.lastAtMs, atMs)
  }

  /** A gap whose markets all left before they came back keeps what is missing. */
  private end(gap: OpenGap, nowMs: number): void {
    if (!this.open.delete(gap)) return
    const { lastAtMs: endedAtMs, recoveredBy } = gap
    gap.row = { ...gap.row, endedAtMs, recoveredBy: recoveredBy ?? 'none', decidedAtMs: nowMs }
    this.options.write(gap.row)
  }

  private newestOf({ venue, kind }: GapNote): OpenGap | undefined {
    return [...this.open].findLast(({ row }) => row.venue === venue && row.kind === kind)
  }

  private join(gap: OpenGap, note: GapNote, books: Map<number, string>): void {
    for (const [slot, id] of books) {
      gap.books.set(slot, id)
      this.follow(slot, gap)
    }
    const { marketIds, startedAtMs } = gap.row
    gap.row = {
      ...gap.row,
      // The numbers of one subscription say nothing of another.
      fromSequence: null,
      toSequence: null,
      marketIds: marketIds === null ? null : [...new Set([...marketIds, ...books.values()])],
      startedAtMs: Math.min(startedAtMs, note.startedAtMs),
      detail: 'Several gaps, told as one: more were open than are kept apart.'
    }
    this.options.write(gap.row)
  }

  private isWholeVenue(venue: Venue, books: number): boolean {
    if (books < ALL_OF_VENUE_MIN) return false
    let markets = 0
    for (const record of this.options.store.records()) if (record.market.venue === venue) markets++
    return books >= markets
  }

  private follow(slot: number, gap: OpenGap): void {
    const gaps = this.bySlot.get(slot)
    if (gaps === undefined) this.bySlot.set(slot, new Set([gap]))
    else gaps.add(gap)
  }

  private unfollow(slot: number, gap: OpenGap): void {
    const gaps = this.bySlot.get(slot)
    gaps?.delete(gap)
    if (gaps?.size === 0) this.bySlot.delete(slot)
  }
}
