/** What a sequence number says of the messages before it. `late`: it was skipped a moment ago, and comes after all. */
export type SequenceStep = 'next' | 'duplicate' | 'late' | 'gap'

/** What is further behind is not late but foreign: messages change places with their neighbours. */
const LATE_MAX = 16

/**
 * Follows one counter that a venue raises by one with every message of a subscription, whatever market it is for.
 * After a gap it follows the new number, and what was skipped may still come: one loss, or one message that changed
 * places, is one gap. Any other number below the expected one cannot tell a resent message from a foreign counter, so
 * only the last number again is a duplicate; the rest are gaps.
 */
export class SequenceTracker {
  /** The number that the next message should carry. */
  expected: number
  /** The numbers that the last gap skipped: from here, up to the one that came. */
  private skippedFrom = 0
  private skippedTo = 0

  constructor(expected = 1) {
    this.expected = expected
  }

  check(sequence: number): SequenceStep {
    const { expected } = this
    if (sequence === expected) {
      this.expected++
      return 'next'
    }
    if (sequence === expected - 1) return 'duplicate'
    if (sequence >= this.skippedFrom && sequence < this.skippedTo && sequence > expected - LATE_MAX)
      return 'late'
    this.expected = sequence + 1
    this.skippedFrom = Math.min(expected, sequence)
    this.skippedTo = sequence
    return 'gap'
  }
}
