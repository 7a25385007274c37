import type { BlockQueue } from './block-queue.ts'
import type { RecordBlock } from './record-block.ts'
import type { SegmentSeries } from './segment-series.ts'

export interface BlockDrainOptions {
  queue: BlockQueue
  series: SegmentSeries
  /** Under a backlog, how long written blocks wait for `fdatasync` at most. */
  syncMs: number
  now: () => number
  /** After each block: there is room again. */
  onWritten: () => void
  /** Blocks are lost, at once; the drain is halted until `resume`. */
  onFailure: (error: unknown, lost: readonly RecordBlock[]) => void
  /** Blocks that seemed written are lost too. */
  onLost: (lost: readonly RecordBlock[]) => void
  /** All losses of a failure are told, and the disk may be tried again. */
  onHalted: () => void
}

/** Takes waiting blocks to the disk, in order and one at a time, and knows which are there for sure. */
export class BlockDrain {
  private readonly options: BlockDrainOptions
  private isRunning = false
  /** Before the start and after a failure. */
  isHalted = true
  /** Written, not known to be on the disk. */
  private unsynced: RecordBlock[] = []
  private syncedAtMs = 0
  /** Blocks up to this serial are on the disk, or lost. */
  private settledSerial = -1
  private waiters: { serial: number; resolve: () => void }[] = []

  constructor(options: BlockDrainOptions) {
    this.options = options
  }

  /** The oldest block that is not known to be on the disk. */
  get oldest(): RecordBlock | undefined {
    return this.unsynced[0] ?? this.options.queue.oldest
  }

  /** Takes what waits to the disk, unless that goes on already. */
  run(): void {
    if (this.isRunning || this.isHalted || this.options.queue.isIdle) return
    this.isRunning = true
    // Later, since it is an append that comes here: beginning to compress takes as long as a thousand of them.
    setImmediate(async () => {
      await this.work()
      this.isRunning = false
      this.run()
    })
  }

  /** Lets the drain run, at first and after a failure. */
  resume(): void {
    this.isHalted = false
    this.run()
  }

  /** Resolves when blocks up to that serial are on the disk, or lost. */
  settled(serial: number): Promise<void> {
    if (serial <= this.settledSerial) return Promise.resolve()
    return new Promise((resolve) => this.waiters.push({ serial, resolve }))
  }

  /** Gives up everything that is not on the disk, and the segment. */
  async fail(error: unknown): Promise<void> {
    const { queue, series, onFailure, onLost, onHalted } = this.options
    this.isHalted = true
    onFailure(error, queue.takeAll())
    const isSynced = await series.abandon()
    if (!isSynced) onLost(this.unsynced)
    this.unsynced = []
    this.settle(queue.lastSerial)
    onHalted()
  }

  /** Does the same for a disk that does not answer: whether it has written anything is not waited for. */
  giveUp(error: unknown): void {
    const { queue, series, onFailure, onLost } = this.options
    this.isHalted = true
    onFailure(error, queue.takeAll())
    onLost(this.unsynced)
    this.unsynced = []
    this.settle(queue.lastSerial)
    series.giveUp()
  }

  private async work(): Promise<void> {
    const { queue, series, onWritten } = this.options
    try {
      for (let block = queue.oldest; block !== undefined && !this.isHalted; block = queue.oldest) {
        await series.write(block)
        // Given up meanwhile: it was counted as lost, and the queue is no longer ours.
        if (this.isHalted) return
        this.unsynced.push(block)
        queue.release()
        onWritten()
        await this.syncIfDue(block.serial)
      }
    } catch (error) {
      if (!this.isHalted) await this.fail(error)
    }
  }

  private async syncIfDue(serial: number): Promise<void> {
    const { queue, series, syncMs, now } = this.options
    const isAwaited = this.waiters.some((waiter) => waiter.serial <= serial)
    if (!queue.isIdle && !isAwaited && Math.abs(now() - this.syncedAtMs) < syncMs) return
    await series.sync()
    if (this.isHalted) return
    this.syncedAtMs = now()
    this.unsynced = []
    this.settle(serial)
  }

  private settle(serial: number): void {
    this.settledSerial = serial
    const done = this.waiters.filter((waiter) => waiter.serial <= serial)
    this.waiters = this.waiters.filter((waiter) => waiter.serial > serial)
    for (const { resolve } of done) resolve()
  }
}
