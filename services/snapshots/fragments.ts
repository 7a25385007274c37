import { ByteCells } from './byte-cells.ts'
import { rowHead, tailBytesMax, writeRowTail } from './row-writer.ts'
import type { MarketRecord, SnapshotStore } from './store.ts'

/** The depth that pages are asked for most, and the only one whose rows are kept as bytes. */
export const FRAGMENT_DEPTH = 10
/** A full Polymarket row takes about 2.6 kB, most of it ids and texts that the venue chose. */
export const FRAGMENT_BYTES = 3_072

/**
 * Each market's JSON at depth 10, in a fixed cell, rewritten in place when it is read and its version has moved. A
 * quiet market costs a copy; a busy one is written once for all its changes between two reads.
 */
export class Fragments {
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
    this.cells = new ByteCells(capacityMarkets, FRAGMENT_BYTES)
    this.versions = new Uint32Array(capacityMarkets)
    this.metaVersions = new Uint32Array(capacityMarkets)
    this.headLengths = new Uint16Array(capacityMarkets)
  }

  /**
   * Copies a market's row and returns the position after it, or -1 when the row is longer than a cell. The caller
   * guarantees `FRAGMENT_BYTES` free bytes.
   */
  copy(record: MarketRecord, target: Buffer, at: number): number {
    const { slot } = record
    if (this.versions[slot] !== this.store.books.versions[slot]) this.write(record)
    return this.cells.lengths[slot] === 0 ? -1 : this.cells.copy(slot, target, at)
  }

  private write(record: MarketRecord): void {
    const { slot, metaVersion } = record
    const { cells, scratch } = this
    const chunk = cells.chunk(slot)
    const start = cells.offset(slot)
    if (this.metaVersions[slot] !== metaVersion) {
      const head = rowHead(record)
      const length = Buffer.byteLength(head)
      this.metaVersions[slot] = metaVersion
      this.headLengths[slot] = length < FRAGMENT_BYTES ? chunk.write(head, start) : TOO_LONG
    }
    this.versions[slot] = this.store.books.versions[slot] as number
    cells.lengths[slot] = 0
    const head = this.headLengths[slot] as number
    if (head === TOO_LONG) return
    const tail = writeRowTail(this.store, record, FRAGMENT_DEPTH, scratch, 0)
    if (head + tail > FRAGMENT_BYTES) return
    scratch.copy(chunk, start + head, 0, tail)
    cells.lengths[slot] = head + tail
  }
}

const TOO_LONG = 65_535
