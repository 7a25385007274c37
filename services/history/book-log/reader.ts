import { createHash } from 'node:crypto'
import { BookUnknownError } from '../../errors.ts'
import type { VerdictState } from '../../integrity/verdict.ts'
import type { JournalHole } from '../journal/record.ts'
import type { BookAt, ProofHole } from '../read/reader.ts'
import type { RecordedLevel, TimeRange } from '../records.ts'
import { CATCH_UP_MS } from '../standstill.ts'
import { ChangeCursor, SIGN_SLOT } from './change-buffer.ts'
import type { BookLogSource } from './ports.ts'
import { BookReplay, entryOf } from './replay.ts'

/** A book after one of its changes. */
export interface BookVersion {
  atMs: number
  version: number
  state: VerdictState
  /** All levels in YES terms, best first. */
  bids: RecordedLevel[]
  asks: RecordedLevel[]
}

/** Before and after every time that the log may hold, and still dates. */
const FIRST_MS = 0
const LAST_MS = 8.64e15

/** Reads the book log: what a book was, and how far that is proved. */
export class BookLogReader {
  private readonly source: BookLogSource

  constructor(source: BookLogSource) {
    this.source = source
  }

  /**
   * Returns the book of an instant, all changes of that millisecond included. It is proved when it was streamed and
   * not in doubt, and nothing is missing from its base up to the first record after that instant, and none of that is
   * too far apart: until one is there, what was quiet may as well have died, or stood still.
   *
   * @throws {BookUnknownError} where the market was not served then, as far as the log says
   */
  async bookAt(marketId: string, atMs: number): Promise<BookAt> {
    // A base of just before the instant would not show a standstill that ended just before that.
    const earlier = await this.source.findLast(marketId, atMs - CATCH_UP_MS)
    const start = earlier ?? (await this.source.findLast(marketId, atMs))
    const replay = new BookReplay(marketId)
    const after = start === null ? null : await this.replayUntil(replay, start, atMs)
    const { head, baseAtMs, book } = replay
    if (head === null || baseAtMs === null)
      throw new BookUnknownError(`no book of ${marketId} was recorded at ${new Date(atMs).toISOString()}`)
    const hole = replay.holeAt(atMs) ?? after
    return {
      marketId,
      atMs,
      bids: book.bids(),
      asks: book.asks(),
      state: replay.state,
      reason: replay.reason,
      version: head.version,
      base: { atMs: baseAtMs, kind: 'checkpoint' },
      deltas: replay.deltas,
      digest: book.digest(),
      proven: hole === null,
      hole
    }
  }

  /** Returns what a book was after each of its changes in a range, in order. */
  async *history(marketId: string, { fromMs, toMs }: TimeRange): AsyncGenerator<BookVersion> {
    const start = await this.source.findLast(marketId, fromMs)
    const range = start === null ? { fromMs, toMs } : { fromMs: FIRST_MS, toMs, start }
    const replay = new BookReplay(marketId)
    for await (const { records } of this.source.records(range)) {
      for (const record of records) {
        const versions: BookVersion[] = []
        replay.take(record, () => {
          if (record.atMs >= fromMs) versions.push(versionOf(replay, record.atMs))
        })
        yield* versions
      }
    }
  }

  /** Returns the SHA-256, hexadecimal, of all changes of all books in a range, with their times and in their order. */
  async digestOf(range: TimeRange): Promise<string> {
    const hash = createHash('sha256')
    const time = Buffer.alloc(8)
    for await (const { records } of this.source.records(range)) {
      for (const { kind, atMs, body } of records) {
        if (kind !== 'book') continue
        time.writeDoubleLE(atMs)
        const cursor = new ChangeCursor(body)
        // Change by change: how many share a record is chance.
        while (cursor.next()) if (cursor.head.slot !== SIGN_SLOT) hash.update(time).update(cursor.bytes)
      }
    }
    return hash.digest('hex')
  }

  /** Replays all up to an instant; returns the hole in which it lies, as far as only what follows can tell. */
  private async replayUntil(
    replay: BookReplay,
    start: NonNullable<Awaited<ReturnType<BookLogSource['findLast']>>>,
    atMs: number
  ): Promise<ProofHole | null> {
    let isHoleLater = false
    for await (const { records } of this.source.records({ fromMs: FIRST_MS, toMs: LAST_MS, start })) {
      for (const record of records) {
        if (record.atMs <= atMs) replay.take(record)
        else if (record.kind === 'hole') {
          const { fromMs, toMs, reason } = JSON.parse(record.body.toString()) as JournalHole
          if (fromMs <= atMs) return { fromMs, toMs, reason }
          const standstill = replay.standstillBefore(fromMs)
          if (standstill !== null) return standstill
          isHoleLater = true
        } else {
          const entry = entryOf(record)
          if (entry === null) continue
          // What is missing right before this one was lost after the instant, and is told of.
          return isHoleLater && !entry.isStart ? null : replay.missingBefore(entry, record.atMs)
        }
      }
    }
    return { fromMs: replay.lastAtMs, toMs: null, reason: 'not_recorded' }
  }
}

function versionOf({ head, state, book }: BookReplay, atMs: number): BookVersion {
  return { atMs, version: head?.version ?? 0, state, bids: book.bids(), asks: book.asks() }
}
