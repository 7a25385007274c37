/** Buffers are kept in classes of twice the size from here on. */
const SMALLEST = 1 << 16
const KEPT_BYTES_MAX = 16 << 20

/** A buffer on loan, and how many still read it. */
export interface LentBuffer {
  readonly buffer: Buffer
  readers: number
}

/**
 * Lends large buffers and takes them back, so that answering allocates nothing that the collector must trace.
 * Every reader gives back once it has read the bytes, or never: a lost buffer is collected.
 */
export class BufferPool {
  private readonly free = new Map<number, LentBuffer[]>()
  private keptBytes = 0

  /** Lends a buffer of at least that many bytes, filled with anything, to one reader. */
  take(bytes: number): LentBuffer {
    let size = SMALLEST
    while (size < bytes) size *= 2
    const kept = this.free.get(size)?.pop()
    if (kept === undefined) return { buffer: Buffer.allocUnsafeSlow(size), readers: 1 }
    this.keptBytes -= size
    kept.readers = 1
    return kept
  }

  /** Takes a buffer back from one reader; after the last it serves for something else. */
  give(lent: LentBuffer): void {
    if (--lent.readers > 0) return
    const size = lent.buffer.length
    if (this.keptBytes + size > KEPT_BYTES_MAX) return
    this.keptBytes += size
    const kept = this.free.get(size)
    if (kept === undefined) this.free.set(size, [lent])
    else kept.push(lent)
  }
}
