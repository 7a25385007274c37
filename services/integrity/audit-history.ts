import type { BookTable } from './book-table.ts'
import { fingerprintOf } from './fingerprint.ts'

export interface AuditHistoryOptions {
  table: BookTable
  /** Versions that are kept of each watched book. */
  versions?: number
  /** Books that may be watched at once. */
  capacity?: number
  /** Never jumps. */
  steadyNow: () => number
}

const VERSIONS = 1_024
const CAPACITY = 2_048
const NONE = -1

/** The last versions of one book: its fingerprint, and since when it was so. */
class Ring {
  /** A version's fingerprint and its time side by side: a change writes into one cache line. */
  private readonly entries: Float64Array
  private readonly versions: number
  /** Versions since the watch began. */
  count = 0

  constructor(versions: number) {
    this.versions = versions
    this.entries = new Float64Array(versions * 2)
  }

  push(print: number, atMs: number): void {
    const { entries, versions, count } = this
    if (count > 0 && this.print(count - 1) === print) return
    const at = (count % versions) * 2
    entries[at] = print
    entries[at + 1] = atMs
    this.count++
  }

  print(version: number): number {
    return this.entries[(version % this.versions) * 2] as number
  }

  fromMs(version: number): number {
    return this.entries[(version % this.versions) * 2 + 1] as number
  }

  /** The oldest version that is still there. */
  get oldest(): number {
    return Math.max(0, this.count - this.versions)
  }

  extend(sinceMs: number): void {
    this.entries[1] = Math.min(this.entries[1] as number, sinceMs)
  }
}

/**
 * What watched books looked like a moment ago, so that a read that is some seconds old can be told from a wrong book.
 * Only watched books cost anything. Times are those of one monotonic clock, in milliseconds.
 */
export class AuditHistory {
  private readonly table: BookTable
  private readonly steadyNow: () => number
  private readonly versions: number
  private readonly capacity: number
  private readonly watcher: number
  private readonly ringOf: Int32Array
  private readonly rings: Ring[] = []
  private readonly free: number[] = []

  constructor({ table, versions = VERSIONS, capacity = CAPACITY, steadyNow }: AuditHistoryOptions) {
    this.table = table
    this.steadyNow = steadyNow
    this.versions = versions
    this.capacity = capacity
    this.ringOf = new Int32Array(table.capacityMarkets).fill(NONE)
    this.watcher = table.addWatcher((slot) => this.record(slot))
  }

  /** Books that are watched now. */
  get size(): number {
    return this.rings.length - this.free.length
  }

  /** Begins to watch a book that is known to be unchanged since `sinceMs`; false when too many are watched. */
  watch(slot: number, sinceMs: number): boolean {
    if (this.ringOf[slot] !== NONE) return true
    const index = this.free.pop() ?? this.fresh()
    if (index === NONE) return false
    const ring = this.rings[index] as Ring
    ring.count = 0
    ring.push(fingerprintOf(this.table.arena, slot), sinceMs)
    this.ringOf[slot] = index
    this.table.watch(slot, this.watcher)
    return true
  }

  /** Says that a watched book was the same since before its watch; false when it has changed within it. */
  extend(slot: number, sinceMs: number): boolean {
    const ring = this.rings[this.ringOf[slot] as number]
    if (ring?.count !== 1) return false
    ring.extend(sinceMs)
    return true
  }

  unwatch(slot: number): void {
    const index = this.ringOf[slot] as number
    if (index === NONE) return
    this.ringOf[slot] = NONE
    this.free.push(index)
    this.table.unwatch(slot)
  }

  /** True when every version since `fromMs` is known. */
  covers(slot: number, fromMs: number): boolean {
    const ring = this.rings[this.ringOf[slot] as number]
    return ring !== undefined && ring.fromMs(ring.oldest) <= fromMs
  }

  /** Returns whether a book was like this at any time since `fromMs`. */
  had(slot: number, print: number, fromMs: number): boolean {
    const ring = this.rings[this.ringOf[slot] as number]
    if (ring === undefined) return false
    for (let i = ring.count - 1; i >= ring.oldest; i--) {
      if (ring.print(i) === print) return true
      // A version lasts until the next one begins.
      if (ring.fromMs(i) <= fromMs) return false
    }
    return false
  }

  private record(slot: number): void {
    const ring = this.rings[this.ringOf[slot] as number]
    ring?.push(fingerprintOf(this.table.arena, slot), this.steadyNow())
  }

  private fresh(): number {
    if (this.rings.length >= this.capacity) return NONE
    this.rings.push(new Ring(this.versions))
    return this.rings.length - 1
  }
}
