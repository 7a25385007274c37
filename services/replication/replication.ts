import type { FastifyBaseLogger } from 'fastify'
import { VENUES, type Venue } from '../../schemas/common.ts'
import type { Config } from '../../schemas/config.ts'
import type { Market, MarketDetail } from '../../schemas/market.ts'
import type { ReplicationHealth } from '../../schemas/replication-health.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { TradeBus } from '../venue/trade-bus.ts'
import { CacheReader } from './cache-reader.ts'
import { CacheWriter } from './cache-writer.ts'
import { ChangeWriter } from './change-writer.ts'
import { clusterKeys } from './keys.ts'
import type { Lease } from './lease.ts'
import { RedisLink } from './redis.ts'
import { ReplicaFeed } from './replica-feed.ts'
import { ShardLeases } from './shard-leases.ts'
import { ShardReadiness } from './shard-readiness.ts'
import { shardOf } from './shards.ts'

export type Role = Config['ROLE']

export interface ReplicationOptions {
  store: SnapshotStore
  config: Pick<
    Config,
    | 'REDIS_URL'
    | 'ROLE'
    | 'CLUSTER_NAME'
    | 'SHARDS'
    | 'LEASE_MS'
    | 'REPLICA_LAG_MAX_MS'
    | 'CACHE_TTL_MARKET_S'
    | 'CACHE_TTL_BOOK_S'
    | 'CACHE_TTL_PRICE_S'
    | 'SNAPSHOT_TIMEOUT_MS'
  >
  /** Venues that are run here; `isKnown` once their markets were discovered. */
  venues: () => readonly { venue: Venue; isKnown: boolean }[]
  /** Every trade, from the feeds or from Redis. */
  trades: Pick<TradeBus, 'listen' | 'tell'>
  /** Which markets are read here is another question now. */
  onShares: () => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
}

const SECOND_MS = 1_000

/** All that a process does with Redis, by its role. */
export class Replication {
  private readonly cache: CacheReader
  private readonly options: ReplicationOptions
  private readonly redis: RedisLink
  private readonly leases: ShardLeases | null = null
  private readonly changes: ChangeWriter | null = null
  private readonly cacheWriter: CacheWriter | null = null
  private readonly replica: ReplicaFeed | null = null
  private readonly held = new Map<number, Lease>()
  private deafen: () => void = () => {}

  constructor(options: ReplicationOptions) {
    const { store, config, log, trades, onShares } = options
    const { ROLE: role, SHARDS: shards } = config
    this.options = options
    this.redis = new RedisLink({ url: config.REDIS_URL, name: `crossbook-${role}`, log })
    const { redis } = this
    const keys = clusterKeys(config.CLUSTER_NAME, shards)
    this.cache = new CacheReader(redis)
    if (role === 'api') {
      this.replica = new ReplicaFeed({
        store,
        redis,
        keys,
        shards,
        lagMaxMs: config.REPLICA_LAG_MAX_MS,
        onTrade: trades.tell,
        log
      })
      return
    }
    this.cacheWriter = new CacheWriter({
      store,
      redis,
      keys,
      shards,
      ttls: {
        marketMs: config.CACHE_TTL_MARKET_S * SECOND_MS,
        bookMs: config.CACHE_TTL_BOOK_S * SECOND_MS,
        priceMs: config.CACHE_TTL_PRICE_S * SECOND_MS
      },
      leaseOf: role === 'all' ? null : (shard) => this.held.get(shard)
    })
    if (role === 'all') return
    const readiness = new ShardReadiness({ store, shards, patienceMs: config.SNAPSHOT_TIMEOUT_MS })
    this.leases = new ShardLeases({
      redis,
      keys,
      shards,
      leaseMs: config.LEASE_MS,
      takesPart: () => this.knownVenues().length > 0,
      isPrepared: (shard) => readiness.isReady(shard),
      onTaken: (lease) => {
        this.held.set(lease.shard, lease)
        this.changes?.take(lease)
        this.cacheWriter?.taken(lease.shard)
      },
      onLost: ({ shard }) => {
        this.held.delete(shard)
        this.changes?.drop(shard)
        readiness.reset(shard)
      },
      onShares: () => {
        readiness.resetAll()
        onShares()
      },
      log
    })
    this.changes = new ChangeWriter({
      store,
      redis,
      keys,
      shards,
      completeFor: () => this.knownVenues(),
      onLost: (lease) => this.leases?.refused(lease)
    })
  }

  start(): void {
    this.redis.start()
    this.changes?.start()
    if (this.changes !== null) this.deafen = this.options.trades.listen(this.changes.traded)
    this.leases?.start()
    this.cacheWriter?.start()
    this.replica?.start()
  }

  async stop(): Promise<void> {
    this.deafen()
    // First of all: others need not wait for what we hold.
    await this.leases?.stop()
    await Promise.all([this.changes?.stop(), this.cacheWriter?.stop(), this.replica?.stop()])
    await this.redis.stop()
  }

  /** Whether a market is to be read from its venue by this process. */
  reads(market: Pick<Market, 'id' | 'eventId'>): boolean {
    return this.leases === null || this.leases.reads(shardOf(market, this.options.config.SHARDS))
  }

  /** True once there is something to serve: a replica was filled, an ingest process knows its share. */
  get isReady(): boolean {
    if (this.replica !== null) return this.replica.isFilled
    return this.leases === null || this.leases.isKnown
  }

  /** Resolves to a market that a replica has no room for, or not yet, as the cache has it; null where that is nothing. */
  async getElsewhere(id: string, depth: number): Promise<MarketDetail | null> {
    return this.replica?.mayLack(id) ? this.cache.getDetail(id, depth) : null
  }

  /** Returns how it is doing, as health tells it. */
  health(): ReplicationHealth {
    const { ROLE: role, SHARDS: shards } = this.options.config
    const { hits, misses, failures: readFailures } = this.cache.status()
    const written = this.cacheWriter?.status() ?? { written: 0, refreshed: 0, failures: 0, pending: 0 }
    const { failures: writeFailures, ...cache } = written
    return {
      role,
      shards,
      redis: { ...this.redis.status },
      leases: this.leases?.status() ?? null,
      writer: this.changes?.status() ?? null,
      replica: this.replica?.status() ?? null,
      cache: { ...cache, writeFailures, hits, misses, readFailures },
      booksByState: this.booksByState()
    }
  }

  private booksByState(): Record<string, number> {
    const { store } = this.options
    const counts: Record<string, number> = {}
    for (const { slot } of store.records()) {
      const state = store.books.verdicts.state(slot)
      counts[state] = (counts[state] ?? 0) + 1
    }
    return counts
  }

  /** Where no venue is run, whoever fills the store knows all of them. */
  private knownVenues(): Venue[] {
    const venues = this.options.venues()
    if (venues.length === 0) return [...VENUES]
    return venues.filter(({ isKnown }) => isKnown).map(({ venue }) => venue)
  }
}
