import type { MarketRecord } from '../snapshots/market-record.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import {
  type ChangeEntry,
  encodeBook,
  encodeEntry,
  encodeMark,
  type MarketChange,
  type MarketGone
} from './codec.ts'
import type { ClusterKeys } from './keys.ts'
import { MARK_FIELD } from './keys.ts'
import type { Lease } from './lease.ts'
import type { RedisArgument } from './redis.ts'

/** What a shard's output takes from: the markets and what is untold of them. */
export interface ChangeSource {
  at(slot: number): MarketRecord | undefined
  /** Whether a market of that shard is served under this id. */
  has(id: string, shard: number): boolean
  take(record: MarketRecord): MarketChange | null
  snapshot(record: MarketRecord): MarketChange
}

export interface ShardOutputOptions {
  shard: number
  lease: Lease
  keys: ClusterKeys
  source: ChangeSource
  /** Slots of the markets that are served when the shard was taken over. */
  slots: Iterable<number>
  /** Of these venues, markets are complete once those were told. */
  completeFor: () => string[]
}

/** Entries of a stream that Redis keeps, about: some minutes of a busy shard. */
const STREAM_LENGTH = 4_096
/** Markets in one entry at most, so that neither it nor the turn that encodes it grows with a shard. */
const MARKETS_PER_WRITE = 200
/** A replica that hears nothing for longer than some of these knows that it lags. */
const HEARTBEAT_MS = 500
/** Trades in one entry at most. */
const TRADES_PER_WRITE = 500
/** Trades that wait while Redis is away; the oldest go first, and are counted. */
const TRADES_WAITING_MAX = 10_000
const SNAPSHOT_EVERY_MS = 1_000
/** What a cluster that is gone leaves in Redis goes too. */
const KEEP_MS = 3_600_000

interface Write {
  args: RedisArgument[]
  /** Its entry, and where in the arguments that stands; null where it has none. */
  entry: { told: ChangeEntry; at: number } | null
  /** When it was made. */
  sinceMs: number
}

/**
 * What one process writes of one shard under one lease: entries of changes in their order, and the markets whole now and
 * then. One write is under way at a time; one that failed is sent again as it was, and a replica passes over an entry
 * that it has.
 */
export class ShardOutput {
  readonly lease: Lease
  private readonly options: ShardOutputOptions
  /** Slots with something untold, oldest first, and since when. */
  private readonly dirty = new Map<number, number>()
  /** Slots whose whole book is due. */
  private stale = new Set<number>()
  /** Of the round of whole books that is being written. */
  private round: Set<number> | null = null
  private roundMark = { number: 0, entryId: '' }
  private readonly gone = new Set<string>()
  private goneFields: string[] = []
  private trades: TradeNote[] = []
  /** Trades that found no room. */
  lostTrades = 0
  private number = 0
  private acknowledged = { number: 0, entryId: '' }
  private isComplete = false
  private toldVenues = 0
  private isStarted = false
  private unanswered: Write | null = null
  private heardAtMs = Number.NEGATIVE_INFINITY
  private snapshotAtMs = Number.NEGATIVE_INFINITY
  isWriting = false

  constructor(options: ShardOutputOptions) {
    this.options = options
    this.lease = options.lease
    for (const slot of options.slots) this.changed(slot, 0)
  }

  changed(slot: number, nowMs: number): void {
    if (!this.dirty.has(slot)) this.dirty.set(slot, nowMs)
    this.stale.add(slot)
  }

  /** Redis may have lost what it had confirmed: all of it is written whole again. */
  rewrite(slots: Iterable<number>): void {
    this.round = null
    for (const slot of slots) this.stale.add(slot)
  }

  traded(trade: TradeNote): void {
    this.trades.push(trade)
    if (this.trades.length <= TRADES_WAITING_MAX) return
    this.lostTrades += this.trades.length - TRADES_WAITING_MAX / 2
    this.trades = this.trades.slice(-TRADES_WAITING_MAX / 2)
  }

  removed(slot: number, id: string): void {
    this.dirty.delete(slot)
    this.stale.delete(slot)
    this.round?.delete(slot)
    this.gone.add(id)
  }

  /** Age of the oldest change that Redis has not confirmed, milliseconds. */
  backlogMs(nowMs: number): number {
    const [oldestMs] = this.dirty.values()
    const sinceMs = this.unanswered?.sinceMs ?? (oldestMs || nowMs)
    return Math.max(0, Math.round(nowMs - sinceMs))
  }

