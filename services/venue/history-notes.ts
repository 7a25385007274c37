import type { BookTable } from '../integrity/book-table.ts'
import { SeenTrades } from './seen-trades.ts'
import type { GapNote, HistoryTaps, TradeNote } from './wire-tap.ts'

export interface HistoryNotesOptions {
  venue: GapNote['venue']
  history: HistoryTaps
  table: BookTable
  now: () => number
}

/** What a feed finds wrong with one book by itself. */
export type BookDoubt = Extract<GapNote['kind'], 'hash_mismatch' | 'audit_mismatch' | 'drift'>

/** Tells whoever keeps history what a feed of one venue lost, and each trade once. */
export class HistoryNotes {
  private readonly options: HistoryNotesOptions
  private readonly seen = new SeenTrades()

  constructor(options: HistoryNotesOptions) {
    this.options = options
  }

  /** Something was lost that concerns one connection. */
  lost(connection: string, loss: Omit<GapNote, 'venue' | 'connection' | 'detectedAtMs'>): void {
    const { venue, history, now } = this.options
    history.onGap({ ...loss, venue, connection, detectedAtMs: now() })
  }

  /** One book became doubtful. `sinceMs`: our clock when its stream began, for a book that was never proved. */
  doubted(
    slot: number,
    kind: BookDoubt,
    detail: string,
    connection: string | null,
    sinceMs: number | null
  ): void {
    const { venue, history, table, now } = this.options
    const { verdicts } = table
    const detectedAtMs = now()
    // What was not understood came after the last message that was; a proof that fails tells of the time since the last.
    const wellAtMs = kind === 'drift' ? verdicts.receivedAtMs(slot) : verdicts.verifiedAtMs(slot)
    history.onGap({
      venue,
      kind,
      connection,
      subscription: null,
      fromSequence: null,
      toSequence: null,
      slots: [slot],
      startedAtMs: Number.isNaN(wellAtMs) ? (sinceMs ?? detectedAtMs) : wellAtMs,
      detectedAtMs,
      detail
    })
  }

  /** Books that are polled were not read in time; the last answer of the longest overdue came at `heardAtMs`. */
  overdue(slots: readonly number[], heardAtMs: number): void {
    const { venue, history, now } = this.options
    history.onGap({
      venue,
      kind: 'disconnected',
      connection: null,
      subscription: null,
      fromSequence: null,
      toSequence: null,
      slots,
      startedAtMs: heardAtMs,
      detectedAtMs: now(),
      detail: 'Books that are polled over REST were not answered in time.'
    })
  }

  /** A trade was told; `name` is the same whenever this trade is told. */
  traded(trade: TradeNote, name: string): void {
    if (this.seen.isNew(name)) this.options.history.onTrade(trade)
  }
}
