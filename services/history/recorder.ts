import type { VerdictReason } from '../integrity/verdict.ts'
import { NO, YES } from '../orderbook/arena.ts'
import { levelPrint } from '../orderbook/level-print.ts'
import type { ChangeConsumer } from '../snapshots/change-bus.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import { DUE_STEP_MS, DueSlots } from './due-slots.ts'
import type { SnapshotCause, SnapshotRecord, TradeRecord } from './records.ts'
import { type PolledSide, polledRow, RECORDED_DEPTH, snapshotRow } from './snapshot-rows.ts'

/** Rows that are built in one turn of the event loop; the rest waits for the next. */
export const SLICE_ROWS = 200
/** Empty slots that a turn may pass over. */
const SLICE_VISITS = 20_000
const CHANGE_EVERY_MS = 1_000
const INTERVAL_MS = 60_000

export interface RecorderOptions {
  store: SnapshotStore
  rows: { addSnapshot(row: SnapshotRecord): void; addTrade(row: TradeRecord): void }
  /** A slot may hold another market, or its venue may say something new of it. */
  onSlot: (slot: number, atMs: number) => void
  now: () => number
  steadyNow: () => number
}

/** A change of a verdict, and the version that the book had with it. */
interface VerdictNote {
  slot: number
  atMs: number
  version: number
}

/**
 * Turns what happens to books into rows: at most one a second a market for changes, so that the last of each second is
 * kept; one a minute while a book is live; and one at every change of its verdict, which is heard at once. Everything
 * else is done in slices, so that no book waits.
 */
export class Recorder {
  /** Rows by cause, since the start. */
  readonly counts: Record<SnapshotCause, number> = { change: 0, interval: 0, verdict: 0, poll: 0 }
  private readonly options: RecorderOptions
  private readonly marketIds: (string | undefined)[] = []
  private readonly reasons: (VerdictReason | null | undefined)[] = []
  private readonly due: DueSlots
  /** By slot, of the last row: when the last one of a change was written, and what both sides were. */
  private readonly changedAt: Float64Array
  private readonly yesPrints: Int32Array
  private readonly noPrints: Int32Array
  private readonly polledAt: Float64Array
  private readonly polledYes: Int32Array
  private readonly polledNo: Int32Array
  /** Changes of verdicts that came in too great a number for one turn. */
  private notes: VerdictNote[] = []
  /** Notes before this one are written. */
  private noted = 0
  /** Verdict rows written in this turn. */
  private eager = 0
  private readonly startedAt: number
  /** Slots passed by the sweep that writes one row a minute, since the start. */
  private swept = 0
  private consumer: ChangeConsumer | null = null
  private timer: NodeJS.Timeout | null = null
  private isScheduled = false

  constructor(options: RecorderOptions) {
    this.options = options
    const { capacityMarkets } = options.store.books
    this.due = new DueSlots(capacityMarkets)
    this.changedAt = new Float64Array(capacityMarkets).fill(Number.NEGATIVE_INFINITY)
    this.yesPrints = new Int32Array(capacityMarkets)
    this.noPrints = new Int32Array(capacityMarkets)
    this.polledAt = new Float64Array(capacityMarkets).fill(Number.NEGATIVE_INFINITY)
    this.polledYes = new Int32Array(capacityMarkets)
    this.polledNo = new Int32Array(capacityMarkets)
    this.startedAt = options.steadyNow()
  }

  /** Changes that are not looked at yet. */
  get pending(): number {
    return this.notes.length - this.noted + (this.consumer?.pending ?? 0)
  }

  start(): void {
    this.consumer = this.options.store.consume(() => this.work())
    this.timer = setInterval(() => this.work(), DUE_STEP_MS)
    this.timer.unref()
  }

  /** Hears no more changes, and records what waits. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    while (this.slice(true)) await new Promise(setImmediate)
    this.consumer?.close()
    this.consumer = null
  }

  trade(note: TradeNote): void {
    this.options.rows.addTrade({ ...note, atMs: note.receivedAtMs })
  }

  /** A slot's verdict or market changed, now: called synchronously, so that its row shows the book at that instant. */
  verdictChanged(slot: number, atMs: number): void {
    const { store } = this.options
    const record = store.at(slot)
    if (record === undefined || record.id !== this.marketIds[slot]) {
      this.take(slot, record?.id)
      return
    }
    const reason = store.books.verdicts.reason(slot)
    if (reason === this.reasons[slot]) return
    this.reasons[slot] = reason
    if (this.notes.length === 0 && this.eager < SLICE_ROWS) {
      this.eager++
      this.write(slot, 'verdict', atMs)
    } else this.notes.push({ slot, atMs, version: store.books.versions[slot] as number })
    this.schedule()
  }

  /** Records a venue's REST answer when it differs from the one before, and once a minute. */
  polled(slot: number, receivedAtMs: number, yes: PolledSide, no: PolledSide): void {
    const { store, rows, steadyNow } = this.options
    const record = store.at(slot)
    if (record === undefined) return
    if (record.id !== this.marketIds[slot]) this.take(slot, record.id)
    const yesPrint = topPrint(yes)
    const noPrint = topPrint(no)
    const at = steadyNow()
    const isSame = this.polledYes[slot] === yesPrint && this.polledNo[slot] === noPrint
    if (isSame && at - (this.polledAt[slot] as number) < INTERVAL_MS) return
    this.polledYes[slot] = yesPrint
    this.polledNo[slot] = noPrint
    this.polledAt[slot] = at
    this.counts.poll++
    rows.addSnapshot(polledRow(store.books, slot, record.id, receivedAtMs, yes, no))
  }

