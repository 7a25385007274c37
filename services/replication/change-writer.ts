import type { ChangeConsumer } from '../snapshots/change-bus.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import type { ClusterKeys } from './keys.ts'
import type { Lease } from './lease.ts'
import { MarketChanges } from './market-changes.ts'
import type { RedisLink, ScriptCall } from './redis.ts'
import { FENCED_WRITE } from './scripts.ts'
import { type ChangeSource, ShardOutput } from './shard-output.ts'
import { shardOf } from './shards.ts'

export interface ChangeWriterOptions {
  store: SnapshotStore
  redis: Pick<RedisLink, 'runAll' | 'isReady' | 'status'>
  keys: ClusterKeys
  shards: number
  /** Venues whose markets are known: of the others nobody may conclude that a market is gone. */
  completeFor: () => string[]
  /** Redis says that the lease is another's now. */
  onLost: (lease: Lease) => void
  steadyNow?: () => number
  flushEveryMs?: number
}

export interface ChangeWriterStatus {
  entries: number
  failures: number
  /** Writes that Redis refused because the lease was no longer ours. */
  fenced: number
  /** Trades that were told to no replica, because Redis was away for too long. */
  lostTrades: number
  /** Age of the oldest change that Redis has not confirmed, milliseconds. */
  backlogMs: number
}

const FLUSH_EVERY_MS = 20
/** Of one turn: reading the venues goes first. */
const SLICE_MS = 2
const NO_SHARD = -1

/**
 * Writes the changes of the markets of the shards that we hold leases of, conflated by market, in the background: what
 * Redis does not take in time is conflated further and never waited for.
 */
export class ChangeWriter {
  private readonly options: Required<ChangeWriterOptions>
  private readonly changes: MarketChanges
  private readonly source: ChangeSource
  private readonly outputs = new Map<number, ShardOutput>()
  private readonly shardOfSlot: Int16Array
  private readonly idOfSlot: (string | null)[] = []
  private readonly eventOfSlot: (string | null)[] = []
  private connects = 0
  private readonly ends: (() => void)[] = []
  private consumer: ChangeConsumer | null = null
  private timer: NodeJS.Timeout | null = null
  private next = 0
  /** Of shards that are no longer ours. */
  private lostTrades = 0
  private counts = { entries: 0, failures: 0, fenced: 0 }
  private readonly underWay = new Set<Promise<void>>()

  constructor(options: ChangeWriterOptions) {
    this.options = {
      steadyNow: performance.now.bind(performance),
      flushEveryMs: FLUSH_EVERY_MS,
      ...options
    }
    const { store } = options
    this.changes = new MarketChanges(store)
    this.shardOfSlot = new Int16Array(store.books.capacityMarkets).fill(NO_SHARD)
    this.source = {
      at: (slot) => store.at(slot),
      has: (id, shard) => {
        const slot = store.get(id)?.slot
        return slot !== undefined && this.shardOfSlot[slot] === shard
      },
      take: (record) => this.changes.take(record),
      snapshot: (record) => this.changes.snapshot(record)
    }
  }

  start(): void {
    const { store } = this.options
    for (const { slot } of store.records()) this.bind(slot)
    this.consumer = store.consume()
    this.ends.push(
      store.books.listen(this.changes),
      store.watchBindings((slot, id) => (id === null ? this.unbind(slot) : this.bind(slot))),
      store.watchEvents((eventId) => this.eventChanged(eventId)),
      () => this.consumer?.close()
    )
    this.plan()
  }

  /** Ends; what is untold stays so, since whoever writes the shards next tells everything whole. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    for (const end of this.ends.splice(0)) end()
    this.outputs.clear()
    await Promise.all(this.underWay)
  }

  /** From now on the shard is ours to write: everything of it is told whole. */
  take(lease: Lease): void {
    const { keys, completeFor } = this.options
    const slots = this.slotsOf(lease.shard)
    for (const slot of slots) this.changes.follow(slot)
    const output = new ShardOutput({
      shard: lease.shard,
      lease,
      keys,
      source: this.source,
      slots,
      completeFor
    })
    this.outputs.set(lease.shard, output)
  }

  /** Stops writing a shard at once. */
  drop(shard: number): void {
    this.lostTrades += this.outputs.get(shard)?.lostTrades ?? 0
    this.outputs.delete(shard)
    for (const [slot, one] of this.shardOfSlot.entries()) if (one === shard) this.changes.forget(slot)
  }

  /** Tells a trade of a market of ours to the replicas. */
  readonly traded = (trade: TradeNote): void => {
    const slot = this.options.store.get(trade.marketId)?.slot
    if (slot !== undefined) this.outputs.get(this.shardOfSlot[slot] as number)?.traded(trade)
  }

