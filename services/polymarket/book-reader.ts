import type { FastifyBaseLogger } from 'fastify'
import type { SeedResult } from './book-writer.ts'
import type { PolymarketBooks } from './books.ts'
import type { ParsedBook } from './parse.ts'
import { BOOKS_PER_CALL } from './rest.ts'

/** `preview` shows last known levels before the stream's snapshot; `snapshot` stands in for one. */
export type ReadPurpose = 'preview' | 'snapshot'

export interface BookReaderOptions {
  books: PolymarketBooks
  fetchBooks: (assetIds: readonly string[]) => Promise<ParsedBook[]>
  /** Names the connecting that an asset is streamed by; null while it is not. */
  streamOf: (assetId: string) => string | null
  /** Called with each book that is about to be given to the books. */
  onSeed?: (book: ParsedBook, receivedAtMs: number, streaming: boolean) => void
  /** Called when REST could not heal a book. */
  onGiveUp: (assetId: string) => void
  log: Pick<FastifyBaseLogger, 'warn'>
  now: () => number
  /** Milliseconds on a clock that never jumps: waits are measured by it. */
  steadyNow: () => number
}

interface Wish {
  purpose: ReadPurpose
  attempt: number
  dueAtMs: number
}

const MAX_ATTEMPTS = 5
/** Answers in a row that lacked what the stream had told. */
const MAX_OLDER = 2
/** Between two readings of one book: what REST holds needs time to catch up with the stream. */
const PAUSE_MS = 500

/**
 * Reads books over REST, many in a call: before the stream's first snapshot, and in place of one that did not come or
 * was spoilt. Each asset waits at most once.
 */
export class BookReader {
  private readonly options: BookReaderOptions
  private readonly wishes = new Map<string, Wish>()
  private readonly readAtMs = new Map<string, number>()
  private isReading = false

  constructor(options: BookReaderOptions) {
    this.options = options
  }

  ask(assetId: string, purpose: ReadPurpose): void {
    const known = this.wishes.get(assetId)
    if (known !== undefined) {
      if (purpose === 'snapshot') known.purpose = purpose
      return
    }
    const readAtMs = this.readAtMs.get(assetId) ?? Number.NEGATIVE_INFINITY
    const dueAtMs = Math.max(this.options.steadyNow(), readAtMs + PAUSE_MS)
    this.wishes.set(assetId, { purpose, attempt: 0, dueAtMs })
  }

  /** Forgets an asset that is no longer followed. */
  forget(assetId: string): void {
    this.wishes.delete(assetId)
    this.readAtMs.delete(assetId)
  }

  /** Reads what is due, unless a reading is under way. Never rejects. */
  async tick(): Promise<void> {
    if (this.isReading || this.wishes.size === 0) return
    this.isReading = true
    try {
      for (let due = this.takeDue(); due.size > 0; due = this.takeDue()) await this.read(due)
    } finally {
      this.isReading = false
    }
  }

  stop(): void {
    this.wishes.clear()
  }

  private takeDue(): Map<string, Wish> {
    const nowMs = this.options.steadyNow()
    const due = new Map<string, Wish>()
    for (const [assetId, wish] of this.wishes) {
      if (wish.dueAtMs > nowMs) continue
      due.set(assetId, wish)
      this.wishes.delete(assetId)
      if (due.size === BOOKS_PER_CALL) break
    }
    return due
  }

  private async read(due: ReadonlyMap<string, Wish>): Promise<void> {
    const { books, fetchBooks, streamOf, onGiveUp, log, steadyNow } = this.options
    const streams = new Map([...due.keys()].map((assetId) => [assetId, streamOf(assetId)]))
    let found: Map<string, ParsedBook>
    try {
      found = new Map((await fetchBooks([...due.keys()])).map((book) => [book.assetId, book]))
    } catch (error) {
      log.warn(
        { books: due.size, reason: error instanceof Error ? error.message : String(error) },
        'books not read'
      )
      for (const [assetId, wish] of due) this.again(assetId, wish)
      return
    }
    for (const [assetId, wish] of due) {
      if (books.slotOf(assetId) === undefined) continue
      this.readAtMs.set(assetId, steadyNow())
      const book = found.get(assetId)
      const stream = streamOf(assetId)
      // What was read before a reconnect lacks what the stream told in between.
      const isWhole = stream !== null && stream === streams.get(assetId)
      if (wish.purpose === 'snapshot' && !isWhole) continue
      const result = book === undefined ? 'missing' : this.seed(book, wish.purpose)
      if (result === 'taken' || wish.purpose !== 'snapshot') continue
      // REST lags the stream of a busy book for ever: the stream's own snapshot is the faster way.
      if (result === 'older' && wish.attempt + 1 >= MAX_OLDER) onGiveUp(assetId)
      else this.again(assetId, wish)
    }
  }

  private seed(book: ParsedBook, purpose: ReadPurpose): SeedResult {
    const { books, onSeed, now } = this.options
    const receivedAtMs = now()
    const isStreaming = purpose === 'snapshot'
    onSeed?.(book, receivedAtMs, isStreaming)
    return books.seed(book, receivedAtMs, isStreaming)
  }

  private again(assetId: string, { purpose, attempt }: Wish): void {
    const { steadyNow, onGiveUp } = this.options
    if (this.wishes.has(assetId)) return
    if (attempt + 1 < MAX_ATTEMPTS)
      this.wishes.set(assetId, {
        purpose,
        attempt: attempt + 1,
        dueAtMs: steadyNow() + PAUSE_MS * 2 ** attempt
      })
    else if (purpose === 'snapshot') onGiveUp(assetId)
  }
}
