import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { reasonBit } from '../integrity/verdict.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import { type ChangeEntry, decodeBook, decodeEntry, decodeMark, type MarketChange } from './codec.ts'
import { type ClusterKeys, MARK_FIELD } from './keys.ts'
import type { RedisLink } from './redis.ts'
import { RedisClock } from './redis-clock.ts'
import { ReplicaBooks } from './replica-books.ts'
import { ShardCursor, timeOf } from './shard-cursor.ts'
import { nextTurn, Slices } from './slices.ts'

export interface ReplicaFeedOptions {
  store: SnapshotStore
  redis: Pick<RedisLink, 'call' | 'isReady' | 'status'>
  keys: ClusterKeys
  shards: number
  /** Books that are further behind than this are stale. */
  lagMaxMs: number
  onTrade: (trade: TradeNote) => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  steadyNow?: () => number
}

export interface ReplicaStatus {
  /** Every shard was filled once. */
  filled: boolean
  filledShards: number
  laggingShards: number
  /** Of the shard that is furthest behind, milliseconds; null before anything was heard. */
  lagMs: number | null
  entries: number
  changes: number
  gaps: number
  /** Shards that were filled from their whole books: at the start, and after gaps. */
  fills: number
  unreadable: number
  withoutRoom: number
}

const GAP = reasonBit('replica_gap')
const LAGGING = reasonBit('replica_lagging')
/** A read that finds nothing waits at Redis for so long. */
const BLOCK_MS = 200
/** Of one stream: what one turn may bring. */
const ENTRIES_PER_READ = 32
const LAG_TICK_MS = 200
const RETRY_MS = 200
const REFILL_AFTER_MS = 500
/** Whole shards on their way at a time: what they take in memory is bounded, and a slow Redis is asked for several. */
const FILLS_AT_ONCE = 8

/**
 * Keeps a replica's books: fills each shard from its whole books, then follows its stream. What it missed it notices by
 * the numbers of the entries and the versions of the markets, and fills the shard anew; what it cannot hear of in time it
 * serves as stale.
 */
export class ReplicaFeed {
  private readonly options: Required<ReplicaFeedOptions>
  private readonly books: ReplicaBooks
  private readonly cursors: ShardCursor[]
  private readonly clock: RedisClock
  /** By shard: what is said of all its markets now. */
  private readonly flags: Int32Array
  private readonly counts = { entries: 0, changes: 0, gaps: 0, fills: 0, unreadable: 0 }
  private loop: Promise<void> | null = null
  private timer: NodeJS.Timeout | null = null
  private isStopped = false

  constructor(options: ReplicaFeedOptions) {
    this.options = { steadyNow: performance.now.bind(performance), ...options }
    this.books = new ReplicaBooks(options.store, options.shards)
    this.cursors = Array.from({ length: options.shards }, () => new ShardCursor())
    this.flags = new Int32Array(options.shards)
    this.clock = new RedisClock(options.redis, this.options.steadyNow)
  }

  start(): void {
    this.timer = setInterval(() => this.checkLag(), LAG_TICK_MS)
    this.loop = this.run()
  }

  async stop(): Promise<void> {
    this.isStopped = true
    if (this.timer !== null) clearInterval(this.timer)
    await this.loop
  }

  get isFilled(): boolean {
    return this.cursors.every((cursor) => cursor.isFilled)
  }

  /** Whether it may lack a market that a writer has: it was not filled yet, or had no room for it. */
  mayLack(id: string): boolean {
    return !this.isFilled || this.books.withoutRoom.has(id)
  }

  status(): ReplicaStatus {
    const nowMs = this.clock.now()
    const lags = this.cursors.map((cursor) => cursor.lagMs(nowMs))
    const lagMs = Math.max(...lags)
    return {
      filled: this.isFilled,
      filledShards: this.cursors.filter((cursor) => cursor.isFilled).length,
      laggingShards: lags.filter((one) => one > this.options.lagMaxMs).length,
      lagMs: Number.isFinite(lagMs) ? Math.round(lagMs) : null,
      ...this.counts,
      withoutRoom: this.books.withoutRoom.size
    }
  }

