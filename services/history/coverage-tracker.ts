import { SOURCES, type VerdictSource } from '../integrity/verdict.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import { type CoverageState, coverageOf, WORST_LAST } from './coverage.ts'
import type { CoverageRecord } from './records.ts'

export interface CoverageTrackerOptions {
  store: SnapshotStore
  sessionId: string
  write: (row: CoverageRecord) => void
  /** True while so many rows wait that changes are merged: an interval begun then takes the worst that happens in it. */
  isPressed: () => boolean
}

/** What polling alone says of a book. */
const POLLING: readonly (string | null)[] = ['polled', 'poll_overdue']

interface OpenInterval {
  row: CoverageRecord
  /** Begun under pressure: it only gets worse, until the pressure is over. */
  isCoarse: boolean
}

/** Keeps one open interval a market, and writes it when it begins and when it ends. */
export class CoverageTracker {
  private readonly options: CoverageTrackerOptions
  private readonly open: (OpenInterval | undefined)[] = []
  /** Slots whose interval may claim less than is true: looked at again after the pressure. */
  private readonly coarse = new Set<number>()

  constructor(options: CoverageTrackerOptions) {
    this.options = options
  }

  /** Takes over what a slot's market and verdict are from this instant on; called at each change, in order. */
  changed(slot: number, atMs: number): void {
    const record = this.options.store.at(slot)
    const open = this.open[slot]
    if (open !== undefined && open.row.marketId !== record?.id) this.end(slot, open, atMs)
    if (record === undefined) return
    const state = this.stateOf(slot)
    const current = this.open[slot]
    if (current === undefined) this.begin(slot, record.id, state, atMs)
    else if (isOther(current.row, state)) this.turn(slot, current, state, atMs)
  }

  /** Lets intervals be exact again once the pressure is over. */
  refresh(atMs: number): void {
    if (this.coarse.size === 0 || this.options.isPressed()) return
    const slots = [...this.coarse]
    this.coarse.clear()
    for (const slot of slots) {
      const open = this.open[slot]
      if (open !== undefined) open.isCoarse = false
      this.changed(slot, atMs)
    }
  }

  private stateOf(slot: number): CoverageState {
    const { verdicts } = this.options.store.books
    const source = SOURCES[verdicts.source[slot] as number] as VerdictSource
    return coverageOf(verdicts.reasons[slot] as number, source, !Number.isNaN(verdicts.receivedAtMs(slot)))
  }

  private turn(slot: number, open: OpenInterval, state: CoverageState, atMs: number): void {
    if (!open.isCoarse) {
      const { marketId } = open.row
      this.end(slot, open, atMs)
      this.begin(slot, marketId, state, atMs)
    } else if (WORST_LAST.indexOf(state.kind) > WORST_LAST.indexOf(open.row.kind)) {
      open.row = { ...open.row, ...state }
      this.options.write(open.row)
    }
  }

  private begin(slot: number, marketId: string, { kind, reason }: CoverageState, atMs: number): void {
    const { sessionId, write, isPressed } = this.options
    const row: CoverageRecord = { marketId, sessionId, fromMs: atMs, toMs: null, kind, reason }
    const isCoarse = isPressed()
    if (isCoarse) this.coarse.add(slot)
    this.open[slot] = { row, isCoarse }
    write(row)
  }

  /** An interval of no length is not ended: the next one begins at its key and replaces it. */
  private end(slot: number, { row }: OpenInterval, atMs: number): void {
    this.open[slot] = undefined
    const { marketId, sessionId, fromMs, kind, reason } = row
    const isReplaced = atMs === fromMs && this.options.store.at(slot)?.id === marketId
    if (isReplaced) return
    this.options.write({ marketId, sessionId, fromMs, toMs: Math.max(fromMs, atMs), kind, reason })
  }
}

/** Of one kind, what is well but only polled is told apart from what is in doubt or not heard of. */
function isOther(one: CoverageState, next: CoverageState): boolean {
  if (one.kind !== next.kind) return true
  return one.reason !== next.reason && [one.reason, next.reason].some((reason) => POLLING.includes(reason))
}
