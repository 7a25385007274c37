/** What a sequence number says of the messages before it. */
export type SequenceStep = 'next' | 'duplicate' | 'gap'

/**
 * Follows one counter that a venue raises by one with every message of a subscription, whatever market it is for.
 * A number below the expected one cannot tell a resent message from a foreign counter, so only the last number
 * again is a duplicate; anything else is a gap. After a gap it follows the new number: one loss is one gap.
 */
export class SequenceTracker {
  /** The number that the next message should carry. */
  expected: number

  constructor(expected = 1) {
    this.expected = expected
  }

  check(sequence: number): SequenceStep {
    if (sequence === this.expected) {
      this.expected++
      return 'next'
    }
    if (sequence === this.expected - 1) return 'duplicate'
    this.expected = sequence + 1
    return 'gap'
  }
}
