import { setTimeout as sleep } from 'node:timers/promises'
import { type BookDifference, diffBooks, isWhole, takeBook } from '../integrity/book-diff.ts'
import type { BookTable } from '../integrity/book-table.ts'
import { reasonBits } from '../integrity/verdict.ts'

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
  fillTimeoutMs: number
  /** How long books that differ are compared again: a change may be in flight on one of the connections. */
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
  /** Books that agreed at no time, with how they differed last; the new connection's are served from now on. */
  differed: { slot: number; difference: BookDifference }[]
  /** Books that the old connection had not whole and that are whole now. */
  mended: number
  /** From the start until every book was filled; null if that was never so. */
  fillMs: number | null
}

const SETTLE_MS = 2_000
const COMPARE_EVERY_MS = 20
/** With more than this share of books that differ the new connection is the odd one. */
const DIFFERING_SHARE_MAX = 0.5
const DISPROVED = reasonBits(['hash_mismatch', 'audit_mismatch'])

/**
 * Hands the books of a connection over to a new one, make before break: waits until the new one has filled its shadow
 * books, compares them with the live ones level by level, and swaps in one synchronous step. The live books stay as
 * they are until then, and none is ever without its connection. A new one that does not fill is left out: the caller
 * closes whichever of the two does not keep the books.
 */
export async function handOver(options: HandoverOptions): Promise<HandoverReport> {
  const { live, shadow, align, swap, isOpen, failure, signal, fillTimeoutMs, steadyNow } = options
  const { settleMs = SETTLE_MS, compareEveryMs = COMPARE_EVERY_MS } = options
  const startedMs = steadyNow()
  /** Books that agreed, and whether they did when first compared. */
  const agreed = new Map<number, boolean>()
  const seen = new Set<number>()
  const differing = new Map<number, BookDifference>()
  let filledMs: number | null = null

  for (;;) {
    const nowMs = steadyNow()
    const slots = align()
    const unfilled = slots.filter((slot) => !isSound(shadow, slot))
    const missing = unfilled.filter((slot) => isWhole(live, slot)).length
    for (const slot of slots) {
      if (agreed.has(slot) || !isSound(shadow, slot)) continue
      // What a book shows that is known not to be whole says nothing of the new one.
      if (!isWhole(live, slot)) continue
      const difference = diffBooks(live, shadow, slot)
      if (difference === null) {
        agreed.set(slot, !seen.has(slot))
        differing.delete(slot)
      } else differing.set(slot, difference)
      seen.add(slot)
    }
    if (missing === 0 && isOpen()) filledMs ??= nowMs
    const differed = slots.flatMap((slot) => {
      const difference = differing.get(slot)
      return difference === undefined ? [] : [{ slot, difference }]
    })
    const equal = slots.filter((slot) => agreed.get(slot) === true).length
    const report = (reason: string | null): HandoverReport => ({
      outcome: reason === null ? 'swapped' : 'kept',
      reason,
      markets: slots.length,
      equal,
      explained: slots.filter((slot) => agreed.get(slot) === false).length,
      differed,
      mended: 0,
      fillMs: filledMs === null ? null : Math.round(filledMs - startedMs)
    })

    const why = signal.aborted ? 'the run was ended' : failure()
    if (why !== null) return report(why)
    const isSettled = filledMs !== null && (differed.length === 0 || nowMs - filledMs >= settleMs)
    if (isSettled && missing === 0 && isOpen()) {
      if (differed.length > slots.length * DIFFERING_SHARE_MAX)
        return report('most books of the new connection differ from the live ones')
      const broken = slots.filter((slot) => !isWhole(live, slot))
      const left = new Set(slots.filter((slot) => !takeBook(live, shadow, slot) || !isSound(shadow, slot)))
      swap([...left])
      return { ...report(null), mended: broken.filter((slot) => !left.has(slot)).length }
    }
    if ((missing > 0 || !isOpen()) && nowMs - startedMs > fillTimeoutMs)
      return report(`${missing} of ${slots.length} books did not fill in ${Math.round(fillTimeoutMs)} ms`)
    await sleep(compareEveryMs)
  }
}

/** Whole, and not proven wrong since. */
function isSound(table: BookTable, slot: number): boolean {
  return isWhole(table, slot) && ((table.verdicts.reasons[slot] as number) & DISPROVED) === 0
}
