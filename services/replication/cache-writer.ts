import type { ChangeConsumer } from '../snapshots/change-bus.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import { cachedBookAndPrice, cachedMarket } from './cache-values.ts'
import { encode } from './codec.ts'
import { type ClusterKeys, cacheKey } from './keys.ts'
import type { Lease } from './lease.ts'
import type { RedisArgument, RedisLink, ScriptCall } from './redis.ts'
import { FENCED_WRITE } from './scripts.ts'
import { shardOf } from './shards.ts'

export interface CacheTtls {
  marketMs: number
  bookMs: number
  priceMs: number
}

export interface CacheWriterOptions {
  store: SnapshotStore
  redis: Pick<RedisLink, 'runAll' | 'isReady' | 'status'>
  keys: ClusterKeys
  shards: number
  ttls: CacheTtls
  /** The lease under which a shard is written; undefined: it is another's. Null where there are no leases. */
  leaseOf: ((shard: number) => Lease | undefined) | null
  steadyNow?: () => number
}

export interface CacheWriterStatus {
  written: number
  /** Keys that had not changed and were kept alive. */
  refreshed: number
  failures: number
  /** Markets whose last change Redis has not confirmed. */
  pending: number
}

const FLUSH_EVERY_MS = 50
const SLICE_MS = 2
/** Changed markets that one flush writes at most; the rest is conflated until the next. */
const MARKETS_PER_FLUSH = 500
/** Of the shortest life of a key: what is quiet is confirmed this early, so that a missed round does no harm. */
const REFRESH_SHARE = 0.4

/**
 * Keeps the cache in Redis: what changed is written, conflated by market, and what is quiet is kept from expiring. One
 * flush is under way at a time, and nothing ever waits for it.
 */
export class CacheWriter {
  private readonly options: Required<CacheWriterOptions>
  private readonly writtenMeta: Int32Array
  private readonly again = new Set<number>()
  private readonly counts = { written: 0, refreshed: 0, failures: 0 }
  private consumer: ChangeConsumer | null = null
  private timer: NodeJS.Timeout | null = null
  private flushing: Promise<void> | null = null
  /** Markets that the flush under way has handed to Redis. */
  private underway = 0
  private sweep: Iterator<MarketRecord> | null = null
  private sweeps = 0
  private sweptAtMs = Number.NEGATIVE_INFINITY
  private connects = 0

  constructor(options: CacheWriterOptions) {
    this.options = { steadyNow: performance.now.bind(performance), ...options }
    this.writtenMeta = new Int32Array(options.store.books.capacityMarkets).fill(-1)
  }

