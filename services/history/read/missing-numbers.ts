import type { SequenceRange } from '../../../schemas/history.ts'
import type { GapRecord } from '../records.ts'

/** Returns the numbers of the venue's counter that a gap is about; null where it is about none. */
export function numbersOf({ fromSequence, toSequence }: GapRecord): SequenceRange | null {
  if (fromSequence === null || toSequence === null || toSequence < fromSequence) return null
  return { from: fromSequence, to: toSequence, count: toSequence - fromSequence + 1 }
}

/** Returns the missing numbers of each gap that has any. Not joined: each subscription counts anew. */
export function missingNumbers(gaps: readonly GapRecord[]): SequenceRange[] {
  return gaps.map(numbersOf).filter((range) => range !== null)
}
