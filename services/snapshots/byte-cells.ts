/**
 * Room for the bytes of each slot in cells of one size, in a few large buffers that are allocated when a slot of
 * theirs is first written: nothing per market for the collector to trace.
 */
export class ByteCells {
  readonly cellBytes: number
  /** Bytes written in each cell. */
  readonly lengths: Uint16Array
  private readonly chunks: (Buffer | undefined)[] = []

  constructor(capacity: number, cellBytes: number) {
    this.cellBytes = cellBytes
    this.lengths = new Uint16Array(capacity)
  }

  /** Returns the buffer that holds a slot's cell. */
  chunk(slot: number): Buffer {
    const index = slot >>> CHUNK_SHIFT
    const chunk = this.chunks[index]
    if (chunk !== undefined) return chunk
    const fresh = Buffer.allocUnsafeSlow(this.cellBytes << CHUNK_SHIFT)
    this.chunks[index] = fresh
    return fresh
  }

  /** Returns where in its chunk a slot's cell starts. */
  offset(slot: number): number {
    return (slot & CHUNK_MASK) * this.cellBytes
  }

  /** Copies a slot's bytes and returns the position after them. The caller guarantees `cellBytes` free bytes. */
  copy(slot: number, target: Buffer, at: number): number {
    const start = this.offset(slot)
    const length = this.lengths[slot] as number
    this.chunk(slot).copy(target, at, start, start + length)
    return at + length
  }
}

/** 1,024 cells a chunk: a service of a few hundred markets stays small. */
const CHUNK_SHIFT = 10
const CHUNK_MASK = (1 << CHUNK_SHIFT) - 1
