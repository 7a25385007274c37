import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { BodyWriter } from './bodies.ts'
import type { ChangedLevels } from './change-collector.ts'

/** What was told last of a book. */
interface Told {
  version: number
  reasons: number
  source: number
  mismatches: number
  /** Topics that follow it. */
  followers: number
  /** What was to be told of it was lost: only the whole book says where it is. */
  isLost: boolean
}

/** Puts together what changed of the books that somebody follows: once for all who do. */
export class BookTeller {
  private readonly store: SnapshotStore
  private readonly bodies: BodyWriter
  private readonly told = new Map<number, Told>()

  constructor(store: SnapshotStore, bodies: BodyWriter) {
    this.store = store
    this.bodies = bodies
  }

  /** One more topic follows a slot's book: from the first on, its changes are to be noted. */
  follow(slot: number): void {
    const told = this.told.get(slot)
    if (told !== undefined) told.followers++
    else this.told.set(slot, { ...this.now(slot), followers: 1, isLost: false })
  }

  unfollow(slot: number): void {
    const told = this.told.get(slot)
    if (told !== undefined && --told.followers === 0) this.told.delete(slot)
  }

  /** What was to be told of a slot's book did not get out: the whole book is told next. */
  lose(slot: number): void {
    const told = this.told.get(slot)
    if (told !== undefined) told.isLost = true
  }

  isFollowed(slot: number): boolean {
    return this.told.has(slot)
  }

  /** Returns what there is to tell of a followed book since the last time; null when nothing of it changed. */
  next(record: MarketRecord, changed: ChangedLevels | undefined): Buffer | null {
    const { slot } = record
    const told = this.told.get(slot)
    if (told === undefined) return null
    const { version, reasons, source, mismatches, isLost } = told
    const now = this.now(slot)
    const isVerdictSame = reasons === now.reasons && source === now.source && mismatches === now.mismatches
    if (changed === undefined && isVerdictSame && !isLost) return null
    // The levels that changed are forgotten by now: they are lost until what says them was written.
    told.isLost = true
    const body =
      isLost || changed === null
        ? this.bodies.wholeBook(record)
        : this.bodies.changedBook(record, version, changed ?? [])
    Object.assign(told, now, { isLost: false })
    return body
  }

  private now(slot: number): Omit<Told, 'followers' | 'isLost'> {
    const { versions, verdicts } = this.store.books
    return {
      version: versions[slot] as number,
      reasons: verdicts.reasons[slot] as number,
      source: verdicts.source[slot] as number,
      mismatches: verdicts.mismatches[slot] as number
    }
  }
}
