import type { VerdictTable } from '../integrity/verdict.ts'
import type { GapNote } from '../venue/wire-tap.ts'

/** What a stream lost, in the terms of `GapNote`. */
export type StreamLoss = Omit<GapNote, 'venue' | 'connection' | 'detectedAtMs'>

/** The numbers of a counter that are missing when `got` came where `expected` was due. */
export function missingNumbers(
  expected: number,
  got: number
): Pick<StreamLoss, 'fromSequence' | 'toSequence' | 'detail'> {
  // One that fell back names none that is missing.
  const isForward = got > expected
  return {
    fromSequence: isForward ? expected : null,
    toSequence: isForward ? got - 1 : null,
    detail: `number ${got} came where ${expected} was due`
  }
}

/**
 * Returns when the last message came for any of these books, our clock; null before the first. Messages of one
 * subscription come in order, so what is missing of it came later.
 */
export function lastReceivedAtMs(verdicts: VerdictTable, slots: Iterable<number>): number | null {
  let last = Number.NEGATIVE_INFINITY
  for (const slot of slots) {
    const atMs = verdicts.receivedAtMs(slot)
    if (atMs > last) last = atMs
  }
  return last === Number.NEGATIVE_INFINITY ? null : last
}
