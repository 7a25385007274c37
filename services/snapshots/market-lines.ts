import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MarketFilter } from './market-queries.ts'
import type { MarketRecord } from './market-record.ts'
import { rowHead, tailBytesMax, writeRowTail } from './row-writer.ts'
import type { SnapshotStore } from './store.ts'

/** As many rows take about a millisecond, and 150 kB. */
const SLICE = 64
/** UTF-8 needs at most three bytes for a unit of a JavaScript string. */
const BYTES_PER_UNIT = 3

/**
 * Yields every market that matches as a line of JSON, in slices with a turn of the event loop between them.
 * Waiting for the reader alone would not do: a fast one never lets the loop turn. A market that leaves meanwhile
 * is left out.
 */
export async function* marketLines(
  store: SnapshotStore,
  filter: MarketFilter,
  depth: number
): AsyncGenerator<Buffer> {
  const records = store.queries.find(filter).slice()
  for (let from = 0; from < records.length; from += SLICE) {
    if (from > 0) await nextTurn()
    const slice = writeSlice(store, records.slice(from, from + SLICE), depth)
    if (slice.length > 0) yield slice
  }
}

function writeSlice(store: SnapshotStore, records: MarketRecord[], depth: number): Buffer {
  // Its slot may stand for another market by now.
  const served = records.filter((record) => store.at(record.slot) === record)
  const heads = served.map(rowHead)
  const room = heads.reduce((sum, head) => sum + head.length * BYTES_PER_UNIT + tailBytesMax(depth) + 1, 0)
  if (scratch.length < room) scratch = Buffer.allocUnsafeSlow(room)
  let end = 0
  for (let i = 0; i < served.length; i++) {
    end += scratch.write(heads[i] as string, end)
    end = writeRowTail(store, served[i] as MarketRecord, depth, scratch, end)
    scratch[end++] = NEWLINE
  }
  const slice = Buffer.allocUnsafeSlow(end)
  scratch.copy(slice, 0, 0, end)
  return slice
}

/** One for all streams: a slice is written and copied within one turn. */
let scratch = Buffer.alloc(0)
const NEWLINE = 10
