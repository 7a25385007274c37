import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { FastifyBaseLogger } from 'fastify'
import { RedisUnavailableError } from '../errors.ts'
import type { ClusterKeys } from './keys.ts'
import { type Lease, leaseOf } from './lease.ts'
import { Members } from './members.ts'
import type { RedisLink } from './redis.ts'
import { ACQUIRE, BEAT, LEAVE, RELEASE } from './scripts.ts'
import { fairShares } from './shards.ts'

export interface ShardLeasesOptions {
  redis: Pick<RedisLink, 'run' | 'isReady' | 'status'>
  keys: ClusterKeys
  shards: number
  leaseMs: number
  /** The markets are known: before, this process could serve nothing that it took. */
  takesPart: () => boolean
  /** The books of a shard that falls to us are as good as they will be: its present writer may hand it over. */
  isPrepared: (shard: number) => boolean
  onTaken: (lease: Lease) => void
  onLost: (lease: Lease) => void
  /** Which markets this process reads is another question now: see `reads`. */
  onShares: () => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  steadyNow?: () => number
}

export interface LeasesStatus {
  member: string
  members: number
  held: number
  /** Shards that fall to us, whoever writes them now. */
  share: number
}

/** Beats in the life of a lease: so many may be lost but one. */
const BEATS_PER_LEASE = 5
/** While shards wait that fall to us. */
const HURRY_MS = 150
const RETRY_MS = 250
/** Of a lease's life by our clock; the rest is for clocks that run differently and for writes that are on their way. */
const OWN_SHARE = 0.75
const CHECK_MS = 100
const RELEASE_TIMEOUT_MS = 1_000

/**
 * Which shards this ingest process writes. Each falls to one member by hash; who writes it is who holds its lease. A lease
 * is taken when nobody holds it, kept by beats, given up by our own clock before it can expire in Redis, and handed over
 * when the shard falls to another that is prepared for it.
 */
export class ShardLeases {
  readonly member = `${hostname().slice(0, 40)}-${process.pid}-${randomBytes(4).toString('hex')}`
  private readonly options: Required<ShardLeasesOptions>
  private readonly held = new Map<number, Lease>()
  private readonly members: Members
  private shares: (string | null)[] = []
  private renewedAtMs = Number.NEGATIVE_INFINITY
  private hasJoined = false
  private beating: Promise<void> | null = null
  private beatTimer: NodeJS.Timeout | null = null
  private checkTimer: NodeJS.Timeout | null = null
  private isStopped = false

  constructor(options: ShardLeasesOptions) {
    this.options = { steadyNow: performance.now.bind(performance), ...options }
    this.members = new Members(options.leaseMs)
  }

  start(): void {
    this.checkTimer = setInterval(() => this.checkOwnClock(), CHECK_MS)
    this.beatSoon(0)
  }

