import { isObject } from './parse.ts'

/** A polled book that was put into the live books, as a journal keeps it. */
export interface PolledRecord {
  ticker: string
  /** In its wire form. */
  book: unknown
}

export function formatPolledRecord(record: PolledRecord): string {
  return JSON.stringify(record)
}

/** Returns what `formatPolledRecord` wrote, or null for anything else. */
export function parsePolledRecord(text: string): PolledRecord | null {
  const value: unknown = JSON.parse(text)
  return isObject(value) && typeof value.ticker === 'string' && 'book' in value
    ? { ticker: value.ticker, book: value.book }
    : null
}
