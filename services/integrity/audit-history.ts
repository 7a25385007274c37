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
  readonly prints: Float64Array
  readonly fromMs: Float64Array
  /** Versions since the watch began. */
  count = 0

  constructor(versions: number) {
    this.prints = new Float64Array(versions)
    this.fromMs = new Float64Array(versions)
  }

  push(print: number, atMs: number): void {
    const { prints, count } = this
    if (count > 0 && prints[(count - 1) % prints.length] === print) return
    prints[count % prints.length] = print
    this.fromMs[count % prints.length] = atMs
    this.count++
  }

  /** The oldest version that is still there. */
  get oldest(): number {
    return Math.max(0, this.count - this.prints.length)
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
    ring.fromMs[0] = Math.min(ring.fromMs[0] as number, sinceMs)
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
    return ring !== undefined && (ring.fromMs[ring.oldest % this.versions] as number) <= fromMs
  }

  /** Returns whether a book was like this at any time since `fromMs`. */
  had(slot: number, print: number, fromMs: number): boolean {
    const ring = this.rings[this.ringOf[slot] as number]
    if (ring === undefined) return false
    for (let i = ring.count - 1; i >= ring.oldest; i--) {
      if (ring.prints[i % this.versions] === print) return true
      // A version lasts until the next one begins.
      if ((ring.fromMs[i % this.versions] as number) <= fromMs) return false
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
