import { HistoryUnavailableError } from '../../errors.ts'
import { holesOf } from '../coverage.ts'
import { BOOK_GAP_KINDS, type HistoryRows } from '../records.ts'
import type { BookAt } from './reader.ts'

/**
 * Takes back the proof of a book where a gap was noticed after that instant, and began before it: the log was kept by who
 * did not know that yet. As coverage does; where the rows cannot be read, it stays what the log says.
 */
export async function provenSince(book: BookAt, rows: () => Pick<HistoryRows, 'gaps'>): Promise<BookAt> {
  const { marketId, atMs, proven } = book
  if (!proven) return book
  const range = { fromMs: atMs, toMs: atMs + 1 }
  try {
    const gaps = await rows().gaps({ marketId, ...range, limit: 1, kinds: [], lateKinds: BOOK_GAP_KINDS })
    const [hole] = holesOf(gaps, atMs)
    return hole === undefined ? book : { ...book, proven: false, hole }
  } catch (error) {
    if (error instanceof HistoryUnavailableError) return book
    throw error
  }
}
