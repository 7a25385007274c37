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
    else this.told.set(slot, { ...this.now(slot), followers: 1 })
  }

  unfollow(slot: number): void {
    const told = this.told.get(slot)
    if (told !== undefined && --told.followers === 0) this.told.delete(slot)
  }

  isFollowed(slot: number): boolean {
    return this.told.has(slot)
  }

  /** Returns what there is to tell of a followed book since the last time; null when nothing of it changed. */
  next(record: MarketRecord, changed: ChangedLevels | undefined): Buffer | null {
    const { slot } = record
    const told = this.told.get(slot)
    if (told === undefined) return null
    const { version, reasons, source, mismatches } = told
    const now = this.now(slot)
    const isVerdictSame = reasons === now.reasons && source === now.source && mismatches === now.mismatches
    if (changed === undefined && isVerdictSame) return null
    Object.assign(told, now)
    return changed === null
      ? this.bodies.wholeBook(record)
      : this.bodies.changedBook(record, version, changed ?? [])
  }

  private now(slot: number): Omit<Told, 'followers'> {
    const { versions, verdicts } = this.store.books
    return {
      version: versions[slot] as number,
      reasons: verdicts.reasons[slot] as number,
      source: verdicts.source[slot] as number,
      mismatches: verdicts.mismatches[slot] as number
    }
  }
}
