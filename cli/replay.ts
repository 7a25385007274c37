import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { styleText } from 'node:util'
import { BookTable } from '../services/integrity/book-table.ts'
import { KalshiBooks } from '../services/kalshi/books.ts'
import { getDepth } from '../services/orderbook/depth.ts'
import { MAX_LEVELS } from '../services/orderbook/levels.ts'
import { PolymarketBooks } from '../services/polymarket/books.ts'
import type { Counters } from '../services/venue/counters.ts'
import { ProgressBar } from './progress.ts'
import { parseCommand, UsageError } from './usage.ts'

const HELP = `Usage: crossbook replay --venue kalshi|polymarket --file FRAMES.jsonl [--json]

Feeds recorded frames through the parsers and books of the live feed and prints what came of them. Each line is a
raw frame, or {"received_ms": ..., "frame": ...}. A session begins with a subscription's answer or a snapshot.

  --json   print one JSON object: {frames, applied, ignored, gaps, books}`

/** What a recording leaves behind. */
export interface ReplayResult {
  frames: number
  applied: number
  ignored: Record<string, number>
  gaps: { sid: number; expected: number; received: number; frame: number }[]
  /** By Kalshi ticker or Polymarket asset id; levels are [price, size], best first. */
  books: Record<string, ReplayedBook>
}

export interface ReplayedBook {
  bids: [string, string][]
  asks: [string, string][]
  sequence: number | null
  state: string
}

/** A venue's books as a recording fills them. */
interface ReplayTarget {
  counters: Counters
  apply: (frame: Buffer, receivedAtMs: number) => void
  /** The recording is over: nothing that is waited for can still come. */
  finish: () => void
  followed: () => Iterable<[string, number]>
}

/** Room for as many books as one recording can hold; memory becomes resident only when touched. */
const CAPACITY_MARKETS = 200_000
const CAPACITY_LEVELS = 20_000_000

export async function replayCommand(args: string[]): Promise<void> {
  const options = parseCommand(
    args,
    { venue: { type: 'string' }, file: { type: 'string' }, json: { type: 'boolean', default: false } },
    HELP
  )
  if (options === null) return
  const { venue, file, json } = options
  if (venue !== 'kalshi' && venue !== 'polymarket') {
    throw new UsageError('--venue must be kalshi or polymarket; see crossbook replay --help')
  }
  if (file === undefined) throw new UsageError('--file must name a recording; see crossbook replay --help')
  const found = await stat(file).catch(() => null)
  if (found === null) throw new UsageError(`--file ${file} cannot be read: no such file`)
  if (!found.isFile()) throw new UsageError(`--file ${file} cannot be read: it is no file`)
  const bar = new ProgressBar(`replaying ${file}`, found.size)
  const result = await replayFile(venue, file, (bytes) => bar.advance(bytes))
  bar.done()
  if (json) console.log(JSON.stringify(result))
  else printResult(result)
  // Whatever it is, it is no recording of this venue: an empty table would pass for an empty session.
  if (result.applied === 0) throw new UsageError(`--file ${file} holds no message of ${venue} about a book`)
}

/** Returns what a recording leaves behind; `onBytes` hears of each line's length. */
export async function replayFile(
  venue: 'kalshi' | 'polymarket',
  file: string,
  onBytes: (bytes: number) => void = () => {}
): Promise<ReplayResult> {
  const table = new BookTable({ capacityMarkets: CAPACITY_MARKETS, capacityLevels: CAPACITY_LEVELS })
  const gaps: ReplayResult['gaps'] = []
  const target = venue === 'kalshi' ? kalshiTarget(table, gaps) : polymarketTarget(table)
  for await (const line of createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY
  })) {
    onBytes(Buffer.byteLength(line) + 1)
    if (line === '') continue
    const { frame, receivedAtMs } = readLine(line)
    target.apply(frame, receivedAtMs)
  }
  target.finish()
  const books: ReplayResult['books'] = {}
  for (const [id, slot] of target.followed()) books[id] = readBook(table, slot)
  const { frames, applied, ignored } = target.counters
  return { frames, applied, ignored: Object.fromEntries(ignored), gaps, books }
}

function kalshiTarget(table: BookTable, gaps: ReplayResult['gaps']): ReplayTarget {
  const books: KalshiBooks = new KalshiBooks({
    table,
    autoFollow: true,
    onGap: (_connection, sid, expected, received) =>
      gaps.push({ sid, expected, received, frame: books.counters.frames })
  })
  const connection = books.connection({ startAnywhere: true })
  return {
    counters: books.counters,
    apply: (frame, receivedAtMs) => books.apply(frame, receivedAtMs, connection),
    finish: () => {},
    followed: () => books.followed()
  }
}

function polymarketTarget(table: BookTable): ReplayTarget {
  const books = new PolymarketBooks({ table, autoFollow: true })
  return {
    counters: books.counters,
    apply: (frame, receivedAtMs) => books.apply(frame, receivedAtMs),
    finish: () => books.settle(Number.POSITIVE_INFINITY),
    followed: () => books.followed()
  }
}

/** A line is a raw frame, text that is no JSON included, unless it says that it wraps one. */
function readLine(line: string): { frame: Buffer; receivedAtMs: number } {
  if (line.includes('"received_ms"')) {
    try {
      const { received_ms: receivedAtMs, frame } = JSON.parse(line)
      if (typeof receivedAtMs === 'number' && frame !== undefined) {
        return { frame: Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame)), receivedAtMs }
      }
    } catch {
      // Not an envelope: the parser of the venue decides what it is.
    }
  }
  return { frame: Buffer.from(line), receivedAtMs: Number.NaN }
}

function readBook({ arena, verdicts }: BookTable, slot: number): ReplayedBook {
  const { bids, asks } = getDepth(arena, slot, MAX_LEVELS)
  const { sequence, state } = verdicts.get(slot)
  const pairs = (levels: typeof bids) => levels.map(({ price, size }): [string, string] => [price, size])
  return { bids: pairs(bids), asks: pairs(asks), sequence, state }
}

function printResult({ frames, applied, ignored, gaps, books }: ReplayResult): void {
  const ignoredText = Object.entries(ignored).map(([reason, count]) => `${count} ${reason}`)
  console.log(`${frames} frames, ${applied} applied`)
  if (ignoredText.length > 0) console.log(`ignored: ${ignoredText.join(', ')}`)
  for (const { sid, expected, received, frame } of gaps) {
    console.log(
      styleText('yellow', `gap on sid ${sid} at frame ${frame}: expected ${expected}, received ${received}`)
    )
  }
  const rows = Object.entries(books).map(([id, { bids, asks, state }]) => {
    const [bid, ask] = [bids[0], asks[0]].map((level) =>
      level === undefined ? '-' : `${level[0]} x ${level[1]}`
    )
    return {
      book: id.length > 44 ? `${id.slice(0, 41)}...` : id,
      state,
      levels: bids.length + asks.length,
      bid,
      ask
    }
  })
  console.table(rows)
}
