import type { PriceE4, SizeE6 } from '../../numbers/decimal.ts'
import type { Outcome } from '../../orderbook/arena.ts'

/** What a record's changes begin with: its number in the log. */
const NUMBER_BYTES = 4
/** Slot, version, reasons, both side prints and the number of levels, 4 bytes each; then the source, 1. */
const HEADER_BYTES = 25
/** What changed, 1 byte; price, 2; size, 8. */
const CHANGE_BYTES = 11
const START_BYTES = 64 * 1024
/** Added to an outcome: its side is empty now, and the levels that follow are all it has. */
export const CLEARED = 2
/** In place of a slot: no book, but a sign of life of who keeps the log; its version is one of `SIGNS`. */
export const SIGN_SLOT = 0xffffffff
export const STARTED = 0
export const ALIVE = 1
export const STOPPED = 2

/** What a change of a book says besides its levels. */
export interface ChangeHead {
  slot: number
  /** Of the book, as its readers saw it. */
  version: number
  /** Bits of `VerdictTable.reasons`. */
  reasons: number
  source: number
  /** `BookArena.sidePrint` of each side after the change. */
  yesPrint: number
  noPrint: number
}

/** Changes of books in the making, one after the other in one buffer, which grows with the longest and is reused. */
export class ChangeBuffer {
  /** Bytes of the changes that are whole, and of the number before them. */
  length = NUMBER_BYTES
  private bytes = new Uint8Array(START_BYTES)
  private view = new DataView(this.bytes.buffer)
  private next = 0
  private levels = 0

  get isEmpty(): boolean {
    return this.length === NUMBER_BYTES
  }

  /** Returns the whole changes as a record of this number, and begins anew; valid until the buffer is used again. */
  take(number: number): Uint8Array {
    this.view.setUint32(0, number, true)
    const record = this.bytes.subarray(0, this.length)
    this.length = NUMBER_BYTES
    return record
  }

  begin(): void {
    this.levels = 0
    this.next = this.length + HEADER_BYTES
  }

  level(outcome: Outcome, price: PriceE4, size: SizeE6): void {
    this.add(outcome, price, size)
  }

  cleared(outcome: Outcome): void {
    this.add(CLEARED + outcome, 0, 0)
  }

  /** Ends the change that was begun. */
  end(
    slot: number,
    version: number,
    reasons: number,
    source: number,
    yesPrint: number,
    noPrint: number
  ): void {
    if (this.next > this.bytes.length) this.grow()
    const { view, length } = this
    view.setUint32(length, slot, true)
    view.setUint32(length + 4, version, true)
    view.setUint32(length + 8, reasons, true)
    view.setInt32(length + 12, yesPrint, true)
    view.setInt32(length + 16, noPrint, true)
    view.setUint32(length + 20, this.levels, true)
    view.setUint8(length + 24, source)
    this.length = this.next
  }

  private add(what: number, price: PriceE4, size: SizeE6): void {
    const at = this.next
    if (at + CHANGE_BYTES > this.bytes.length) this.grow()
    const { view } = this
    view.setUint8(at, what)
    view.setUint16(at + 1, price, true)
    view.setFloat64(at + 3, size, true)
    this.next = at + CHANGE_BYTES
    this.levels++
  }

  private grow(): void {
    const larger = new Uint8Array(this.bytes.length * 2)
    larger.set(this.bytes)
    this.bytes = larger
    this.view = new DataView(larger.buffer)
  }
}

/** Walks over the changes in a record's body; `head` is that of the current one, and is reused. */
export class ChangeCursor {
  readonly head: ChangeHead = {
    slot: 0,
    version: 0,
    reasons: 0,
    source: 0,
    yesPrint: 0,
    noPrint: 0
  }
  levels = 0
  private readonly body: Buffer
  private at = 0
  private end = NUMBER_BYTES

  constructor(body: Buffer) {
    this.body = body
  }

  /** Of the record in the log. */
  get number(): number {
    return this.body.readUInt32LE(0)
  }

  /** The bytes of the current change. */
  get bytes(): Buffer {
    return this.body.subarray(this.at, this.end)
  }

  /** Goes on to the next change; false when there is none. @throws {RangeError} if the body is not whole */
  next(): boolean {
    const { body, head } = this
    this.at = this.end
    if (this.at === body.length) return false
    head.slot = body.readUInt32LE(this.at)
    head.version = body.readUInt32LE(this.at + 4)
    head.reasons = body.readUInt32LE(this.at + 8)
    head.yesPrint = body.readInt32LE(this.at + 12)
    head.noPrint = body.readInt32LE(this.at + 16)
    this.levels = body.readUInt32LE(this.at + 20)
    head.source = body.readUInt8(this.at + 24)
    this.end = this.at + HEADER_BYTES + this.levels * CHANGE_BYTES
    return true
  }

  /** Calls `visit` for each level of the current change; `what` may be an outcome, or that plus `CLEARED`. */
  each(visit: (what: number, price: PriceE4, size: SizeE6) => void): void {
    const { body } = this
    for (let at = this.at + HEADER_BYTES; at < this.end; at += CHANGE_BYTES)
      visit(body.readUInt8(at), body.readUInt16LE(at + 1), body.readDoubleLE(at + 3))
  }
}