  start(): void {
    const { store } = this.options
    for (const { slot } of store.records()) this.again.add(slot)
    this.consumer = store.consume()
    this.timer = setInterval(() => {
      this.flushing ??= this.flush()
        .catch(() => {
          this.counts.failures++
        })
        .finally(() => {
          this.flushing = null
        })
    }, FLUSH_EVERY_MS)
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer)
    this.consumer?.close()
    await this.flushing
  }

  /** The lease of a shard is ours from now on: all its keys are. */
  taken(shard: number): void {
    const { store, shards } = this.options
    for (const { slot, market } of store.records()) {
      if (shardOf(market, shards) !== shard) continue
      this.writtenMeta[slot] = -1
      this.again.add(slot)
    }
  }

  status(): CacheWriterStatus {
    const waiting = (this.consumer?.pending ?? 0) + this.again.size
    return { ...this.counts, pending: waiting + this.underway }
  }

  private async flush(): Promise<void> {
    const { redis, store, steadyNow } = this.options
    if (!redis.isReady) return
    const startedMs = steadyNow()
    if (redis.status.connects !== this.connects) {
      // It may have lost what it held.
      this.connects = redis.status.connects
      this.writtenMeta.fill(-1)
      for (const { slot } of store.records()) this.again.add(slot)
    }
    const batch = new CacheBatch(this.options)
    const write = (slot: number) => {
      const record = store.at(slot)
      if (record !== undefined) this.write(batch, record)
    }
    for (const slot of this.again) {
      if (batch.markets >= MARKETS_PER_FLUSH || steadyNow() - startedMs > SLICE_MS) break
      this.again.delete(slot)
      write(slot)
    }
    while (this.consumer !== null && this.consumer.pending > 0) {
      if (batch.markets >= MARKETS_PER_FLUSH || steadyNow() - startedMs > SLICE_MS) break
      this.consumer.drain(write, 16)
    }
    this.refresh(batch, startedMs)
    const calls = batch.calls()
    if (calls.length === 0) return
    this.underway = batch.slots().length
    try {
      for (const [index, reply] of (await redis.runAll(calls)).entries()) this.answered(batch, index, reply)
    } catch {
      this.failed(batch.slots())
    } finally {
      this.underway = 0
    }
  }

  private write(batch: CacheBatch, record: MarketRecord): void {
    const { store, ttls } = this.options
    const { slot, market, metaVersion } = record
    const { venue, venueMarketId: id } = market
    const group = batch.group(record)
    if (group === null) return
    const { book, price } = cachedBookAndPrice(store, record)
    group.args.push('s', cacheKey.book(venue, id), ttls.bookMs, encode(book))
    group.args.push('s', cacheKey.price(venue, id), ttls.priceMs, encode(price))
    if (this.writtenMeta[slot] !== metaVersion) {
      this.writtenMeta[slot] = metaVersion
      group.args.push('s', cacheKey.market(venue, id), ttls.marketMs, encode(cachedMarket(record)))
    }
    group.slots.push(slot)
    this.counts.written++
  }

  /** Confirms every market once in a part of the shortest life, evenly: each flush its share. */
  private refresh(batch: CacheBatch, startedMs: number): void {
    const { store, ttls } = this.options
    const shortestMs = Math.min(ttls.marketMs, ttls.bookMs, ttls.priceMs)
    const periodMs = shortestMs * REFRESH_SHARE
    if (this.sweep === null) {
      if (startedMs - this.sweptAtMs < periodMs / 2) return
      this.sweptAtMs = startedMs
      this.sweeps++
      this.sweep = store.records()
    }
    let left = Math.ceil((store.size * FLUSH_EVERY_MS * 2) / periodMs)
    for (; left > 0; left--) {
      const next = this.sweep.next()
      if (next.done === true) {
        this.sweep = null
        return
      }
      const { slot, market } = next.value
      const { venue, venueMarketId: id } = market
      const group = batch.group(next.value)
      if (group === null) continue
      // A key that lives longer has its turn less often.
      for (const [key, ttlMs] of [
        [cacheKey.book(venue, id), ttls.bookMs],
        [cacheKey.price(venue, id), ttls.priceMs],
        [cacheKey.market(venue, id), ttls.marketMs]
      ] as const)
        if (this.sweeps % Math.floor(ttlMs / shortestMs) === 0) group.args.push('r', key, ttlMs, slot)
      this.counts.refreshed++
    }
  }

  private answered(batch: CacheBatch, index: number, reply: unknown): void {
    // Another's lease: that one writes the keys.
    if (reply === 0) return
    if (!Array.isArray(reply)) {
      this.failed(batch.groupAt(index).slots)
      return
    }
    for (const slot of reply[1] as Buffer[]) {
      this.writtenMeta[Number(slot.toString())] = -1
      this.again.add(Number(slot.toString()))
    }
  }

  private failed(slots: readonly number[]): void {
    this.counts.failures++
    for (const slot of slots) {
      this.writtenMeta[slot] = -1
      this.again.add(slot)
    }
  }
}

interface Group {
  lease: Lease | null
  args: RedisArgument[]
  slots: number[]
}

/** What one flush sends: a script for each shard, since each is fenced by its own lease. */
class CacheBatch {
  private readonly options: Pick<CacheWriterOptions, 'leaseOf' | 'shards' | 'keys'>
  private readonly groups = new Map<number, Group>()
  markets = 0

  constructor(options: Pick<CacheWriterOptions, 'leaseOf' | 'shards' | 'keys'>) {
    this.options = options
  }

  /** Returns where a market's writes go; null when they are another's to make. */
  group({ market }: MarketRecord): Group | null {
    const { leaseOf, shards } = this.options
    const shard = leaseOf === null ? 0 : shardOf(market, shards)
    this.markets++
    const known = this.groups.get(shard)
    if (known !== undefined) return known
    const lease = leaseOf === null ? null : leaseOf(shard)
    if (lease === undefined) return null
    const group: Group = { lease, args: [], slots: [] }
    this.groups.set(shard, group)
    return group
  }

  groupAt(index: number): Group {
    return [...this.groups.values()][index] as Group
  }

  slots(): number[] {
    return [...this.groups.values()].flatMap(({ slots }) => slots)
  }

  calls(): ScriptCall[] {
    return [...this.groups.entries()].map(([shard, { lease, args }]) => ({
      script: FENCED_WRITE,
      keys: [lease === null ? '' : this.options.keys.lease(shard)],
      args: [lease?.text ?? '', ...args]
    }))
  }
}
