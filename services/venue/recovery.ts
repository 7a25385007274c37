import type { FastifyBaseLogger } from 'fastify'
import type { BookTable } from '../integrity/book-table.ts'
import { NEEDS_SNAPSHOT, reasonBits } from '../integrity/verdict.ts'
import type { RecoveryStatus } from './port.ts'

export interface RecoveryOptions {
  table: BookTable
  log: Pick<FastifyBaseLogger, 'info'>
  /** Never jumps: for durations only. */
  steadyNow?: () => number
}

interface Loss {
  readonly sinceMs: number
  /** Books that the connection carried and that are not known to be whole again. */
  readonly missing: Set<number>
  readonly books: number
  resubscribed: number
}

/** A book with any of these shows what was before the loss, or nothing. */
const NOT_WHOLE = NEEDS_SNAPSHOT | reasonBits(['disconnected', 'silent'])

/**
 * Measures how long the loss of a connection is felt: from the loss until the last of its books is whole again.
 * Books that had no message before are not waited for: the venue may have none of them.
 */
export class Recovery {
  private readonly options: Required<RecoveryOptions>
  private readonly losses = new Map<string, Loss>()
  private readonly counts: RecoveryStatus = {
    losses: 0,
    recovered: 0,
    lastMs: null,
    maxMs: null,
    resubscribed: 0
  }

  constructor(options: RecoveryOptions) {
    this.options = { steadyNow: performance.now.bind(performance), ...options }
  }

  /**
   * An open connection is gone; `slots` are its books. One that was lost again goes on from its first loss. A loss
   * that another table feels, such as that of a connection that only fills shadow books, is none.
   */
  lost(connection: string, table: BookTable, slots: Iterable<number>): void {
    const { steadyNow } = this.options
    if (table !== this.options.table) return
    this.counts.losses++
    if (this.losses.has(connection)) return
    const missing = new Set<number>()
    for (const slot of slots) if (!Number.isNaN(table.verdicts.receivedAtMs(slot))) missing.add(slot)
    this.losses.set(connection, { sinceMs: steadyNow(), missing, books: missing.size, resubscribed: 0 })
  }

  /** Books were subscribed again on a connection that came back. */
  resubscribed(connection: string, books: number): void {
    const loss = this.losses.get(connection)
    if (loss === undefined) return
    loss.resubscribed += books
    this.counts.resubscribed += books
  }

  /** Looks which books are whole again; `slots` are those that the connection carries now. */
  tick(connection: string, slots: Iterable<number>): void {
    const loss = this.losses.get(connection)
    if (loss === undefined) return
    const { reasons } = this.options.table.verdicts
    for (const slot of slots)
      if (loss.missing.has(slot) && ((reasons[slot] as number) & NOT_WHOLE) !== 0) return
    this.losses.delete(connection)
    const ms = this.options.steadyNow() - loss.sinceMs
    this.counts.recovered++
    this.counts.lastMs = ms
    this.counts.maxMs = Math.max(this.counts.maxMs ?? 0, ms)
    const { books, resubscribed } = loss
    this.options.log.info({ connection, books, resubscribed, ms: Math.round(ms) }, 'recovered from a loss')
  }

  /** A connection was closed on purpose: nothing of it is waited for. */
  forget(connection: string): void {
    this.losses.delete(connection)
  }

  status(): RecoveryStatus {
    return { ...this.counts }
  }
}
