import type { BookListener } from '../../integrity/book-listeners.ts'
import type { BookTable } from '../../integrity/book-table.ts'
import type { PriceE4, SizeE6 } from '../../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../../orderbook/arena.ts'
import { ALIVE, ChangeBuffer, SIGN_SLOT, STARTED, STOPPED } from './change-buffer.ts'
import { type BookCheckpoint, checkpointOf, type ReleasedCheckpoint } from './checkpoint.ts'
import { CheckpointSchedule } from './checkpoint-schedule.ts'
import type { BookLogSink } from './ports.ts'

/** What the log is kept of: the store of what is served. */
export interface LoggedStore {
  readonly books: BookTable
  records(): Iterable<{ readonly slot: number; readonly id: string }>
  watchBindings(watcher: (slot: number, id: string | null) => void): () => void
}

export interface BookLogWriterOptions {
  store: LoggedStore
  sink: BookLogSink
  now: () => number
  /** A changed book is written whole after this long. */
  checkpointEveryMs?: number
  /** A book that rests is written whole this often, or up to twice as often. */
  restingEveryMs?: number
  /** The clock is read anew after this many changes of one turn of the event loop, since reading it costs as much as one. */
  clockEvery?: number
}

const CHECKPOINT_EVERY_MS = 30_000
const RESTING_EVERY_MS = 300_000
const CLOCK_EVERY = 16
const TICK_MS = 250
/** Silence is proved up to the last sign of life. */
const SIGN_EVERY_MS = 1_000
/** Whole books that are written in one turn: some half a millisecond. */
const SLICE = 16
/** Changes are handed on when they are this long, and at the end of each turn. */
const BATCH_BYTES = 32 * 1024
const NONE = -1

/** A slot's entry in `written`: what its last recorded change said. */
const FIELDS = 3
const VERSION = 0
const REASONS = 1
const SOURCE = 2

/**
 * Keeps the book log: every change of every served book, as it was served. The changes of one millisecond are one record
 * of the journal; whole books in between are where a reader starts. All is done in the turn of the change itself, so
 * that what is written is at every moment what was served.
 */
export class BookLogWriter implements BookListener {
  private readonly options: Required<BookLogWriterOptions>
  private readonly table: BookTable
  private readonly buffer = new ChangeBuffer()
  private readonly schedule: CheckpointSchedule
  private readonly written: Uint32Array
  private readonly ids: (string | null)[] = []
  /** The slot whose change is being recorded. */
  private open = NONE
  /** Counts the records of this run: one that is missing shows. */
  private number = 0
  /** Never goes back, so that the order of the log is that of its times. */
  private atMs = 0
  /** Changes until the clock is read again. */
  private clockLeft = 0
  private signedAtMs = 0
  private ending: NodeJS.Immediate | null = null
  private slicing: NodeJS.Immediate | null = null
  private timer: NodeJS.Timeout | null = null
  private deafen: () => void = () => {}

  constructor(options: BookLogWriterOptions) {
    this.options = {
      checkpointEveryMs: CHECKPOINT_EVERY_MS,
      restingEveryMs: RESTING_EVERY_MS,
      clockEvery: CLOCK_EVERY,
      ...options
    }
    this.table = options.store.books
    const capacity = this.table.capacityMarkets
    this.written = new Uint32Array(capacity * FIELDS)
    this.schedule = new CheckpointSchedule({
      capacity,
      changedAfterMs: this.options.checkpointEveryMs,
      restingAfterMs: this.options.restingEveryMs
    })
  }

  /** Records from now on: all books that are served already first, in slices. */
  start(): void {
    const { store } = this.options
    this.readClock()
    this.sign(STARTED)
    for (const { slot, id } of store.records()) {
      this.take(slot, id)
      this.schedule.hurry(slot)
    }
    const unwatch = store.watchBindings((slot, id) => this.bound(slot, id))
    const deafen = this.table.listen(this)
    this.deafen = () => {
      unwatch()
      deafen()
    }
    this.timer = setInterval(() => this.tick(), TICK_MS)
    this.timer.unref()
    this.runSlices()
  }

  /** Ends the log; what is appended by then says so. */
  async stop(): Promise<void> {
    if (this.timer === null) return
    clearInterval(this.timer)
    this.timer = null
    this.deafen()
    if (this.slicing !== null) clearImmediate(this.slicing)
    this.slicing = null
    this.beginAt()
    this.sign(STOPPED)
    await this.options.sink.flush()
  }

  /** Writes all books whole soon, as after records were lost: what rests could not be proved otherwise. */
  checkpointAll(): void {
    for (const [slot, id] of this.ids.entries()) if (id !== null) this.schedule.hurry(slot)
    this.runSlices()
  }

  /** Says that all changes until now are in the log. */
  beat(): void {
    this.beginAt()
    this.sign(ALIVE)
  }

  /** Does what is due by the clock; its own timer calls it. */
  tick(): void {
    this.beginAt()
    if (this.atMs - this.signedAtMs >= SIGN_EVERY_MS) this.sign(ALIVE)
    this.schedule.rest(this.ids.length, this.atMs, (2 * TICK_MS) / this.options.restingEveryMs)
    this.runSlices()
  }

