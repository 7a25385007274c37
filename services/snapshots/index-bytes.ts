import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MarketIndexEntry } from '../../schemas/market.ts'
import { ByteCells } from './byte-cells.ts'
import type { MarketRecord } from './market-record.ts'
import type { SnapshotStore } from './store.ts'

/** An entry is its id, symbol and title, and 90 bytes around them; a longer one is not kept. */
const ENTRY_BYTES = 512
const CELL_STEP = 64
/** As many entries take about a millisecond. */
const SLICE = 2_000

/** Returns a market's line of the index. */
export function getIndexEntry(store: SnapshotStore, { id, market, slot }: MarketRecord): MarketIndexEntry {
  const { verdicts } = store.books
  const receivedAtMs = verdicts.receivedAtMs(slot)
  return {
    id,
    symbol: market.symbol,
    venue: market.venue,
    title: market.title,
    state: verdicts.state(slot),
    lastUpdatedMs: Number.isNaN(receivedAtMs) ? null : Math.trunc(receivedAtMs)
  }
}

/**
 * The index of all markets as bytes. Each entry is kept in a cell and written anew only when its market has
 * changed, so that asking again costs what changed, and a copy.
 */
export class IndexBytes {
  private readonly store: SnapshotStore
  private readonly cells: ByteCells
  private readonly versions: Uint32Array

  constructor(store: SnapshotStore) {
    const { capacityMarkets } = store.books
    this.store = store
    this.cells = new ByteCells({ capacity: capacityMarkets, step: CELL_STEP, slack: 0 })
    this.versions = new Uint32Array(capacityMarkets)
  }

  /**
   * Yields the JSON array of all entries, by id, in slices with a turn of the event loop between them. A market
   * that leaves meanwhile is left out; one that changes meanwhile may show its newer state.
   */
  async *stream(): AsyncGenerator<Buffer> {
    const records = this.store.queries.find({ sort: 'id' }).slice()
    let entries = 0
    for (let from = 0; from < records.length; from += SLICE) {
      if (from > 0) await nextTurn()
      const to = Math.min(from + SLICE, records.length)
      const slice = this.slice(records, from, to, entries)
      entries += slice.entries
      yield slice.bytes
    }
    yield Buffer.from(entries === 0 ? '[]' : ']')
  }

  private slice(records: MarketRecord[], from: number, to: number, before: number) {
    const long: Buffer[] = []
    let bytes = Buffer.allocUnsafeSlow((to - from) * (ENTRY_BYTES + 1))
    let end = 0
    let entries = 0
    for (let i = from; i < to; i++) {
      const record = records[i] as MarketRecord
      // Its slot may stand for another market by now.
      if (this.store.at(record.slot) !== record) continue
      bytes[end++] = before + entries === 0 ? OPEN_ARRAY : COMMA
      entries++
      if (this.write(record))
        end = this.cells.copy(record.slot, bytes, end, this.cells.lengths[record.slot] as number)
      else {
        long.push(bytes.subarray(0, end), Buffer.from(JSON.stringify(getIndexEntry(this.store, record))))
        bytes = bytes.subarray(end)
        end = 0
      }
    }
    long.push(bytes.subarray(0, end))
    return { bytes: long.length === 1 ? (long[0] as Buffer) : Buffer.concat(long), entries }
  }

  /** Brings a market's cell up to date; false when its entry is longer than a cell. */
  private write(record: MarketRecord): boolean {
    const { slot } = record
    const { cells } = this
    const version = this.store.books.versions[slot] as number
    if (this.versions[slot] === version) return cells.lengths[slot] !== 0
    this.versions[slot] = version
    const text = JSON.stringify(getIndexEntry(this.store, record))
    const length = Buffer.byteLength(text)
    cells.lengths[slot] = length > ENTRY_BYTES ? 0 : length
    if (length > ENTRY_BYTES) return false
    cells.reserve(slot, length, 0)
    cells.chunk(slot).write(text, cells.offset(slot))
    return true
  }
}

const COMMA = 44
const OPEN_ARRAY = 91
