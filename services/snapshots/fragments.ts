import { ByteCells } from './byte-cells.ts'
import type { MarketRecord } from './market-record.ts'
import { rowHead, tailBytesMax, writeRowTail } from './row-writer.ts'
import type { SnapshotStore } from './store.ts'

/** The depth that pages are asked for most, and the only one whose rows are kept as bytes. */
export const FRAGMENT_DEPTH = 10
/** A full Polymarket row takes about 2.6 kB, most of it ids and texts that the venue chose. */
export const FRAGMENT_BYTES = 3_072
/** Rows are around 2 kB and differ by a few digits: as fine as that, a cell is hardly longer than its row. */
const CELL_STEP = 128
/** What the digits of twenty sizes change: a cell that moves leaves its neighbours on the page. */
const CELL_SLACK = 64
const CELL_BYTES_MAX = Math.ceil((FRAGMENT_BYTES + CELL_SLACK) / CELL_STEP) * CELL_STEP
/** Rows beyond it lie in another buffer, and are copied as into a foreign one. */
const CHUNK_BYTES_MAX = 2 ** 30
const ROOM_BYTES = 48 << 20
/**
 * Above 2,112 bytes glibc copies with `rep movsb`, which fetches memory ahead of itself: measured, rows that lie one
 * after the other, as those of a page do once they were read in its order, cost half of what exact copies cost.
 */
const COPIED_AT_LEAST = 2_304

/**
 * Each market's JSON at depth 10, kept in a cell and rewritten in place when it is read and its version has moved. A
 * quiet market costs a copy; a busy one is written once for all its changes between two reads.
 */
export class Fragments {
  /** In the same memory as the rows, which are copied fastest into here: for answers that are put together of them. */
  readonly room: Buffer
  private readonly store: SnapshotStore
  private readonly cells: ByteCells
  /** The version of each slot's book, and of its metadata, that its bytes show; 0 before the first. */
  private readonly versions: Uint32Array
  private readonly metaVersions: Uint32Array
  private readonly headLengths: Uint16Array
  private readonly scratch = Buffer.allocUnsafeSlow(tailBytesMax(FRAGMENT_DEPTH))

  constructor(store: SnapshotStore) {
    const { capacityMarkets } = store.books
    this.store = store
    const bytes = ROOM_BYTES + capacityMarkets * CELL_BYTES_MAX
    const chunkBytes = Math.min(2 ** Math.ceil(Math.log2(bytes)), CHUNK_BYTES_MAX)
    this.cells = new ByteCells({ capacity: capacityMarkets, step: CELL_STEP, slack: CELL_SLACK, chunkBytes })
    this.room = this.cells.room(ROOM_BYTES)
    this.versions = new Uint32Array(capacityMarkets)
    this.metaVersions = new Uint32Array(capacityMarkets)
    this.headLengths = new Uint16Array(capacityMarkets)
  }

  /**
   * Copies the row of the market in a slot and returns the position after it, or -1 when the row is longer than
   * `FRAGMENT_BYTES`. The caller guarantees that many free bytes.
   */
  copy(slot: number, target: Uint8Array, at: number): number {
    if (this.versions[slot] !== this.store.books.versions[slot]) this.write(slot)
    const length = this.cells.lengths[slot] as number
    return length === 0 ? -1 : this.cells.copy(slot, target, at, Math.max(length, COPIED_AT_LEAST))
  }

  private write(slot: number): void {
    const record = this.store.at(slot) as MarketRecord
    const { cells, scratch } = this
    this.versions[slot] = this.store.books.versions[slot] as number
    cells.lengths[slot] = 0
    if (this.metaVersions[slot] !== record.metaVersion) this.writeHead(record)
    const head = this.headLengths[slot] as number
    if (head === TOO_LONG) return
    const tail = writeRowTail(this.store, record, FRAGMENT_DEPTH, scratch, 0)
    if (head + tail > FRAGMENT_BYTES) return
    cells.reserve(slot, head + tail, head)
    scratch.copy(cells.chunk(slot), cells.offset(slot) + head, 0, tail)
    cells.lengths[slot] = head + tail
  }

  private writeHead(record: MarketRecord): void {
    const { slot, metaVersion } = record
    const { cells } = this
    const head = rowHead(record)
    const length = Buffer.byteLength(head)
    this.metaVersions[slot] = metaVersion
    this.headLengths[slot] = length < FRAGMENT_BYTES ? length : TOO_LONG
    if (length >= FRAGMENT_BYTES) return
    cells.reserve(slot, length, 0)
    cells.chunk(slot).write(head, cells.offset(slot))
  }
}

const TOO_LONG = 65_535