  /** Gives everything back, so that others need not wait for it to expire. */
  async stop(): Promise<void> {
    this.isStopped = true
    if (this.beatTimer !== null) clearTimeout(this.beatTimer)
    if (this.checkTimer !== null) clearInterval(this.checkTimer)
    const leaving = this.leave()
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, RELEASE_TIMEOUT_MS).unref())
    await Promise.race([leaving, timeout])
  }

  /** Whether the markets of a shard are to be read from their venues here. */
  reads(shard: number): boolean {
    return this.shares[shard] === this.member || this.held.has(shard)
  }

  /** Redis was heard once: whose share is what is known. */
  get isKnown(): boolean {
    return this.shares.length > 0
  }

  status(): LeasesStatus {
    return {
      member: this.member,
      members: this.members.size,
      held: this.held.size,
      share: this.shares.filter((owner) => owner === this.member).length
    }
  }

  /** A write was refused: the lease is no longer ours. */
  refused(lease: Lease): void {
    this.lose(lease)
  }

  private beatSoon(ms: number): void {
    if (this.isStopped) return
    this.beatTimer = setTimeout(() => {
      this.beating = this.beat()
        .catch((error) => {
          if (!(error instanceof RedisUnavailableError))
            this.options.log.warn({ err: error }, 'the shares of the markets were not looked after')
          return RETRY_MS
        })
        .then((waitMs) => this.beatSoon(waitMs))
    }, ms)
  }

  /** Renews what is held, takes and gives what has moved; resolves to when it is to be done again. */
  private async beat(): Promise<number> {
    const { redis, keys, shards, leaseMs, isPrepared, takesPart, steadyNow } = this.options
    if (!redis.isReady) return RETRY_MS
    this.hasJoined ||= takesPart()
    const sentAtMs = steadyNow()
    const every = Array.from({ length: shards }, (_, shard) => shard)
    const prepared = every.filter((shard) => this.waitsFor(shard) && isPrepared(shard))
    const [members, preparedOf, leases, lost] = (await redis.run({
      script: BEAT,
      keys: [keys.members, keys.prepared, ...every.map(keys.lease)],
      args: [
        this.member,
        leaseMs,
        prepared.join(','),
        this.hasJoined ? '1' : '0',
        ...every.map((shard) => this.held.get(shard)?.text ?? '')
      ]
    })) as [Buffer[], Buffer[], Buffer[], number[]]
    if (this.isStopped) return RETRY_MS
    this.renewedAtMs = sentAtMs
    for (const shard of lost) {
      const lease = this.held.get(shard)
      if (lease !== undefined) this.lose(lease)
    }
    this.members.heard(
      members.map((one, i) => [one.toString(), preparedOf[i]?.toString() ?? '']),
      redis.status.connects,
      steadyNow()
    )
    this.share()
    await this.handOver()
    const isFree = leases.map((lease, shard) => lease.length === 0 || lost.includes(shard))
    await this.takeFree(isFree)
    return every.some((shard) => this.waitsFor(shard)) ? HURRY_MS : leaseMs / BEATS_PER_LEASE
  }

  private waitsFor(shard: number): boolean {
    return this.shares[shard] === this.member && !this.held.has(shard)
  }

  private share(): void {
    const members = this.members.names()
    if (!members.includes(this.member)) members.push(this.member)
    const shares = fairShares(members, this.options.shards)
    if (shares.every((owner, shard) => owner === this.shares[shard])) return
    this.shares = shares
    this.options.log.info({ members: members.length, share: this.status().share }, 'the shards are shared')
    this.options.onShares()
  }

  private async takeFree(isFree: boolean[]): Promise<void> {
    const { redis, keys, leaseMs, steadyNow, onTaken, log } = this.options
    if (!this.hasJoined) return
    const wanted = isFree.flatMap((free, shard) => (free && this.waitsFor(shard) ? [shard] : []))
    const sentAtMs = steadyNow()
    const taken = await Promise.all(
      wanted.map(async (shard) => {
        const args = [this.member, leaseMs]
        const epoch = await redis.run({ script: ACQUIRE, keys: [keys.lease(shard), keys.epoch(shard)], args })
        return { shard, epoch: Number((epoch as Buffer).toString()) }
      })
    )
    // One that took too long to come may have expired on its way.
    const leases = taken
      .filter(({ epoch }) => epoch > 0)
      .map(({ shard, epoch }) => leaseOf(shard, epoch, this.member))
    if (this.isStopped || steadyNow() - sentAtMs > leaseMs * OWN_SHARE) {
      await this.release(leases)
      return
    }
    for (const lease of leases) {
      this.held.set(lease.shard, lease)
      onTaken(lease)
    }
    if (leases.length > 0) log.info({ taken: leases.length, held: this.held.size }, 'shards are written here')
  }

  /** Gives back what falls to another who is prepared for it. */
  private async handOver(): Promise<void> {
    const { onLost, onShares, log } = this.options
    const given: Lease[] = []
    for (const [shard, lease] of this.held) {
      const owner = this.shares[shard]
      if (owner == null || owner === this.member || !this.members.isPrepared(owner, shard)) continue
      // What is untold stays so: the next writer tells everything whole.
      given.push(lease)
    }
    if (given.length === 0) return
    for (const lease of given) {
      this.held.delete(lease.shard)
      onLost(lease)
    }
    // Whether Redis hears of it or not, they are no longer ours to read.
    onShares()
    await this.release(given)
    log.info({ given: given.length, held: this.held.size }, 'shards are handed over')
  }

  private checkOwnClock(): void {
    const { steadyNow, leaseMs, log } = this.options
    if (this.held.size === 0 || steadyNow() - this.renewedAtMs < leaseMs * OWN_SHARE) return
    log.warn(
      { held: this.held.size },
      'leases could not be renewed in time: nothing is written until they are taken anew'
    )
    for (const lease of [...this.held.values()]) this.lose(lease)
  }

  private lose(lease: Lease): void {
    if (this.held.get(lease.shard) !== lease) return
    this.held.delete(lease.shard)
    this.options.onLost(lease)
    if (this.shares[lease.shard] !== this.member && !this.isStopped) this.options.onShares()
  }

  /** Gives leases back; one that Redis does not hear of ends by itself. */
  private async release(leases: readonly Lease[]): Promise<void> {
    const { redis, keys } = this.options
    await Promise.allSettled(
      leases.map(({ shard, text }) => redis.run({ script: RELEASE, keys: [keys.lease(shard)], args: [text] }))
    )
  }

  private async leave(): Promise<void> {
    const { redis, keys } = this.options
    const leases = [...this.held.values()]
    for (const lease of leases) this.lose(lease)
    // Its answer may never come; whatever it takes from now on, it gives back itself.
    await this.beating
    if (!redis.isReady) return
    await Promise.allSettled([
      this.release(leases),
      redis.run({ script: LEAVE, keys: [keys.members, keys.prepared], args: [this.member] })
    ])
  }
}
