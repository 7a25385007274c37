/** Buffers are lent in so many classes, each of twice the bytes of the one before. */
const SMALLEST = 1 << 16
const CLASSES = 6

/** A buffer on loan, and how many still read it. */
export interface LentBuffer {
  readonly buffer: Buffer
  readers: number
}

/** Part of the room. */
interface Place {
  start: number
  bytes: number
}

/** Buffers of one length: those that nobody reads, and the part of the room that was never lent. */
interface BufferClass {
  readonly free: LentBuffer[]
  next: number
  readonly end: number
}

/**
 * Lends pieces of one room and takes them back, so that answering allocates nothing that the collector must trace.
 * Each class has its share of the room; while all of that is lent, or for more than the largest class holds, it lends
 * buffers that are not kept. Every reader gives back once it has read the bytes; a piece that is lost all the same, as
 * with an answer that never got its turn, comes back when the collector finds that nobody holds it.
 */
export class BufferPool {
  private readonly room: Buffer
  private readonly classes: BufferClass[]
  private readonly lost = new FinalizationRegistry<Place>((place) => this.keep(this.piece(place)))

  constructor(room: Buffer) {
    const share = Math.floor(room.length / CLASSES)
    this.room = room
    this.classes = Array.from({ length: CLASSES }, (_, i) => ({
      free: [],
      next: i * share,
      end: (i + 1) * share
    }))
  }

  /** Lends a buffer of at least that many bytes, filled with anything, to one reader. */
  take(bytes: number): LentBuffer {
    const wanted = bytesOf(bytes)
    const lent = this.classOf(wanted)?.free.pop() ?? this.cut(wanted)
    if (lent === undefined) return { buffer: Buffer.allocUnsafeSlow(wanted), readers: 1 }
    lent.readers = 1
    return lent
  }

  /** Takes a buffer back from one reader; after the last it serves for something else. */
  give(lent: LentBuffer): void {
    if (--lent.readers === 0 && lent.buffer.buffer === this.room.buffer) this.keep(lent)
  }

  private classOf(bytes: number): BufferClass | undefined {
    return this.classes[Math.log2(bytes / SMALLEST)]
  }

  private cut(bytes: number): LentBuffer | undefined {
    const one = this.classOf(bytes)
    if (one === undefined || one.next + bytes > one.end) return undefined
    const start = one.next
    one.next += bytes
    return this.piece({ start, bytes })
  }

  private piece(place: Place): LentBuffer {
    const buffer = this.room.subarray(place.start, place.start + place.bytes)
    this.lost.register(buffer, place)
    return { buffer, readers: 0 }
  }

  private keep(lent: LentBuffer): void {
    this.classOf(lent.buffer.length)?.free.push(lent)
  }
}

/** Returns the bytes of a buffer that holds so many. */
function bytesOf(bytes: number): number {
  let length = SMALLEST
  while (length < bytes) length *= 2
  return length
}
