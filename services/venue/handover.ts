import { setTimeout as sleep } from 'node:timers/promises'
import { type BookDifference, isWhole, takeBook } from '../integrity/book-diff.ts'
import type { BookTable } from '../integrity/book-table.ts'
import { reasonBits } from '../integrity/verdict.ts'
import { Differences, type IndependentReads } from './handover-differences.ts'

export interface HandoverOptions {
  live: BookTable
  /** Filled by the connection that is to take over, in the same slots. */
  shadow: BookTable
  /** Subscribes on the new connection what the old one has by now, and returns the slots of all its books. */
  align: () => readonly number[]
  /** Makes the new connection the one that keeps the live books; called once, when these are what it has told. */
  swap: (unfilled: readonly number[]) => void
  /** True while the new connection is open. */
  isOpen: () => boolean
  /** Why the new connection will never do, such as a key that was refused; null while it may. */
  failure: () => string | null
  signal: AbortSignal
  /** What decides between books that differ. */
  reads: IndependentReads
  fillTimeoutMs: number
  /** How long reads may take to explain the differences, from when they can tell. */
  readTimeoutMs: number
  readEveryMs?: number
  /** How long books that differ are compared before they are read: a change may be in flight on one connection. */
  settleMs?: number
  compareEveryMs?: number
  /** Milliseconds on a clock that never jumps. */
  steadyNow: () => number
}

export interface HandoverReport {
  outcome: 'swapped' | 'kept'
  /** Why the old connection was kept; null when they were swapped. */
  reason: string | null
  markets: number
  /** Books that agreed when they were compared first. */
  equal: number
  /** Books that agreed later: a change was in flight. */
  explained: number
  /**
   * Books that agreed at no time, with how they differed last. Where the connections were swapped, an independent read
   * gave the new one's, which are served from now on: the old one had lost a change.
   */
  differed: { slot: number; difference: BookDifference }[]
  /** Books that the old connection had not whole, or proven wrong, and that are whole now. */
  mended: number
  /** From the start until every book was filled; null if that was never so. */
  fillMs: number | null
}

const SETTLE_MS = 2_000
const READ_EVERY_MS = 1_000
const COMPARE_EVERY_MS = 20
const DISPROVED = reasonBits(['hash_mismatch', 'audit_mismatch'])

/**
 * Hands the books of a connection over to a new one, make before break: waits until the new one has filled its shadow
 * books, compares them with the live ones level by level, and swaps in one synchronous step when all agree, or an
 * independent read explains what differs. The live books stay as they are until then, and none is ever without its
 * connection. A new one that does not fill, or differs with nothing to explain it, is left out: the caller closes
 * whichever of the two does not keep the books.
 */
export async function handOver(options: HandoverOptions): Promise<HandoverReport> {
  const { live, shadow, align, swap, isOpen, failure, signal, reads, steadyNow } = options
  const { fillTimeoutMs, readTimeoutMs, readEveryMs = READ_EVERY_MS } = options
  const { settleMs = SETTLE_MS, compareEveryMs = COMPARE_EVERY_MS } = options
  const startedMs = steadyNow()
  /** From the moment that every book was filled. */
  const decideWithinMs = Math.max(settleMs, reads.leadMs) + readTimeoutMs
  const differences = new Differences({ live, shadow, reads, readEveryMs, steadyNow })
  /** Books that agreed, and whether they did when first compared. */
  const agreed = new Map<number, boolean>()
  const seen = new Set<number>()
  let filledMs: number | null = null

  try {
    for (;;) {
      const nowMs = steadyNow()
      const slots = align()
      const unfilled = slots.filter((slot) => !isSound(shadow, slot))
      const missing = unfilled.filter((slot) => isWhole(live, slot)).length
      for (const slot of slots) {
        // What it agreed in is not what it will be filled with.
        if (!isSound(shadow, slot)) agreed.delete(slot)
        if (agreed.has(slot)) continue
        // What a book shows that is known to be wrong, or not to be whole, says nothing of the other.
        if (!isSound(shadow, slot) || !isSound(live, slot)) differences.forget(slot)
        else {
          if (differences.agree(slot, nowMs)) agreed.set(slot, !seen.has(slot))
          seen.add(slot)
        }
      }
      const isFilled = missing === 0 && isOpen()
      if (isFilled) filledMs ??= nowMs
      const differing = differences.among(slots)
      const unexplained = differing.filter(({ isExplained }) => !isExplained).length
      const equal = slots.filter((slot) => agreed.get(slot) === true).length
      const report = (reason: string | null): HandoverReport => ({
        outcome: reason === null ? 'swapped' : 'kept',
        reason,
        markets: slots.length,
        equal,
        explained: slots.filter((slot) => agreed.get(slot) === false).length,
        differed: differing.map(({ slot, difference }) => ({ slot, difference })),
        mended: 0,
        fillMs: filledMs === null ? null : Math.round(filledMs - startedMs)
      })

      const why = signal.aborted ? 'the run was ended' : failure()
      if (why !== null) return report(why)
      if (isFilled && unexplained === 0) {
        const broken = slots.filter((slot) => !isSound(live, slot))
        const left = new Set(slots.filter((slot) => !takeBook(live, shadow, slot) || !isSound(shadow, slot)))
        swap([...left])
        return { ...report(null), mended: broken.filter((slot) => !left.has(slot)).length }
      }
      const limitMs = filledMs === null ? fillTimeoutMs : decideWithinMs
      if (nowMs - (filledMs ?? startedMs) > limitMs)
        return report(
          isFilled
            ? `${unexplained} of ${slots.length} books differ with nothing to explain it`
            : `${missing} of ${slots.length} books did not fill in ${Math.round(limitMs)} ms`
        )
      if (filledMs !== null && nowMs - filledMs >= settleMs) differences.read(nowMs)
      await sleep(compareEveryMs)
    }
  } finally {
    differences.stop()
  }
}

/** Whole, and not proven wrong since. */
function isSound(table: BookTable, slot: number): boolean {
  return isWhole(table, slot) && ((table.verdicts.reasons[slot] as number) & DISPROVED) === 0
}
