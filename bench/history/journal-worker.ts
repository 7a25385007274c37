import { readdirSync, statSync } from 'node:fs'
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BookLogWriter } from '../../services/history/book-log/writer.ts'
import { JournalWriter } from '../../services/history/journal/writer.ts'
import { snapshotRow } from '../../services/history/snapshot-rows.ts'
import { YES } from '../../services/orderbook/arena.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { cpuMicros, ownClock } from '../harness/cpu.ts'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { kalshiMarket } from '../synthetic/market.ts'
import { type FrameStream, frameWalker } from './frames.ts'

export interface JournalWorkerOptions {
  folder: string
  markets: number
}

/** What some frames take. */
export interface FramesReading {
  /** As they came. */
  rawBytes: number
  /** In segments, with their indices. */
  diskBytes: number
}

/**
 * `idle`: nothing is written. `books`: each snapshot as the book log keeps it, its changes and now and then all of it.
 * `texts`: each as a line of JSON into the same journal, 200 a turn. `whole`: the plain way, all lines of a second as
 * one string at the end of a file that is not compressed.
 */
export type RowsHow = 'idle' | 'books' | 'texts' | 'whole'

export interface RowsReading {
  /** Share of a core, all threads. */
  cores: number
  /** Of the event loop, what its own thread took of a core. */
  longestTurnMs: number
}

const FLUSH_MS = 1_000
/** Beyond it we wait for the disk, which a venue does not. */
const PENDING_BYTES_MAX = 8 << 20
const FRAMES_A_TURN = 2_000
const SLICE_ROWS = 200
const STEP = 1_000_000

const { folder, markets } = startOptions<JournalWorkerOptions>()
const store = new SnapshotStore({ capacityMarkets: markets, capacityLevels: markets * 256 })
const { books } = store
for (let index = 0; index < markets; index++) {
  const record = store.put(kalshiMarket(index), 'Rules.')
  if (record === null) throw new Error('the table is full')
  fillArena(books.arena, record.slot, syntheticBook(index))
  books.received(record.slot, Date.now(), Date.now(), index)
  books.resynced(record.slot)
}
let journals = 0

answer(({ question, stream, count, how, perSecond, ms }) => {
  if (question === 'frames') return writeFrames(stream as FrameStream, count as number)
  if (question === 'rows') return writeRows(how as RowsHow, perSecond as number, ms as number)
  throw new Error(`cannot answer ${JSON.stringify(question)}`)
})

async function writeFrames(stream: FrameStream, count: number): Promise<FramesReading> {
  const next = frameWalker(stream, markets)
  const { journal, path } = await openJournal()
  let rawBytes = 0
  for (let frame = 0; frame < count; frame++) {
    const { bytes, atMs } = next()
    journal.append('frame', atMs, 1, bytes)
    rawBytes += bytes.length
    if (frame % FRAMES_A_TURN > 0) continue
    await new Promise(setImmediate)
    while (journal.status().pendingBytes > PENDING_BYTES_MAX) await sleep(1)
  }
  await journal.stop()
  if (journal.status().records !== count) throw new Error('the journal lost frames')
  return { rawBytes, diskBytes: bytesIn(path) }
}

async function writeRows(how: RowsHow, perSecond: number, ms: number): Promise<RowsReading> {
  const { journal, path } = await openJournal()
  await mkdir(path, { recursive: true })
  const log = new BookLogWriter({ store, sink: journal, now: Date.now })
  let rows = 0
  const writes: Record<RowsHow, (due: number) => void> = {
    idle: () => {},
    books: (due) => {
      for (let row = 0; row < due; row++) changeBook(rows++)
    },
    texts: (due) => {
      if (due < SLICE_ROWS) return
      for (let row = 0; row < SLICE_ROWS; row++) journal.appendText('book', Date.now(), 0, lineOf(rows++))
    },
    whole: (due) => {
      if (due < perSecond) return
      let text = ''
      for (let row = 0; row < perSecond; row++) text += lineOf(rows++)
      void appendFile(join(path, 'rows.ndjson'), text)
    }
  }
  const startedAt = performance.now()
  const pace = setInterval(
    () => writes[how](Math.floor(((performance.now() - startedAt) * perSecond) / 1_000) - rows),
    2
  )
  const turns = watchTurns()
  // Begins with every book as a whole: its longest turns.
  if (how === 'books') log.start()
  await sleep(ms)
  const longestTurnMs = turns()
  const before = { cpu: cpuMicros(), at: performance.now() }
  await sleep(ms)
  const cores = (cpuMicros() - before.cpu) / 1_000 / (performance.now() - before.at)
  clearInterval(pace)
  await log.stop()
  await journal.stop()
  return { cores, longestTurnMs }
}

/**
 * Watches each turn of the event loop, which goes round and round meanwhile; what is returned ends it. A turn is as long
 * as its thread was on a core in it. This process has one core for all its threads: what compresses segments, in turns
 * with the loop, would otherwise count as the loop's, and so would the neighbours.
 */
function watchTurns(): () => number {
  const ownMs = ownClock()
  let isOver = false
  let longestMs = 0
  let at = ownMs()
  const turn = () => {
    const now = ownMs()
    longestMs = Math.max(longestMs, now - at)
    at = now
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  return () => {
    isOver = true
    return longestMs
  }
}

function lineOf(row: number): string {
  const slot = row % markets
  return `${JSON.stringify(snapshotRow(books, slot, store.at(slot)?.id ?? '', 'change', Date.now()))}\n`
}

function changeBook(row: number): void {
  const slot = row % markets
  const atMs = Date.now()
  books.arena.changeLevel(slot, YES, books.arena.priceAt(slot, YES, 0), STEP)
  books.received(slot, atMs, atMs, row)
  books.touch(slot)
}

async function openJournal(): Promise<{ journal: JournalWriter; path: string }> {
  const name = `bench-${journals++}`
  const journal = new JournalWriter({
    folder,
    name,
    flushMs: FLUSH_MS,
    onHole: (hole) => {
      throw new Error(`the journal has a hole: ${hole.reason}`)
    },
    log: { info() {}, warn() {}, error: (...what: unknown[]) => console.error(...what) }
  })
  await journal.start()
  return { journal, path: join(folder, name) }
}

function bytesIn(path: string): number {
  return readdirSync(path).reduce((sum, file) => sum + statSync(join(path, file)).size, 0)
}
