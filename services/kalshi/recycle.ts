import { BookTable } from '../integrity/book-table.ts'
import { handOver } from '../venue/handover.ts'
import type { IndependentReads } from '../venue/handover-differences.ts'
import type { ConnectionRecycle } from '../venue/recycle.ts'
import { KalshiBooks } from './books.ts'
import { marketId } from './parse-market.ts'
import type { KalshiStream } from './stream.ts'

export interface StreamRenewalOptions {
  books: KalshiBooks
  table: BookTable
  /** Makes a stream that fills the given books; it says nothing of markets until it is the feed's own. */
  createStream: (books: KalshiBooks, table: BookTable) => KalshiStream
  /** The stream that keeps the live books; null once books are polled. */
  current: () => KalshiStream | null
  /** From now on this one does. */
  onSwapped: (stream: KalshiStream) => void
  reads: IndependentReads
  fillTimeoutMs: number
  readTimeoutMs: number
  steadyNow: () => number
}

/** A new stream that fills books of its own, in the slots of the live ones, until it takes these over. */
export class StreamRenewal {
  private readonly options: StreamRenewalOptions
  private readonly books: KalshiBooks
  private readonly table: BookTable
  private readonly stream: KalshiStream

  constructor(options: StreamRenewalOptions) {
    this.options = options
    const { capacityMarkets, arena } = options.table
    this.table = new BookTable({ capacityMarkets, capacityLevels: arena.capacityLevels })
    this.books = new KalshiBooks({
      table: this.table,
      onGap: (connection, sid) => this.stream.lost(connection, sid),
      onCorrupt: (slot) => this.stream.need(slot),
      onControl: (message, connection) => this.stream.control(message, connection)
    })
    this.stream = options.createStream(this.books, this.table)
  }

  /** A pause of a market took its resting orders with it: what was filled is no book any more. */
  need(slot: number): void {
    this.table.raise(slot, 'awaiting_snapshot')
    this.stream.need(slot)
  }

  /** Hands the books over and closes the stream that does not keep them. */
  async run(signal: AbortSignal): Promise<ConnectionRecycle> {
    const { options, stream } = this
    const old = options.current()
    if (old === null) throw new Error('books are polled: there is no stream to renew')
    this.align()
    stream.start()
    try {
      const report = await handOver({
        live: options.table,
        shadow: this.table,
        align: () => this.align(),
        swap: (unfilled) => this.swap(unfilled),
        isOpen: () => stream.status().state === 'open',
        failure: () => this.failure(old),
        signal,
        reads: options.reads,
        fillTimeoutMs: options.fillTimeoutMs,
        readTimeoutMs: options.readTimeoutMs,
        steadyNow: options.steadyNow
      })
      const ids = new Map([...options.books.followed()].map(([ticker, slot]) => [slot, marketId(ticker)]))
      const differed = report.differed.map(({ slot, difference }) => ({
        marketId: ids.get(slot) ?? 'no longer followed',
        difference
      }))
      return { ...report, name: stream.status().name, differed }
    } finally {
      await (options.current() === stream ? old : stream).stop()
    }
  }

  private failure(old: KalshiStream): string | null {
    if (this.options.current() !== old) return 'the live connection ended'
    const { state, lastError } = this.stream.status()
    return state === 'refused' ? `the venue refused the new connection: ${lastError}` : null
  }

  /** Follows what the live books follow by now. */
  private align(): number[] {
    const { books, stream, table } = this
    const wanted = new Map(this.options.books.followed())
    const gone = [...books.followed()].filter(([ticker, slot]) => wanted.get(ticker) !== slot)
    if (gone.length > 0) stream.unfollow(gone.map(([ticker]) => ticker))
    for (const [ticker] of gone) books.unfollow(ticker)
    const known = new Map(books.followed())
    const fresh = [...wanted]
      .filter(([ticker]) => !known.has(ticker))
      .map(([ticker, slot]) => ({ ticker, slot }))
    for (const { ticker, slot } of fresh) {
      books.follow(ticker, slot)
      table.raise(slot, 'awaiting_snapshot')
    }
    if (fresh.length > 0) stream.follow(fresh)
    return [...wanted.values()]
  }

  private swap(unfilled: readonly number[]): void {
    const { books, table, onSwapped } = this.options
    this.stream.moveTo(books, table)
    onSwapped(this.stream)
    for (const slot of unfilled) this.stream.need(slot)
  }
}
