/** Buffers are kept in classes of twice the size from here on. */
const SMALLEST = 1 << 16
const KEPT_BYTES_MAX = 16 << 20

/**
 * Lends large buffers and takes them back, so that answering allocates nothing that the collector must trace.
 * Whoever borrows gives back once nobody reads the bytes any more, or never: a lost buffer is collected.
 */
export class BufferPool {
  private readonly free = new Map<number, Buffer[]>()
  private keptBytes = 0

  /** Returns a buffer of at least that many bytes, filled with anything. */
  take(bytes: number): Buffer {
    let size = SMALLEST
    while (size < bytes) size *= 2
    const kept = this.free.get(size)?.pop()
    if (kept === undefined) return Buffer.allocUnsafeSlow(size)
    this.keptBytes -= size
    return kept
  }

  give(buffer: Buffer): void {
    const size = buffer.length
    if (this.keptBytes + size > KEPT_BYTES_MAX) return
    this.keptBytes += size
    const kept = this.free.get(size)
    if (kept === undefined) this.free.set(size, [buffer])
    else kept.push(buffer)
  }
}
