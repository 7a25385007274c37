import { JournalReader } from '../journal/reader.ts'

/** The book log is a journal of its own, beside those of the venues. */
export const BOOKS = 'books'
/** Those who ask about one stretch of time ask for the same blocks. */
const BLOCK_BYTES_KEPT = 16 << 20

/** Returns what the book log in a folder of journals is read from, also while it is written. */
export function readBookLog(folder: string): JournalReader {
  return new JournalReader({ folder, name: BOOKS, keptBytes: BLOCK_BYTES_KEPT })
}