  /** Returns the operations of the next write, the same again until it is answered; null when nothing is due. */
  next(nowMs: number): RedisArgument[] | null {
    const { unanswered } = this
    if (unanswered === null) this.unanswered = this.compose(nowMs)
    else if (unanswered.entry !== null) {
      // Its id will be that of the later try: what it waited until then is part of what it is behind.
      const { told, at } = unanswered.entry
      const waitedMs = Math.max(0, Math.round(nowMs - unanswered.sinceMs))
      unanswered.args[at] = encodeEntry({ ...told, backlogMs: told.backlogMs + waitedMs })
    }
    return this.unanswered?.args ?? null
  }

  /** The write that `next` returned is in Redis. */
  written(entryId: string): void {
    const write = this.unanswered
    this.unanswered = null
    if (write?.entry != null) this.acknowledged = { number: write.entry.told.number, entryId }
  }

  private compose(nowMs: number): Write | null {
    const args: RedisArgument[] = []
    const { keys, shard } = this.options
    if (!this.isStarted) {
      this.isStarted = true
      // What an earlier epoch left is not what this one is complete up to.
      args.push('d', keys.books(shard))
    }
    const entry = this.composeEntry(args, nowMs)
    this.composeBooks(args, nowMs)
    return args.length === 0 ? null : { args, entry, sinceMs: nowMs }
  }

  private composeEntry(args: RedisArgument[], nowMs: number): Write['entry'] {
    const { keys, shard, source, completeFor, lease } = this.options
    const isDue =
      this.dirty.size > 0 ||
      this.gone.size > 0 ||
      this.trades.length > 0 ||
      !this.isComplete ||
      nowMs - this.heardAtMs >= HEARTBEAT_MS
    if (!isDue) return null
    const changes: (MarketChange | MarketGone)[] = []
    // One that came back since is told whole, after this: its versions begin anew.
    for (const id of this.gone) {
      changes.push([id])
      this.goneFields.push(id)
    }
    this.gone.clear()
    const [oldestMs] = this.dirty.values()
    const backlogMs = oldestMs === undefined || oldestMs === 0 ? 0 : Math.max(0, nowMs - oldestMs)
    for (const slot of this.dirty.keys()) {
      if (changes.length >= MARKETS_PER_WRITE) break
      this.dirty.delete(slot)
      const record = source.at(slot)
      const change = record === undefined ? null : source.take(record)
      if (change !== null) changes.push(change)
    }
    const known = this.dirty.size === 0 ? completeFor() : []
    // Of a venue that was discovered later it is told then.
    const completes = this.dirty.size === 0 && (!this.isComplete || known.length > this.toldVenues)
    if (completes) this.toldVenues = known.length
    const told: ChangeEntry = {
      epoch: lease.epoch,
      number: ++this.number,
      backlogMs: Math.round(backlogMs),
      changes,
      trades: this.trades.splice(0, TRADES_PER_WRITE),
      completeFor: completes ? known : null
    }
    this.isComplete ||= completes
    this.heardAtMs = nowMs
    args.push('x', keys.changes(shard), STREAM_LENGTH, encodeEntry(told))
    return { told, at: args.length - 1 }
  }

  /** Whole books go in rounds: when one is over, they are complete up to where the stream was when it began. */
  private composeBooks(args: RedisArgument[], nowMs: number): void {
    const { keys, shard, source, lease } = this.options
    // What Redis has not confirmed yet may be in no stream.
    if (this.round === null) {
      if (!this.isComplete || this.acknowledged.number === 0) return
      if (nowMs - this.snapshotAtMs < SNAPSHOT_EVERY_MS) return
      this.snapshotAtMs = nowMs
      this.round = this.stale
      this.stale = new Set()
      this.roundMark = this.acknowledged
    }
    const books = keys.books(shard)
    for (const id of this.goneFields) if (!source.has(id, shard)) args.push('f', books, id)
    this.goneFields = []
    let left = MARKETS_PER_WRITE
    for (const slot of this.round) {
      if (left-- === 0) return
      this.round.delete(slot)
      const record = source.at(slot)
      if (record === undefined) continue
      args.push('h', books, record.id, encodeBook(lease.epoch, source.snapshot(record)))
    }
    this.round = null
    args.push('h', books, MARK_FIELD, encodeMark({ epoch: lease.epoch, ...this.roundMark }))
    args.push('e', books, KEEP_MS, 'e', keys.changes(shard), KEEP_MS)
  }
}
