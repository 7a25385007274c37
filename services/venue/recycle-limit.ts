/** Books that stayed wrong say so much of a connection that it is given up; one book says nothing of it. */
const BOOKS_MIN = 2
/** After this long a book's trouble says nothing of its connection any more. */
const FORGET_AFTER_MS = 600_000
const PAUSE_MIN_MS = 600_000
const PAUSE_MAX_MS = 3_600_000

/**
 * Tells when books that stay wrong are their connection's fault. A single one that its repairs do not mend is more
 * likely read wrong. And a connection is the home of thousands: it is given up rarely, and more rarely each time.
 */
export class RecycleLimit {
  private readonly steadyNow: () => number
  /** When each book was found to have stayed wrong, by connection. */
  private readonly wrongs = new Map<string, Map<string, number>>()
  private pauseMs = PAUSE_MIN_MS
  private recycledAtMs = Number.NEGATIVE_INFINITY

  constructor(steadyNow: () => number) {
    this.steadyNow = steadyNow
  }

  /** Notes that a book stayed wrong after its repairs; returns whether its connection is to be given up for it now. */
  stayedWrong(connection: string, book: string): boolean {
    const nowMs = this.steadyNow()
    this.forget(nowMs)
    const books = this.wrongs.get(connection) ?? new Map<string, number>()
    this.wrongs.set(connection, books.set(book, nowMs))
    const sinceMs = nowMs - this.recycledAtMs
    if (books.size < BOOKS_MIN || sinceMs < this.pauseMs) return false
    const isFirst = sinceMs >= 2 * PAUSE_MAX_MS
    this.pauseMs = isFirst ? PAUSE_MIN_MS : Math.min(2 * this.pauseMs, PAUSE_MAX_MS)
    this.recycledAtMs = nowMs
    this.wrongs.delete(connection)
    return true
  }

  private forget(nowMs: number): void {
    for (const [connection, books] of this.wrongs) {
      for (const [book, atMs] of books) if (nowMs - atMs >= FORGET_AFTER_MS) books.delete(book)
      if (books.size === 0) this.wrongs.delete(connection)
    }
  }
}
