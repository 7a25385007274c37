import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BookLogWriter } from '../../services/history/book-log/writer.ts'
import { JournalWriter } from '../../services/history/journal/writer.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { cyclicChanges } from '../synthetic/changes.ts'
import { kalshiMarket } from '../synthetic/market.ts'

export interface BookLogWorkerOptions {
  dataDir: string
  markets: number
  fromMs: number
}

/** Of one turn, after which every book is as it was. */
const CHANGES_A_TURN = 100_000
const CHANGES_A_MS = 2
const STEP_MS = 250
const PENDING_BYTES_MAX = 8 << 20

const { dataDir, markets, fromMs } = startOptions<BookLogWorkerOptions>()
const store = new SnapshotStore({ capacityMarkets: markets, capacityLevels: markets * 256 })
const { books } = store
const slots = Int32Array.from({ length: markets }, (_, index) => {
  const record = store.put(kalshiMarket(index), 'Rules.')
  if (record === null) throw new Error('the table is full')
  fillArena(books.arena, record.slot, syntheticBook(index))
  books.received(record.slot, fromMs, fromMs, index)
  books.resynced(record.slot)
  return record.slot
})

answer(({ question, changes }) => {
  if (question === 'write') return write(changes as number)
  throw new Error(`cannot answer ${JSON.stringify(question)}`)
})

/** Writes the log of a past time, 2,000 changes a second of it; returns when it ends. */
async function write(count: number): Promise<number> {
  let nowMs = fromMs
  const journal = new JournalWriter({
    folder: join(dataDir, 'journal'),
    name: 'books',
    flushMs: 1_000,
    onHole: (hole) => {
      throw new Error(`the book log has a hole: ${hole.reason}`)
    },
    log: { info() {}, warn() {}, error: (...what: unknown[]) => console.error(...what) },
    now: () => nowMs
  })
  await journal.start()
  const writer = new BookLogWriter({ store, sink: journal, now: () => nowMs, clockEvery: CHANGES_A_MS })
  writer.start()
  const changes = cyclicChanges(Math.min(count, CHANGES_A_TURN), markets)
  for (let made = 0; made < count; ) {
    for (let ms = 0; ms < STEP_MS && made < count; ms++) {
      nowMs++
      for (let i = 0; i < CHANGES_A_MS && made < count; i++) {
        const { market, outcome, price, change } = changes[
          made++ % changes.length
        ] as (typeof changes)[number]
        const slot = slots[market] as number
        books.arena.changeLevel(slot, outcome, price, change)
        books.received(slot, nowMs, nowMs, made)
        books.touch(slot)
      }
    }
    writer.tick()
    await new Promise(setImmediate)
    while (journal.status().pendingBytes > PENDING_BYTES_MAX) await sleep(1)
  }
  await writer.stop()
  await journal.stop()
  return nowMs
}
