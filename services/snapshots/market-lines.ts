import { setImmediate as nextTurn } from 'node:timers/promises'
import { FRAGMENT_BYTES, FRAGMENT_DEPTH, type Fragments } from './fragments.ts'
import type { MarketFilter } from './market-queries.ts'
import type { MarketRecord } from './market-record.ts'
import { rowHead, tailBytesMax, writeRowTail } from './row-writer.ts'
import type { SnapshotStore } from './store.ts'

/** As many rows take 65 kB: from 128 kB on malloc asks the system for each buffer, and fresh pages cost more than rows. */
const SLICE = 32
/** UTF-8 needs at most three bytes for a unit of a JavaScript string. */
const BYTES_PER_UNIT = 3

/**
 * Yields every market that matches as a line of JSON, in slices with a turn of the event loop between them.
 * Waiting for the reader alone would not do: a fast one never lets the loop turn. A market that leaves meanwhile
 * is left out.
 */
export async function* marketLines(
  store: SnapshotStore,
  fragments: Fragments,
  filter: MarketFilter,
  depth: number
): AsyncGenerator<Buffer> {
  const records = store.queries.find(filter).slice()
  for (let from = 0; from < records.length; from += SLICE) {
    if (from > 0) await nextTurn()
    const slice = writeSlice(store, fragments, records.slice(from, from + SLICE), depth)
    if (slice.length > 0) yield slice
  }
}

function writeSlice(
  store: SnapshotStore,
  fragments: Fragments,
  records: readonly MarketRecord[],
  depth: number
): Buffer {
  let end = 0
  for (const record of records) {
    // Its slot may stand for another market by now.
    if (store.at(record.slot) !== record) continue
    makeRoom(end, FRAGMENT_BYTES + 1)
    const copied = depth === FRAGMENT_DEPTH ? fragments.copy(record.slot, scratch, end) : TOO_LONG
    end = copied === TOO_LONG ? writeRow(store, record, depth, end) : copied
    scratch[end++] = NEWLINE
  }
  const slice = Buffer.allocUnsafeSlow(end)
  scratch.copy(slice, 0, 0, end)
  return slice
}

function writeRow(store: SnapshotStore, record: MarketRecord, depth: number, at: number): number {
  const head = rowHead(record)
  makeRoom(at, head.length * BYTES_PER_UNIT + tailBytesMax(depth) + 1)
  return writeRowTail(store, record, depth, scratch, at + scratch.write(head, at))
}

/** What stands before `used` stays. */
function makeRoom(used: number, bytes: number): void {
  if (scratch.length >= used + bytes) return
  const larger = Buffer.allocUnsafeSlow(2 * (used + bytes))
  scratch.copy(larger, 0, 0, used)
  scratch = larger
}

/** One for all streams: a slice is written and copied within one turn. */
let scratch = Buffer.alloc(0)
const NEWLINE = 10
/** What `Fragments.copy` says of a row that has no fragment. */
const TOO_LONG = -1
