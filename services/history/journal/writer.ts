import type { FastifyBaseLogger } from 'fastify'
import { BlockDrain } from './block-drain.ts'
import { BlockQueue } from './block-queue.ts'
import { Losses } from './losses.ts'
import type { JournalHole, RecordKind } from './record.ts'
import { RECORD_HEADER_BYTES, type RecordBlock } from './record-block.ts'
import { createFile, type OpenFile } from './segment-file.ts'
import { HOUR_MS, hourOf, SegmentSeries } from './segment-series.ts'
import { within } from './within.ts'

export interface JournalWriterOptions {
  folder: string
  /** Of the journal, and of its folder in `folder`. */
  name: string
  /** On disk after this time at the latest. */
  flushMs: number
  /** What is compressed at once, before compression; 256 KiB. Larger loses more when a byte is damaged. */
  blockBytes?: number
  /** Bounds what waits for compression and the disk; 64 blocks. Beyond it records are dropped and told as a hole. */
  pendingBlocksMax?: number
  /** A segment of so many bytes is followed by the next before the hour is over; 128 MiB. Only whole ones are pruned. */
  segmentBytes?: number
  /** How long after a failure the disk is tried again, and after each try; 3 s. */
  retryMs?: number
  /** What `stop` waits for the disk at most; 5 s. What is not written then is lost, and told as a hole. */
  stopMs?: number
  /** Told once for each hole, when it ends and its bounds are known. */
  onHole: (hole: JournalHole) => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>
  now?: () => number
  /** How a segment's file is made; it must not exist yet. */
  openFile?: OpenFile
}

export interface JournalWriterStatus {
  /** Taken in, not counting those that were lost before they came to a block. */
  records: number
  /** Of those, before compression. */
  bytes: number
  /** In files. */
  bytesWritten: number
  /** Taken in and not yet written. */
  pendingBytes: number
  /** Age of the oldest record that is not on the disk; 0 when all is. */
  lagMs: number
  segments: number
  holes: number
  lostRecords: number
  state: 'ok' | 'disk_full' | 'failed' | 'stopped'
}

/**
 * Writes a journal: records are copied into blocks, and a block is compressed and appended to the segment of its hour.
 * Whoever appends never waits and gets no error: what cannot be kept is counted and told as a hole.
 */
export class JournalWriter {
  private readonly options: Required<JournalWriterOptions>
  private readonly log: JournalWriterOptions['log']
  private readonly queue: BlockQueue
  private readonly series: SegmentSeries
  private readonly drain: BlockDrain
  private readonly losses: Losses
  private records = 0
  private bytes = 0
  private state: JournalWriterStatus['state'] = 'stopped'
  private starting: Promise<void> | null = null
  private stopping: Promise<void> | null = null
  /** When the hour of the current block is over. */
  private untilMs = 0
  /** The current block is due, but too many wait. */
  private isDue = false
  private dueTimer: NodeJS.Timeout | undefined
  private retryTimer: NodeJS.Timeout | undefined

  constructor(options: JournalWriterOptions) {
    this.options = {
      blockBytes: 256 << 10,
      pendingBlocksMax: 64,
      segmentBytes: 128 << 20,
      retryMs: 3_000,
      stopMs: 5_000,
      now: Date.now,
      openFile: createFile,
      ...options
    }
    this.log = this.options.log
    this.queue = new BlockQueue(this.options.blockBytes, this.options.pendingBlocksMax)
    this.series = new SegmentSeries(this.options)
    this.drain = new BlockDrain({
      queue: this.queue,
      series: this.series,
      syncMs: this.options.flushMs / 2,
      now: this.options.now,
      onWritten: () => this.useRoom(),
      onFailure: (error, lost) => this.beginFailure(error, lost),
      onLost: (lost) => this.losses.addBlocks(lost),
      onHalted: () => this.retryLater()
    })
    this.losses = new Losses(this.options)
  }

  /** Makes the folder and begins to write. It never rejects: a folder that cannot be made is tried again. */
  start(): Promise<void> {
    this.starting ??= this.stopping ?? this.begin()
    return this.starting
  }

  /** Appends a copy of a body. `key` makes the block findable by `findLast`. */
  append(kind: RecordKind, atMs: number, connection: number, body: Uint8Array, key?: string): void {
    const bytes = RECORD_HEADER_BYTES + body.length
    const block = this.isDropping ? null : this.findRoom(atMs, bytes)
    if (block === null) {
      this.drop(atMs)
      return
    }
    block.append(kind, atMs, connection, body)
    if (key !== undefined) block.addKey(key, atMs)
    this.records++
    this.bytes += bytes
  }

  /** Appends a text, as UTF-8. */
  appendText(kind: RecordKind, atMs: number, connection: number, text: string, key?: string): void {
    const { current } = this.queue
    const bytesMax = RECORD_HEADER_BYTES + 3 * text.length
    // Near the end of a block and for huge texts the exact length is worth a copy.
    if (current.length + bytesMax > current.capacity) {
      this.append(kind, atMs, connection, Buffer.from(text), key)
      return
    }
    const block = this.isDropping ? null : this.findRoom(atMs, bytesMax)
    if (block === null) {
      this.drop(atMs)
      return
    }
    const before = block.length
    block.appendText(kind, atMs, connection, text)
    if (key !== undefined) block.addKey(key, atMs)
    this.records++
    this.bytes += block.length - before
  }

