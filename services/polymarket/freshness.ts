const STRIDE = 4
/** Time of the last message that the stream sent for a book, applied or not. */
const STREAMED_AT = 0
/** The folded hash of the book after that message. */
const STREAMED_HASH = 1
/** Time of the REST book that a book was taken from; 0 when its snapshot came from the stream. */
const SEEDED_AT = 2
/** 1 once the stream told of a book since it was subscribed last. */
const IS_TOLD = 3
/** The stream lags REST by less than this; what is later and still seems older was stamped by a clock put back. */
const SEED_LEAD_MS = 2_000
/** Messages of one book come in the order of their times, give or take this. */
const DISORDER_MS = 1_000

/**
 * Which of two sources is ahead for each book: the stream, or a REST answer, which can come from a replica or cache
 * that lags it, or be read just before the stream catches up. Times are the venue's, epoch milliseconds.
 */
export class Freshness {
  /** Four numbers a slot, side by side, since each message reads and writes them all; see the places below. */
  private readonly state: Float64Array
  /** Our steady clock when a book was taken from REST. */
  private readonly seededOnMs: Float64Array

  constructor(capacityMarkets: number) {
    this.state = new Float64Array(capacityMarkets * STRIDE)
    this.seededOnMs = new Float64Array(capacityMarkets)
  }

  reset(slot: number): void {
    this.state[slot * STRIDE + STREAMED_AT] = 0
    this.state[slot * STRIDE + STREAMED_HASH] = -1
    this.state[slot * STRIDE + SEEDED_AT] = 0
    this.state[slot * STRIDE + IS_TOLD] = 0
  }

  /** Goes on with a book where another stream stands. */
  copy(slot: number, from: Freshness): void {
    this.state.set(from.state.subarray(slot * STRIDE, (slot + 1) * STRIDE), slot * STRIDE)
    this.seededOnMs[slot] = from.seededOnMs[slot] as number
  }

  /** Records that a book is subscribed anew: what comes next says by itself how far the stream is. */
  subscribed(slot: number): void {
    this.state[slot * STRIDE + IS_TOLD] = 0
  }

  /** Records a message of the stream with the folded hash of the book after it, -1 if it has none. */
  streamed(slot: number, timestampMs: number, hash: number): void {
    const { state } = this
    const entry = slot * STRIDE
    // The venue's clock was put back: nothing is older any more than what was taken before.
    if (timestampMs < (state[entry + STREAMED_AT] as number) - DISORDER_MS) state[entry + SEEDED_AT] = 0
    state[entry + STREAMED_AT] = timestampMs
    state[entry + STREAMED_HASH] = hash
    state[entry + IS_TOLD] = 1
  }

  /** Records that a book has another hash now, which the stream did not tell. */
  rehashed(slot: number): void {
    this.state[slot * STRIDE + STREAMED_HASH] = -1
  }

  /** Records that a book was taken from REST, and when by our steady clock. */
  seeded(slot: number, timestampMs: number, nowMs: number): void {
    this.state[slot * STRIDE + SEEDED_AT] = timestampMs
    this.seededOnMs[slot] = nowMs
  }

  /** Records that the stream's own snapshot took the place of what came from REST. */
  unseeded(slot: number): void {
    this.state[slot * STRIDE + SEEDED_AT] = 0
  }

  /**
   * True for what a REST book already holds, so the stream's own past. Messages of the same millisecond are told
   * again: sizes are totals, and the last one that the stream sends for a level is right.
   */
  isInSeed(slot: number, timestampMs: number, steadyNow: () => number): boolean {
    if (timestampMs >= (this.state[slot * STRIDE + SEEDED_AT] as number)) return false
    if (steadyNow() - (this.seededOnMs[slot] as number) < SEED_LEAD_MS) return true
    this.unseeded(slot)
    return false
  }

  /**
   * True for a snapshot of the stream that lacks what the same subscription told before it. What an earlier one told
   * is no measure: a snapshot that was refused for that would be refused for ever on a book that is quiet.
   */
  isBehind(slot: number, timestampMs: number, hash: number): boolean {
    return this.state[slot * STRIDE + IS_TOLD] === 1 && !this.holdsStream(slot, timestampMs, hash)
  }

  /** True when a book holds all that the stream has told so far. */
  holdsStream(slot: number, timestampMs: number, hash: number): boolean {
    const streamedAtMs = this.state[slot * STRIDE + STREAMED_AT] as number
    if (timestampMs < streamedAtMs || timestampMs < (this.state[slot * STRIDE + SEEDED_AT] as number))
      return false
    if (timestampMs > streamedAtMs) return true
    // Several messages can share a millisecond: only the same hash shows that the same ones are in it.
    const streamedHash = this.state[slot * STRIDE + STREAMED_HASH] as number
    return streamedHash < 0 || streamedHash === hash
  }
}