  /** Reads until it is stopped; whatever fails is tried again. */
  private async run(): Promise<void> {
    const { redis, log } = this.options
    while (!this.isStopped) {
      if (!redis.isReady) {
        await sleep(RETRY_MS)
        continue
      }
      try {
        await this.clock.measure()
        await this.fillDue()
        await this.read()
      } catch (error) {
        if (this.isStopped) return
        // The connection says what is wrong with itself; anything else must not end the feed.
        if (redis.isReady) log.warn({ err: error }, 'a replica could not read')
        await sleep(RETRY_MS)
      }
    }
  }

  private async read(): Promise<void> {
    const { redis, keys } = this.options
    const followed = [...this.cursors.entries()].filter(([, { isFilled, isBroken }]) => isFilled && !isBroken)
    if (followed.length === 0) {
      await sleep(RETRY_MS)
      return
    }
    const streams = followed.map(([shard]) => keys.changes(shard))
    const ids = followed.map(([, cursor]) => cursor.entryId as string)
    const command = ['COUNT', ENTRIES_PER_READ, 'BLOCK', BLOCK_MS, 'STREAMS', ...streams, ...ids]
    const reply = (await redis.call('XREAD', ...command)) as [Buffer, [Buffer, Buffer[]][]][] | null
    if (reply === null) return
    const shardOf = new Map(streams.map((stream, i) => [stream, followed[i]?.[0] as number]))
    const slices = new Slices(this.options.steadyNow)
    for (const [stream, entries] of reply) {
      const shard = shardOf.get(stream.toString()) as number
      for (const [id, fields] of entries) {
        if (slices.isOver()) await nextTurn()
        if (!this.take(shard, id.toString(), fields[1])) break
      }
    }
  }

  /** Takes one entry of a shard; false when what follows it is of no use. */
  private take(shard: number, entryId: string, bytes: Buffer | undefined): boolean {
    const cursor = this.cursors[shard] as ShardCursor
    const entry = bytes === undefined ? null : decodeEntry(bytes)
    if (entry === null) {
      this.counts.unreadable++
      this.broken(shard, cursor)
      return false
    }
    this.counts.entries++
    switch (cursor.place(entry)) {
      case 'known':
        // One of a writer that is gone says nothing of what the present one does.
        if (entry.epoch === cursor.epoch) cursor.heard(entryId, entry.backlogMs)
        else cursor.entryId = entryId
        return true
      case 'gap':
        this.broken(shard, cursor)
        return false
      default: {
        const isFirst = entry.epoch !== cursor.epoch
        cursor.passed(entryId, entry)
        const isWhole = this.apply(shard, entry, timeOf(entryId))
        if (!isWhole) this.broken(shard, cursor)
        else if (isFirst) {
          cursor.hasOlder = true
          this.reflag(shard)
        }
        return isWhole
      }
    }
  }

  private apply(shard: number, entry: ChangeEntry, writtenAtMs: number): boolean {
    const { epoch, number, changes, trades, completeFor } = entry
    let isWhole = true
    for (const change of changes) {
      this.counts.changes++
      if (change.length === 1) this.remove(shard, change[0])
      else if (this.applyChange(shard, epoch, change, writtenAtMs) === 'gap') isWhole = false
    }
    if (this.cursors[shard]?.passesTrades(epoch, number))
      for (const trade of trades) this.options.onTrade(trade)
    if (completeFor !== null) this.removeUntold(shard, epoch, new Set(completeFor))
    return isWhole
  }

  private applyChange(shard: number, epoch: number, change: MarketChange, writtenAtMs: number) {
    return this.books.apply(shard, epoch, change, this.flags[shard] as number, writtenAtMs)
  }

  /** What a new writer did not tell of its shard is served no more. */
  private removeUntold(shard: number, epoch: number, venues: ReadonlySet<string>): void {
    for (const { id, epoch: told } of this.books.of(shard).values())
      if (told < epoch && venues.has(id.slice(0, id.indexOf(':')))) this.remove(shard, id)
  }

  private remove(shard: number, id: string): void {
    const other = this.books.remove(shard, id)
    if (other === null) return
    this.broken(other, this.cursors[other] as ShardCursor)
    // Where that shard was broken already its other markets are flagged; this one has only now become its.
    const market = this.books.of(other).get(id)
    if (market !== undefined) this.books.flag(market, (this.flags[other] as number) | GAP)
  }

