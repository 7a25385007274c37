import type { SnapshotStore } from '../snapshots/store.ts'
import { shardOf } from './shards.ts'

export interface ShardReadinessOptions {
  store: SnapshotStore
  shards: number
  /** A book that has not come by then is not waited for. */
  patienceMs: number
  steadyNow?: () => number
}

/** One look at all books serves every shard that asks in this time. */
const LOOK_EVERY_MS = 100

/** Whether the books of a shard have come, so that taking it over leaves no hole. */
export class ShardReadiness {
  private readonly options: Required<ShardReadinessOptions>
  private readonly waiting: Uint32Array
  private readonly sinceMs: Float64Array
  private lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: ShardReadinessOptions) {
    this.options = { steadyNow: performance.now.bind(performance), ...options }
    this.waiting = new Uint32Array(options.shards)
    this.sinceMs = new Float64Array(options.shards).fill(Number.NaN)
  }

  /** True once no book of the shard waits for its first snapshot, or the time for one is over. */
  isReady(shard: number): boolean {
    const nowMs = this.options.steadyNow()
    this.look(nowMs)
    // Just given to us: its markets may not even be followed yet.
    if (Number.isNaN(this.sinceMs[shard])) {
      this.sinceMs[shard] = nowMs
      return false
    }
    return this.waiting[shard] === 0 || nowMs - (this.sinceMs[shard] as number) > this.options.patienceMs
  }

  reset(shard: number): void {
    this.sinceMs[shard] = Number.NaN
  }

  resetAll(): void {
    this.sinceMs.fill(Number.NaN)
  }

  private look(nowMs: number): void {
    if (nowMs - this.lookedAtMs < LOOK_EVERY_MS) return
    this.lookedAtMs = nowMs
    const { store, shards } = this.options
    this.waiting.fill(0)
    for (const { slot, market } of store.records()) {
      const shard = shardOf(market, shards)
      if (store.books.verdicts.state(slot) === 'syncing')
        this.waiting[shard] = (this.waiting[shard] as number) + 1
    }
  }
}
