/**
 * Which of two sources is ahead for each book: the stream, or a REST answer, which can come from a replica or cache
 * that lags it, or be read just before the stream catches up. Times are the venue's, epoch milliseconds.
 */
export class Freshness {
  /** The last message that the stream sent for a book, applied or not. */
  private readonly streamedAtMs: Float64Array
  private readonly streamedHash: Float64Array
  /** Time of the REST book that a book was taken from; 0 when its snapshot came from the stream. */
  private readonly seededAtMs: Float64Array

  constructor(capacityMarkets: number) {
    this.streamedAtMs = new Float64Array(capacityMarkets)
    this.streamedHash = new Float64Array(capacityMarkets)
    this.seededAtMs = new Float64Array(capacityMarkets)
  }

  reset(slot: number): void {
    this.streamedAtMs[slot] = 0
    this.streamedHash[slot] = -1
    this.seededAtMs[slot] = 0
  }

  /** Records a message of the stream with the folded hash of the book after it, -1 if it has none. */
  streamed(slot: number, timestampMs: number, hash: number): void {
    this.streamedAtMs[slot] = timestampMs
    this.streamedHash[slot] = hash
  }

  /** Records that a book was taken from REST; 0 takes that back. */
  seeded(slot: number, timestampMs: number): void {
    this.seededAtMs[slot] = timestampMs
  }

  /**
   * True for what a REST book already holds, so the stream's own past. Messages of the same millisecond are told
   * again: sizes are totals, and the last one that the stream sends for a level is right.
   */
  isInSeed(slot: number, timestampMs: number): boolean {
    return timestampMs < (this.seededAtMs[slot] as number)
  }

  /** True when a REST book holds all that the stream has told so far. */
  holdsStream(slot: number, timestampMs: number, hash: number): boolean {
    const streamedAtMs = this.streamedAtMs[slot] as number
    if (timestampMs < streamedAtMs || timestampMs < (this.seededAtMs[slot] as number)) return false
    if (timestampMs > streamedAtMs) return true
    // Several messages can share a millisecond: only the same hash shows that the same ones are in it.
    const streamedHash = this.streamedHash[slot] as number
    return streamedHash < 0 || streamedHash === hash
  }
}
