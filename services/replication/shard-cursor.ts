import type { ChangeEntry } from './codec.ts'

export type EntryPlace = 'next' | 'known' | 'new_epoch' | 'gap'

/** How far a replica has read a shard: which entry it has applied last, and when it was written. */
export class ShardCursor {
  epoch = 0
  number = 0
  /** Where the stream is read from; null until the shard was filled once. */
  entryId: string | null = null
  /** Something was missed: the shard has to be filled anew. */
  isBroken = false
  /** How often something was missed, also while it was broken already. */
  breaks = 0
  /** Some of its markets were last told by an earlier writer. */
  hasOlder = false
  /** When it may be filled next, on the steady clock. */
  fillAtMs = 0
  /** When the last entry was written, on the clock of Redis; NaN before the first. */
  writtenAtMs = Number.NaN
  /** What its writer was behind by then. */
  backlogMs = 0

  /** The entry up to which trades were told on. */
  private tradesEpoch = 0
  private tradesNumber = 0

  /** Whether the trades of an entry are new: after the shard was filled, entries are read that were read before. */
  passesTrades(epoch: number, number: number): boolean {
    if (epoch < this.tradesEpoch || (epoch === this.tradesEpoch && number <= this.tradesNumber)) return false
    this.tradesEpoch = epoch
    this.tradesNumber = number
    return true
  }

  get isFilled(): boolean {
    return this.entryId !== null
  }

  /** Returns where an entry stands after what was read. */
  place({ epoch, number }: Pick<ChangeEntry, 'epoch' | 'number'>): EntryPlace {
    if (epoch < this.epoch || (epoch === this.epoch && number <= this.number)) return 'known'
    if (epoch > this.epoch) return number === 1 ? 'new_epoch' : 'gap'
    return number === this.number + 1 ? 'next' : 'gap'
  }

  passed(entryId: string, { epoch, number, backlogMs }: ChangeEntry): void {
    this.epoch = epoch
    this.number = number
    this.heard(entryId, backlogMs)
  }

  heard(entryId: string, backlogMs: number): void {
    this.entryId = entryId
    this.writtenAtMs = timeOf(entryId)
    this.backlogMs = backlogMs
  }

  /** How far what is served is behind its writer, milliseconds; infinite before anything was heard. */
  lagMs(redisNowMs: number): number {
    if (Number.isNaN(this.writtenAtMs)) return Number.POSITIVE_INFINITY
    return Math.max(0, redisNowMs - this.writtenAtMs) + this.backlogMs
  }
}

/** An id of a stream begins with the clock of Redis when it was added. */
export function timeOf(entryId: string): number {
  return Number(entryId.slice(0, entryId.indexOf('-')))
}
