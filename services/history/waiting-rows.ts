import type { VerdictSource } from '../integrity/verdict.ts'
import type { SnapshotRecord, TradeRecord } from './records.ts'
import { RowRing } from './row-ring.ts'

/** What became of a row that will not be written: a newer one of its market took its place, or there was no room. */
export type Loss = 'conflated' | 'dropped'

export interface WaitingRowsOptions {
  /** Snapshots and trades that may wait. */
  max: number
  onLost: (marketId: string, atMs: number, how: Loss) => void
}

/** One kind's rows that a statement may take. */
export type RowBatch =
  | { kind: 'snapshots'; rows: SnapshotRecord[]; end: number }
  | { kind: 'trades'; rows: TradeRecord[]; end: number }

/**
 * Snapshots and trades that wait for the database, bounded. Above the bound a snapshot takes the place of its market's
 * newest waiting one; where none waits the oldest plain snapshot leaves, then the oldest trade, and a verdict's snapshot
 * last of all. Rows that are being written are not touched.
 */
export class WaitingRows {
  private readonly options: WaitingRowsOptions
  private readonly snapshots = new RowRing<SnapshotRecord>()
  private readonly trades = new RowRing<TradeRecord>()
  /** Number of the newest waiting plain snapshot of a market; one that was written meanwhile is seen by its number. */
  private readonly newest: Record<VerdictSource, Map<string, number>> = {
    websocket: new Map(),
    poll: new Map()
  }
  /** Numbers below these are being written. */
  private snapshotsFrom = 0
  private tradesFrom = 0
  /** Where the searches for the oldest plain snapshot, snapshot and trade go on: none is before, save while it is written. */
  private readonly searched = { plain: 0, snapshot: 0, trade: 0 }

  constructor(options: WaitingRowsOptions) {
    this.options = options
  }

  get size(): number {
    return this.snapshots.size + this.trades.size
  }

  /** When the oldest row came; NaN when none waits. */
  get oldestAt(): number {
    const { oldestAt } = this.trades
    return this.snapshots.size === 0 || oldestAt < this.snapshots.oldestAt
      ? oldestAt
      : this.snapshots.oldestAt
  }

  addSnapshot(row: SnapshotRecord, at: number): void {
    const newest = this.newest[row.source]
    const isVerdict = row.cause === 'verdict'
    if (this.size >= this.options.max) {
      const hasRoom =
        this.conflate(newest.get(row.marketId)) ||
        this.losePlain() ||
        this.loseTrade() ||
        (isVerdict && this.loseSnapshot())
      if (!hasRoom) {
        this.options.onLost(row.marketId, row.atMs, 'dropped')
        return
      }
    }
    const number = this.snapshots.push(row, at)
    if (!isVerdict) newest.set(row.marketId, number)
  }

  addTrade(row: TradeRecord, at: number): void {
    if (this.size >= this.options.max && !this.losePlain() && !this.loseTrade()) {
      this.options.onLost(row.marketId, row.atMs, 'dropped')
      return
    }
    this.trades.push(row, at)
  }

  /** Returns the oldest rows, which stay until `written` or `release`; null when none wait. */
  claim(limit: number): RowBatch | null {
    if (this.size === 0) return null
    const isTrades =
      this.snapshots.size === 0 || (this.trades.size > 0 && this.trades.oldestAt < this.snapshots.oldestAt)
    if (isTrades) {
      const batch = this.trades.peek(limit)
      this.tradesFrom = batch.end
      return { kind: 'trades', ...batch }
    }
    const batch = this.snapshots.peek(limit)
    this.snapshotsFrom = batch.end
    return { kind: 'snapshots', ...batch }
  }

  /** The claimed rows were not written, and wait again. */
  release(): void {
    this.snapshotsFrom = 0
    this.tradesFrom = 0
    this.searched.plain = 0
    this.searched.snapshot = 0
    this.searched.trade = 0
  }

  /** The claimed rows need to wait no more. */
  finish({ kind, end }: RowBatch): void {
    if (kind === 'trades') this.trades.dropBefore(end)
    else this.snapshots.dropBefore(end)
    this.release()
    if (this.snapshots.size === 0) for (const numbers of Object.values(this.newest)) numbers.clear()
  }

  private conflate(number: number | undefined): boolean {
    if (number === undefined || number < this.snapshotsFrom) return false
    return this.lose(this.snapshots.take(number), 'conflated')
  }

  private losePlain(): boolean {
    const { searched, snapshots } = this
    const from = Math.max(searched.plain, this.snapshotsFrom)
    searched.plain = snapshots.find(from, ({ cause }) => cause !== 'verdict')
    return this.lose(snapshots.take(searched.plain), 'dropped')
  }

  private loseSnapshot(): boolean {
    const { searched, snapshots } = this
    searched.snapshot = snapshots.find(Math.max(searched.snapshot, this.snapshotsFrom))
    return this.lose(snapshots.take(searched.snapshot), 'dropped')
  }

  private loseTrade(): boolean {
    const { searched, trades } = this
    searched.trade = trades.find(Math.max(searched.trade, this.tradesFrom))
    const row = trades.take(searched.trade)
    if (row !== undefined) this.options.onLost(row.marketId, row.atMs, 'dropped')
    return row !== undefined
  }

  private lose(row: SnapshotRecord | undefined, how: Loss): boolean {
    if (row !== undefined) this.options.onLost(row.marketId, row.atMs, how)
    return row !== undefined
  }
}