  levelChanged(slot: number, outcome: Outcome, price: PriceE4, size: SizeE6): void {
    if (this.open !== slot) this.begin(slot)
    this.buffer.level(outcome, price, size)
  }

  sideReplaced(slot: number, outcome: Outcome): void {
    if (this.open !== slot) this.begin(slot)
    const { buffer } = this
    const { arena } = this.table
    buffer.cleared(outcome)
    for (let i = arena.count(slot, outcome) - 1; i >= 0; i--)
      buffer.level(outcome, arena.priceAt(slot, outcome, i), arena.sizeAt(slot, outcome, i))
  }

  released(slot: number): void {
    if (this.open !== slot) this.begin(slot)
    this.buffer.cleared(YES)
    this.buffer.cleared(NO)
  }

  touched(slot: number): void {
    if (this.open !== slot) {
      const { verdicts } = this.table
      const entry = slot * FIELDS
      const isAsBefore =
        this.written[entry + REASONS] === verdicts.reasons[slot] &&
        this.written[entry + SOURCE] === verdicts.source[slot]
      if (isAsBefore) return
      this.begin(slot)
    }
    this.end()
  }

  private begin(slot: number): void {
    // Levels that nobody has touched: a change that was refused half-way. They are served, so they are recorded.
    if (this.open !== NONE) this.end()
    if (this.clockLeft-- === 0) this.readClock()
    this.open = slot
    this.buffer.begin()
    this.ending ??= setImmediate(() => {
      this.ending = null
      this.endTurn()
    })
  }

  private end(): void {
    const { table, written, buffer, open: slot } = this
    this.open = NONE
    const { verdicts, arena } = table
    const entry = slot * FIELDS
    const reasons = verdicts.reasons[slot] as number
    const source = verdicts.source[slot] as number
    const yesPrint = arena.sidePrint(slot, YES)
    const noPrint = arena.sidePrint(slot, NO)
    const version = table.versions[slot] as number
    buffer.end(slot, version, reasons, source, yesPrint, noPrint)
    if (reasons === 0 && written[entry + REASONS] !== 0) this.schedule.hurry(slot)
    written[entry + VERSION] = version
    written[entry + REASONS] = reasons
    written[entry + SOURCE] = source
    this.schedule.changed(slot, this.atMs)
    if (buffer.length > BATCH_BYTES) this.handOn()
  }

  /** Time that passes outside of this turn is seen by the next change. */
  private endTurn(): void {
    if (this.open !== NONE) this.end()
    this.handOn()
    this.clockLeft = 0
  }

  /** Ends what is open, and takes the time of what comes now. */
  private beginAt(): void {
    if (this.open !== NONE) this.end()
    this.readClock()
  }

  private readClock(): void {
    this.clockLeft = this.options.clockEvery - 1
    const nowMs = this.options.now()
    if (nowMs <= this.atMs) return
    this.handOn()
    this.atMs = nowMs
  }

  private handOn(): void {
    if (this.buffer.isEmpty) return
    this.options.sink.append('book', this.atMs, 0, this.buffer.take(this.nextNumber()))
  }

  private sign(sign: number): void {
    this.buffer.begin()
    this.buffer.end(SIGN_SLOT, sign, 0, 0, 0, 0)
    this.handOn()
    this.signedAtMs = this.atMs
  }

  private bound(slot: number, id: string | null): void {
    this.beginAt()
    if (id !== null) {
      this.take(slot, id)
      this.checkpoint(slot, id)
      return
    }
    const marketId = this.ids[slot]
    this.ids[slot] = null
    this.schedule.forget(slot)
    if (marketId == null) return
    this.handOn()
    this.append({ number: this.nextNumber(), slot, marketId, released: true })
  }

  /** From here on the slot's changes are this market's. */
  private take(slot: number, id: string): void {
    const { verdicts, versions } = this.table
    while (this.ids.length < slot) this.ids.push(null)
    this.ids[slot] = id
    const entry = slot * FIELDS
    this.written[entry + VERSION] = versions[slot] as number
    this.written[entry + REASONS] = verdicts.reasons[slot] as number
    this.written[entry + SOURCE] = verdicts.source[slot] as number
  }

  private checkpoint(slot: number, id: string): void {
    this.handOn()
    const version = this.written[slot * FIELDS + VERSION] as number
    this.append(checkpointOf(this.table, slot, { number: this.nextNumber(), marketId: id, version }))
    this.schedule.written(slot, this.atMs)
  }

  private append(checkpoint: BookCheckpoint | ReleasedCheckpoint): void {
    const body = Buffer.from(JSON.stringify(checkpoint))
    this.options.sink.append('checkpoint', this.atMs, 0, body, checkpoint.marketId)
  }

  private nextNumber(): number {
    this.number = (this.number + 1) >>> 0
    return this.number
  }

  /** Writes the books that are due, a slice a turn. */
  private runSlices(): void {
    this.slicing ??= setImmediate(() => {
      this.slicing = null
      this.beginAt()
      for (let left = SLICE; left > 0; left--) {
        const slot = this.schedule.next(this.atMs)
        if (slot === NONE) return
        const id = this.ids[slot] ?? null
        if (id === null) this.schedule.forget(slot)
        else this.checkpoint(slot, id)
      }
      this.runSlices()
    })
  }
}