  /** Works off one slice; the rest in later turns. */
  work(): void {
    if (this.slice(false)) this.schedule()
  }

  private schedule(): void {
    if (this.isScheduled || this.consumer === null) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      if (this.consumer !== null) this.work()
    })
  }

  /** Returns true when there is more to do. `isLast`: what waits for its second waits no longer. */
  private slice(isLast: boolean): boolean {
    const { now, steadyNow } = this.options
    const atMs = now()
    const steadyMs = steadyNow()
    this.eager = 0
    let left = SLICE_ROWS - this.writeNotes(SLICE_ROWS, atMs)
    for (; left > 0; left--) {
      const slot = isLast ? this.due.takeAny() : this.due.take(steadyMs)
      if (slot < 0) break
      if (this.differs(slot)) this.writeChange(slot, atMs, steadyMs)
    }
    if (left > 0 && this.consumer !== null) {
      const before = this.consumer.pending
      left -= before - this.consumer.drain((slot) => this.visit(slot, atMs, steadyMs), left)
    }
    if (!isLast) left -= this.sweep(left, atMs, steadyMs)
    return left <= 0 || (isLast && this.due.size > 0)
  }

  /** A book that changed before its turn came is recorded as it is now: never as something that it was not. */
  private writeNotes(limit: number, atMs: number): number {
    const { versions } = this.options.store.books
    let written = 0
    for (; written < limit && this.noted < this.notes.length; written++) {
      const note = this.notes[this.noted++] as VerdictNote
      const isAsNoted = versions[note.slot] === note.version
      this.write(note.slot, 'verdict', isAsNoted ? note.atMs : atMs)
    }
    if (this.noted === this.notes.length) {
      this.notes = []
      this.noted = 0
    }
    return written
  }

  private visit(slot: number, atMs: number, steadyMs: number): void {
    const id = this.options.store.at(slot)?.id
    this.options.onSlot(slot, atMs)
    if (id !== this.marketIds[slot]) this.take(slot, id)
    if (id === undefined || this.due.has(slot) || !this.differs(slot)) return
    const dueMs = (this.changedAt[slot] as number) + CHANGE_EVERY_MS
    if (dueMs <= steadyMs) this.writeChange(slot, atMs, steadyMs)
    else this.due.add(slot, dueMs)
  }

  /** Passes the slots at such a pace that each has its turn once a minute; returns how many rows that took. */
  private sweep(limit: number, atMs: number, steadyMs: number): number {
    const { books } = this.options.store
    const target = Math.floor(((steadyMs - this.startedAt) / INTERVAL_MS) * books.capacityMarkets)
    // After a standstill of more than a minute nobody is owed two rows.
    this.swept = Math.max(this.swept, target - books.capacityMarkets)
    let written = 0
    for (let visits = 0; this.swept < target && visits < SLICE_VISITS && written < limit; visits++) {
      const slot = this.swept++ % books.capacityMarkets
      if (this.marketIds[slot] === undefined || books.verdicts.reasons[slot] !== 0) continue
      this.write(slot, 'interval', atMs)
      written++
    }
    return this.swept < target ? limit : written
  }

  /** True when a book is not what its last row says. */
  private differs(slot: number): boolean {
    const { arena } = this.options.store.books
    return (
      this.yesPrints[slot] !== arena.sidePrint(slot, YES) || this.noPrints[slot] !== arena.sidePrint(slot, NO)
    )
  }

  private writeChange(slot: number, atMs: number, steadyMs: number): void {
    this.changedAt[slot] = steadyMs
    this.write(slot, 'change', atMs)
  }

  private write(slot: number, cause: SnapshotCause, atMs: number): void {
    const { books } = this.options.store
    const id = this.options.store.at(slot)?.id
    // Of a book of which nothing ever came there is nothing to record.
    if (id === undefined || Number.isNaN(books.verdicts.receivedAtMs(slot))) return
    this.yesPrints[slot] = books.arena.sidePrint(slot, YES)
    this.noPrints[slot] = books.arena.sidePrint(slot, NO)
    this.counts[cause]++
    this.options.rows.addSnapshot(snapshotRow(books, slot, id, cause, atMs))
  }

  /** A slot is another market's from now on, or nobody's. */
  private take(slot: number, id: string | undefined): void {
    this.marketIds[slot] = id
    this.reasons[slot] = id === undefined ? undefined : this.options.store.books.verdicts.reason(slot)
    this.changedAt[slot] = Number.NEGATIVE_INFINITY
    this.yesPrints[slot] = 0
    this.noPrints[slot] = 0
    this.polledAt[slot] = Number.NEGATIVE_INFINITY
  }
}

function topPrint({ count, price, size }: PolledSide): number {
  let print = 0
  const end = Math.max(0, count - RECORDED_DEPTH)
  for (let index = count - 1; index >= end; index--) {
    print = (print + levelPrint(price[index] as number, size[index] as number)) | 0
  }
  return print
}
