/** Buffers are lent in classes of twice the size from here on. */
const SMALLEST = 1 << 16

/** A buffer on loan, and how many still read it. */
export interface LentBuffer {
  readonly buffer: Buffer
  readers: number
}

/** Part of the room. */
interface Place {
  start: number
  size: number
}

/**
 * Lends pieces of one room and takes them back, so that answering allocates nothing that the collector must trace.
 * Every reader gives back once it has read the bytes; a piece that is lost, as with a client that went early, comes
 * back when the collector finds that nobody holds it. While all of the room is lent, it lends buffers that are not kept.
 */
export class BufferPool {
  private readonly room: Buffer
  /** Pieces that nobody reads, by size. */
  private readonly free = new Map<number, LentBuffer[]>()
  /** From here on the room was never lent. */
  private untouchedFrom = 0
  private readonly lost = new FinalizationRegistry<Place>((place) => this.keep(this.piece(place)))

  constructor(room: Buffer) {
    this.room = room
  }

  /** Lends a buffer of at least that many bytes, filled with anything, to one reader. */
  take(bytes: number): LentBuffer {
    let size = SMALLEST
    while (size < bytes) size *= 2
    const lent = this.kept(size) ?? this.cut(size) ?? this.larger(size)
    if (lent === undefined) return { buffer: Buffer.allocUnsafeSlow(size), readers: 1 }
    lent.readers = 1
    return lent
  }

  /** Takes a buffer back from one reader; after the last it serves for something else. */
  give(lent: LentBuffer): void {
    if (--lent.readers === 0 && lent.buffer.buffer === this.room.buffer) this.keep(lent)
  }

  private kept(size: number): LentBuffer | undefined {
    return this.free.get(size)?.pop()
  }

  private cut(size: number): LentBuffer | undefined {
    const start = this.untouchedFrom
    if (start + size > this.room.length) return undefined
    this.untouchedFrom += size
    return this.piece({ start, size })
  }

  private larger(size: number): LentBuffer | undefined {
    for (let other = size * 2; other <= this.room.length; other *= 2) {
      const lent = this.kept(other)
      if (lent !== undefined) return lent
    }
    return undefined
  }

  private piece(place: Place): LentBuffer {
    const buffer = this.room.subarray(place.start, place.start + place.size)
    this.lost.register(buffer, place)
    return { buffer, readers: 0 }
  }

  private keep(lent: LentBuffer): void {
    const kept = this.free.get(lent.buffer.length)
    if (kept === undefined) this.free.set(lent.buffer.length, [lent])
    else kept.push(lent)
  }
}
