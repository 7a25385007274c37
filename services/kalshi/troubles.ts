import type { BookTable } from '../integrity/book-table.ts'
import type { Incidents } from '../integrity/incidents.ts'
import type { VerdictReason } from '../integrity/verdict.ts'
import type { FrameLog } from '../venue/frame-log.ts'
import type { CorruptReason } from './books.ts'

export interface TroublesOptions {
  table: BookTable
  incidents: Incidents
  frames: FrameLog
  /** The market of a slot; null where it has none. */
  marketId: (slot: number) => string | null
  /** Books that are streamed now. */
  slots: () => Iterable<number>
}

interface Ongoing {
  readonly id: number
  readonly reason: VerdictReason
  /** Null where it concerns all books. */
  readonly slot: number | null
}

const CHECK_EVERY_MS = 1_000
const SAMPLE_BYTES = 500
const ONGOING_MAX = 1_000
/** A book's own troubles that are worth a mention; drift comes with its frame, and a gap with its numbers. */
const OF_ONE_BOOK: ReadonlySet<CorruptReason> = new Set(['negative_level', 'crossed', 'arena_full'])

/** Tells of what went wrong in the stream, each as an incident, and when it was over. */
export class Troubles {
  private readonly options: TroublesOptions
  private readonly ongoing = new Map<number, Ongoing>()
  private timer: NodeJS.Timeout | null = null

  constructor(options: TroublesOptions) {
    this.options = options
  }

  start(): void {
    this.timer ??= setInterval(() => this.check(), CHECK_EVERY_MS)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  /** Numbers of a subscription were skipped. */
  gap(sid: number, expected: number, got: number): void {
    this.note('sequence_gap', null, `sid ${sid}: number ${got} came where ${expected} was due`)
  }

  /** One book became doubtful. */
  corrupt(slot: number, reason: CorruptReason): void {
    if (OF_ONE_BOOK.has(reason)) this.note(reason, slot, 'the book became impossible')
  }

  /** A change of a market that was never subscribed came where our books' changes do. */
  stray(sid: number): void {
    const { incidents } = this.options
    const detail = `sid ${sid}: a change names a market that was never subscribed`
    incidents.note({ venue: 'kalshi', kind: 'stray_change', connection: 'kalshi', detail })
  }

  /** The venue began to write numbers in another form. */
  reformed(sid: number): void {
    this.note('drift', null, `sid ${sid}: the form of prices and counts has changed`)
  }

  /** A frame was not understood. */
  refused(reason: string, frame: Buffer, slot: number | null): void {
    this.options.frames.note(reason, frame)
    if (reason !== 'drift') return
    this.note('drift', slot, 'a known type in an unknown form', frame.toString('latin1', 0, SAMPLE_BYTES))
  }

  /** A polled book was not understood. */
  refusedBook(marketId: string, book: unknown): void {
    const sample = (JSON.stringify(book) ?? String(book)).slice(0, SAMPLE_BYTES)
    const detail = 'a book in an unknown form'
    this.options.incidents.note({ venue: 'kalshi', kind: 'drift', marketId, detail, sample })
  }

  private note(
    reason: VerdictReason,
    slot: number | null,
    detail: string,
    sample: string | null = null
  ): void {
    const { incidents, marketId } = this.options
    const market = slot === null ? null : marketId(slot)
    const id = incidents.note({
      venue: 'kalshi',
      kind: reason,
      marketId: market,
      connection: 'kalshi',
      detail,
      sample
    })
    if (this.ongoing.size < ONGOING_MAX) this.ongoing.set(id, { id, reason, slot })
  }

  private check(): void {
    const { table, incidents, slots } = this.options
    for (const { id, reason, slot } of this.ongoing.values()) {
      const concerned = slot === null ? [...slots()] : [slot]
      if (concerned.some((one) => table.verdicts.has(one, reason))) continue
      this.ongoing.delete(id)
      incidents.end(id)
    }
  }
}