  status(): ChangeWriterStatus {
    let backlogMs = 0
    const nowMs = this.options.steadyNow()
    let { lostTrades } = this
    for (const output of this.outputs.values()) {
      backlogMs = Math.max(backlogMs, output.backlogMs(nowMs))
      lostTrades += output.lostTrades
    }
    return { ...this.counts, lostTrades, backlogMs }
  }

  private plan(): void {
    this.timer = setTimeout(() => {
      try {
        this.flush()
      } catch {
        this.counts.failures++
      }
      this.plan()
    }, this.options.flushEveryMs)
  }

  private flush(): void {
    const { steadyNow, redis } = this.options
    const startedMs = steadyNow()
    this.consumer?.drain((slot) => {
      this.regroup(slot)
      this.outputs.get(this.shardOfSlot[slot] as number)?.changed(slot, startedMs)
    })
    if (!redis.isReady || this.outputs.size === 0) return
    // It may be another server, which never heard of what the one before confirmed.
    if (redis.status.connects !== this.connects) {
      this.connects = redis.status.connects
      for (const output of this.outputs.values()) output.rewrite(this.slotsOf(output.lease.shard))
    }
    const outputs = [...this.outputs.values()]
    const calls: ScriptCall[] = []
    const called: ShardOutput[] = []
    // Where the last turn ended, so that a long shard does not keep the others waiting.
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[(this.next + i) % outputs.length] as ShardOutput
      if (output.isWriting) continue
      const args = output.next(startedMs)
      if (args === null) continue
      called.push(output)
      calls.push({
        script: FENCED_WRITE,
        keys: [this.options.keys.lease(output.lease.shard)],
        args: [output.lease.text, ...args]
      })
      if (steadyNow() - startedMs < SLICE_MS) continue
      this.next = (this.next + i + 1) % outputs.length
      break
    }
    if (calls.length > 0) this.track(this.send(called, calls))
  }

  private track(sending: Promise<void>): void {
    this.underWay.add(sending)
    void sending.finally(() => this.underWay.delete(sending))
  }

  private async send(outputs: ShardOutput[], calls: ScriptCall[]): Promise<void> {
    for (const output of outputs) output.isWriting = true
    let replies: unknown[] = []
    try {
      replies = await this.options.redis.runAll(calls)
    } catch {
      // Said by the connection itself; the same is sent again.
    }
    for (const [index, output] of outputs.entries()) {
      output.isWriting = false
      this.answered(output, replies[index])
    }
  }

  private answered(output: ShardOutput, reply: unknown): void {
    if (Array.isArray(reply)) {
      this.counts.entries++
      output.written(String(reply[0]))
    } else if (reply === 0) {
      this.counts.fenced++
      if (this.outputs.get(output.lease.shard) === output) this.options.onLost(output.lease)
    } else this.counts.failures++
  }

  private slotsOf(shard: number): number[] {
    const slots: number[] = []
    for (const { slot } of this.options.store.records())
      if (this.shardOfSlot[slot] === shard) slots.push(slot)
    return slots
  }

  /** A market that was put into another event may be of another shard. */
  private regroup(slot: number): void {
    const eventId = this.options.store.at(slot)?.market.eventId
    if (eventId === undefined || eventId === this.eventOfSlot[slot]) return
    this.unbind(slot)
    this.bind(slot)
  }

  private bind(slot: number): void {
    const record = this.options.store.at(slot)
    if (record === undefined) return
    const shard = shardOf(record.market, this.options.shards)
    this.shardOfSlot[slot] = shard
    this.idOfSlot[slot] = record.id
    this.eventOfSlot[slot] = record.market.eventId
    const output = this.outputs.get(shard)
    if (output === undefined) return
    this.changes.follow(slot)
    output.changed(slot, this.options.steadyNow())
  }

  private unbind(slot: number): void {
    const shard = this.shardOfSlot[slot] as number
    const id = this.idOfSlot[slot]
    this.shardOfSlot[slot] = NO_SHARD
    this.idOfSlot[slot] = null
    this.changes.forget(slot)
    if (id != null) this.outputs.get(shard)?.removed(slot, id)
  }

  /** A market that tells it may be gone before it is told: all of them do. */
  private eventChanged(eventId: string): void {
    const { store, steadyNow } = this.options
    for (const id of store.getEvent(eventId)?.marketIds ?? []) {
      const slot = store.get(id)?.slot
      if (slot === undefined) continue
      this.changes.retellMetadata(slot)
      this.outputs.get(this.shardOfSlot[slot] as number)?.changed(slot, steadyNow())
    }
  }
}
