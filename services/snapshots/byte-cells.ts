export interface ByteCellsOptions {
  /** Slots that there are. */
  capacity: number
  /** Cells come in multiples of so many bytes, a power of two. */
  step: number
  /** Bytes that a new cell is longer than asked for, so that a row that grows a little stays where it is. */
  slack: number
  /** Of each buffer, a power of two, longer than any cell; what is never written takes no memory. A megabyte if not given. */
  chunkBytes?: number
}

/**
 * Room for the bytes of each slot, in cells as long as they need in steps, in large buffers: nothing per
 * market for the collector to trace. A cell that is outgrown serves a slot that needs less.
 */
export class ByteCells {
  /** Bytes written in each cell. */
  readonly lengths: Uint16Array
  private readonly step: number
  private readonly slack: number
  private readonly chunkBytes: number
  /** Steps in a chunk, as a shift. */
  private readonly chunkShift: number
  private readonly chunks: Buffer[] = []
  /** Where each cell begins and how long it is, in steps; a length of 0 is no cell. */
  private readonly places: Uint32Array
  private readonly rooms: Uint16Array
  /** Places of cells that were outgrown, by their length. */
  private readonly free: number[][] = []
  /** First step that no cell has taken. */
  private next = 0

  constructor({ capacity, step, slack, chunkBytes = CHUNK_BYTES }: ByteCellsOptions) {
    this.step = step
    this.slack = slack
    this.chunkBytes = chunkBytes
    this.chunkShift = Math.log2(chunkBytes / step)
    this.lengths = new Uint16Array(capacity)
    this.places = new Uint32Array(capacity)
    this.rooms = new Uint16Array(capacity)
  }

  /**
   * Gives a slot a cell of at least that many bytes, at most 65,535; the first `kept` bytes of the one
   * before come along.
   */
  reserve(slot: number, bytes: number, kept: number): void {
    const before = this.rooms[slot] as number
    if (before * this.step >= bytes) return
    const steps = Math.ceil((bytes + this.slack) / this.step)
    const place = this.free[steps]?.pop() ?? this.take(steps)
    if (kept > 0) {
      const start = this.offset(slot)
      this.chunk(slot).copy(this.chunkAt(place), this.offsetAt(place), start, start + kept)
    }
    if (before > 0) this.release(this.places[slot] as number, before)
    this.places[slot] = place
    this.rooms[slot] = steps
  }

  /** Returns the buffer that holds a slot's cell. */
  chunk(slot: number): Buffer {
    return this.chunkAt(this.places[slot] as number)
  }

  /** Returns where in its chunk a slot's cell starts. */
  offset(slot: number): number {
    return this.offsetAt(this.places[slot] as number)
  }

  /**
   * Copies a slot's bytes and returns the position after them. What follows in the target is overwritten, up to
   * `span` bytes from `at`, which the caller guarantees to be there.
   */
  copy(slot: number, target: Uint8Array, at: number, span: number): number {
    const place = this.places[slot] as number
    const start = this.offsetAt(place)
    const chunk = this.chunkAt(place)
    const end = Math.min(start + span, this.chunkBytes)
    if (chunk.buffer === target.buffer) chunk.copyWithin(target.byteOffset + at, start, end)
    // Not `Buffer.copy`, which makes the same view on its way, after checks that are a fifth of the whole.
    else target.set(new Uint8Array(chunk.buffer, start, end - start), at)
    return at + (this.lengths[slot] as number)
  }

  /** Takes room that is no slot's, next to the cells: copying from them into it is cheaper than into another buffer. */
  room(bytes: number): Buffer {
    const place = this.take(Math.ceil(bytes / this.step))
    const start = this.offsetAt(place)
    return this.chunkAt(place).subarray(start, start + bytes)
  }

  private take(steps: number): number {
    const chunkSteps = 1 << this.chunkShift
    const left = chunkSteps - (this.next & (chunkSteps - 1))
    if (left < steps) {
      this.release(this.next, left)
      this.next += left
    }
    const place = this.next
    if (place >>> this.chunkShift === this.chunks.length)
      this.chunks.push(Buffer.from(new ArrayBuffer(this.chunkBytes)))
    this.next += steps
    return place
  }

  private release(place: number, steps: number): void {
    const free = this.free[steps]
    if (free === undefined) this.free[steps] = [place]
    else free.push(place)
  }

  private chunkAt(place: number): Buffer {
    return this.chunks[place >>> this.chunkShift] as Buffer
  }

  private offsetAt(place: number): number {
    return (place & ((1 << this.chunkShift) - 1)) * this.step
  }
}

const CHUNK_BYTES = 1 << 20
