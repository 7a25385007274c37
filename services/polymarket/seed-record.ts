import type { ParsedBook } from './parse.ts'

/** A book that was read over REST and given to the live books, as a journal keeps it: what `seed` was given. */
export interface SeedRecord {
  book: ParsedBook
  /** Whether it stands in for a snapshot of the stream. */
  streaming: boolean
}

export function formatSeedRecord(record: SeedRecord): string {
  return JSON.stringify(record)
}

/** Returns what `formatSeedRecord` wrote. */
export function parseSeedRecord(text: string): SeedRecord {
  return JSON.parse(text) as SeedRecord
}