  private broken(shard: number, cursor: ShardCursor): void {
    cursor.breaks++
    if (cursor.isBroken) return
    this.counts.gaps++
    cursor.isBroken = true
    cursor.fillAtMs = Math.max(cursor.fillAtMs, this.options.steadyNow())
    this.reflag(shard)
  }

  private async fillDue(): Promise<void> {
    const nowMs = this.options.steadyNow()
    let due: Promise<void>[] = []
    for (const [shard, cursor] of this.cursors.entries()) {
      // One that lags may have a new stream, as when Redis lost what it held: its mark tells.
      const isDue = !cursor.isFilled || cursor.isBroken || ((this.flags[shard] as number) & LAGGING) !== 0
      if (!isDue || cursor.fillAtMs > nowMs) continue
      cursor.fillAtMs = nowMs + REFILL_AFTER_MS
      due.push(this.fill(shard, cursor))
      if (due.length < FILLS_AT_ONCE) continue
      await allOf(due)
      due = []
    }
    await allOf(due)
  }

  /** Takes over the whole books of a shard, and reads on from what they are complete up to. */
  private async fill(shard: number, cursor: ShardCursor): Promise<void> {
    const { redis, keys } = this.options
    const key = keys.books(shard)
    const found = (await redis.call('HGET', key, MARK_FIELD)) as Buffer | null
    const known = found === null ? null : decodeMark(found)
    // Of an earlier writer: the present one has not written whole books yet.
    if (known === null || known.epoch < cursor.epoch) return
    const isAhead =
      known.epoch > cursor.epoch || (known.epoch === cursor.epoch && known.number > cursor.number)
    if (cursor.isFilled && !cursor.isBroken && !isAhead) return
    const fields = (await redis.call('HGETALL', key)) as Buffer[]
    const books = new Map<string, Buffer>()
    for (let i = 0; i < fields.length; i += 2) books.set(String(fields[i]), fields[i + 1] as Buffer)
    const marked = books.get(MARK_FIELD)
    const mark = marked === undefined ? null : decodeMark(marked)
    // Between the two questions another writer began: there is nothing yet that is complete.
    if (mark === null || mark.epoch < known.epoch) return
    books.delete(MARK_FIELD)
    const { breaks } = cursor
    // Versions of a market that left and came back begin anew: what is held proves nothing of what is found.
    for (const market of this.books.of(shard).values()) {
      market.epoch = 0
      market.version = 0
    }
    // They may be newer: how much, nothing says.
    const writtenAtMs = timeOf(mark.entryId)
    const slices = new Slices(this.options.steadyNow)
    for (const bytes of books.values()) {
      if (slices.isOver()) await nextTurn()
      const book = decodeBook(bytes)
      if (book === null) this.counts.unreadable++
      else this.applyChange(shard, book.epoch, book.change, writtenAtMs)
    }
    for (const { id } of [...this.books.of(shard).values()]) if (!books.has(id)) this.remove(shard, id)
    cursor.epoch = mark.epoch
    cursor.number = mark.number
    // What was passed over before this began is in it; a break meanwhile is of something that may not be.
    cursor.isBroken = cursor.breaks !== breaks
    cursor.heard(mark.entryId, 0)
    this.counts.fills++
    this.reflag(shard)
  }

  private checkLag(): void {
    for (let shard = 0; shard < this.cursors.length; shard++) this.reflag(shard)
  }

  /** Says of a shard's markets what this replica knows: that it lags, or that it missed something. */
  private reflag(shard: number): void {
    const cursor = this.cursors[shard] as ShardCursor
    const isLagging = cursor.lagMs(this.clock.now()) > this.options.lagMaxMs
    const local = (cursor.isBroken ? GAP : 0) | (isLagging ? LAGGING : 0)
    const hasOlder = cursor.hasOlder
    if (local === this.flags[shard] && !hasOlder) return
    this.flags[shard] = local
    cursor.hasOlder = false
    for (const market of this.books.of(shard).values()) {
      // The new writer of the shard has not told of it yet.
      const isOlder = market.epoch < cursor.epoch
      if (isOlder) cursor.hasOlder = true
      this.books.flag(market, isOlder ? local | LAGGING : local)
    }
  }
}

/** Resolves when all are over; then rejects as the first that failed. None goes on behind the next read. */
async function allOf(due: readonly Promise<void>[]): Promise<void> {
  for (const settled of await Promise.allSettled(due)) if (settled.status === 'rejected') throw settled.reason
}
