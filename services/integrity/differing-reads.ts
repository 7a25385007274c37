import type { BookTable } from './book-table.ts'

/** Since when a book that does not change differs from reads that do not change either. Times of one steady clock. */
export class DifferingReads {
  private readonly versions: Uint32Array
  /** The versions that books had then. */
  private readonly bookVersions: Uint32Array
  /** The fingerprint of what was read; NaN where the last read was equal. */
  private readonly prints: Float64Array
  private readonly sinceMs: Float64Array

  constructor({ versions, capacityMarkets }: Pick<BookTable, 'versions' | 'capacityMarkets'>) {
    this.versions = versions
    this.bookVersions = new Uint32Array(capacityMarkets)
    this.prints = new Float64Array(capacityMarkets).fill(Number.NaN)
    this.sinceMs = new Float64Array(capacityMarkets)
  }

  /** Whether the last read of this book differed. */
  has(slot: number): boolean {
    return !Number.isNaN(this.prints[slot])
  }

  /** Takes a read that differs, and returns since when this very book has differed from this very read. */
  note(slot: number, print: number, nowMs: number): number {
    const version = this.versions[slot] as number
    if (this.prints[slot] !== print || this.bookVersions[slot] !== version) {
      this.prints[slot] = print
      this.bookVersions[slot] = version
      this.sinceMs[slot] = nowMs
    }
    return this.sinceMs[slot] as number
  }

  forget(slot: number): void {
    this.prints[slot] = Number.NaN
  }
}