  /** Resolves when everything appended before is on the disk, or lost and counted. */
  flush(): Promise<void> {
    const serial = this.queue.lastSerial
    this.handOver()
    return this.drain.settled(serial)
  }

  status(): JournalWriterStatus {
    const { queue, series, losses } = this
    const oldest = this.drain.oldest ?? (queue.current.records > 0 ? queue.current : undefined)
    return {
      records: this.records,
      bytes: this.bytes,
      bytesWritten: series.bytesWritten,
      pendingBytes: queue.waitingBytes + queue.current.length,
      lagMs: oldest === undefined ? 0 : Math.max(0, this.options.now() - oldest.openedAtMs),
      segments: series.segments,
      holes: losses.holes,
      lostRecords: losses.records,
      state: this.state
    }
  }

  /** Writes what is left, seals the segment and ends; within `stopMs`. Records that come later are lost. */
  stop(): Promise<void> {
    this.stopping ??= this.finish()
    return this.stopping
  }

  private get isDropping(): boolean {
    return this.losses.reason !== null || this.stopping !== null
  }

  private async begin(): Promise<void> {
    this.state = 'ok'
    try {
      await this.series.prepare()
      this.drain.resume()
    } catch (error) {
      await this.drain.fail(error)
    }
  }

  /** Returns the block that takes the next record, or null if too many wait. */
  private findRoom(atMs: number, bytes: number): RecordBlock | null {
    const block = this.queue.current
    if (block.records > 0) {
      if (block.length + bytes <= block.capacity && atMs < this.untilMs) return block
      if (!this.handOver()) return null
    }
    this.queue.fit(bytes)
    this.queue.current.openedAtMs = this.options.now()
    this.untilMs = hourOf(atMs) + HOUR_MS
    // Half of the time is for filling a block, half for bringing it to the disk.
    this.dueTimer = setTimeout(() => this.handOver(), this.options.flushMs / 2).unref()
    return this.queue.current
  }

  /** Gives the current block to the drain; if too many wait, it is due as soon as there is room, and it returns false. */
  private handOver(): boolean {
    this.isDue = !this.queue.handOver()
    if (this.isDue) return false
    clearTimeout(this.dueTimer)
    this.drain.run()
    return true
  }

  private drop(atMs: number): void {
    if (!this.isDropping) {
      this.losses.begin('queue_full')
      this.log.warn({ journal: this.options.name }, 'the journal falls behind: records are dropped')
    }
    this.losses.add(atMs)
  }

  private useRoom(): void {
    // Going on with the first free block would end in a hole for each block.
    if (this.losses.reason === 'queue_full' && this.queue.isRelieved) this.losses.end()
    if (this.isDue) this.handOver()
    this.recordHoles()
  }

  private beginFailure(error: unknown, lost: readonly RecordBlock[]): void {
    const { code } = error as NodeJS.ErrnoException
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    clearTimeout(this.dueTimer)
    this.isDue = false
    this.losses.begin(isFull ? 'disk_full' : 'write_failed')
    this.losses.addBlocks(lost)
    this.state = isFull ? 'disk_full' : 'failed'
    this.log.error(
      { err: error, journal: this.options.name },
      'the journal cannot be written: records are dropped until it can'
    )
  }

  private retryLater(): void {
    if (this.stopping !== null) return
    this.retryTimer = setTimeout(() => void this.retry(), this.options.retryMs).unref()
  }

  private async retry(): Promise<void> {
    try {
      await this.series.prepare()
      await this.series.probe(this.options.blockBytes)
    } catch {
      return this.retryLater()
    }
    if (this.stopping !== null) return
    this.state = 'ok'
    this.log.info({ journal: this.options.name }, 'the journal can be written again')
    this.losses.end()
    this.recordHoles()
    this.drain.resume()
  }

  /** Tells the journal itself of its holes, unless there is another one just now. */
  private recordHoles(): void {
    const { unrecorded } = this.losses
    for (let hole = unrecorded[0]; hole !== undefined && this.losses.reason === null; hole = unrecorded[0]) {
      const body = Buffer.from(JSON.stringify(hole))
      const block = this.findRoom(hole.toMs, RECORD_HEADER_BYTES + body.length)
      if (block === null) return
      block.append('hole', hole.toMs, 0, body)
      block.holes.push(hole)
      unrecorded.shift()
    }
  }

  private async finish(): Promise<void> {
    clearTimeout(this.retryTimer)
    const isWritten = await within(this.options.stopMs, this.finishWriting())
    if (!isWritten) this.drain.giveUp(new Error('the disk did not answer in time'))
    this.losses.end()
    clearTimeout(this.dueTimer)
    this.state = 'stopped'
  }

  /** Returns whether all that was taken in is on the disk, or lost and counted. */
  private async finishWriting(): Promise<boolean> {
    await this.starting
    while (!this.queue.isEmpty && !this.drain.isHalted) await this.flush()
    if (!this.queue.isEmpty) return false
    // A failure may still be counting what it cost.
    await this.drain.settled(this.queue.lastSerial)
    try {
      await this.series.seal()
    } catch (error) {
      // Its blocks are on the disk: without the footer it is read all the same.
      this.log.warn({ err: error, journal: this.options.name }, 'the last segment could not be sealed')
      await this.series.abandon()
    }
    return true
  }
}
