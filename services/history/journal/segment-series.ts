import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../storage/data-dir.ts'
import type { RecordBlock } from './record-block.ts'
import { type OpenFile, probeFile, SegmentFile } from './segment-file.ts'
import { segmentName, segmentStartMs } from './segment-name.ts'

export interface SegmentSeriesOptions {
  folder: string
  name: string
  /** A segment that has so many bytes is followed by the next, whatever the hour. */
  segmentBytes: number
  openFile: OpenFile
  now: () => number
}

export const HOUR_MS = 3_600_000
/** A name that two processes chose in the same millisecond: the next free one is not far. */
const NAME_TRIES = 100

/** Returns when the UTC hour of a time began. */
export function hourOf(atMs: number): number {
  return atMs - (atMs % HOUR_MS)
}

/** The segments that one run writes, one after the other: a new one with each UTC hour, and after each failure. */
export class SegmentSeries {
  /** Segments begun. */
  segments = 0
  /** Bytes of all that was written. */
  bytesWritten = 0
  private readonly options: SegmentSeriesOptions
  private readonly path: string
  private current: { file: SegmentFile; hourMs: number } | null = null
  private last: string | null = null
  private isGivenUp = false

  constructor(options: SegmentSeriesOptions) {
    this.options = options
    this.path = join(options.folder, options.name)
  }

  /** Makes the folder and learns which names are behind us. */
  async prepare(): Promise<void> {
    makeFolder(this.path)
    const names = (await readdir(this.path)).filter((name) => segmentStartMs(name) !== null)
    this.last = names.sort().at(-1) ?? null
  }

  /** Writes a block; it is safe after the next `sync`, or after the call that seals its segment. */
  async write(block: RecordBlock): Promise<void> {
    const hourMs = hourOf(block.toMs)
    if (this.current !== null && this.mustRotate(this.current, hourMs)) await this.seal()
    this.current ??= { file: await this.create(), hourMs }
    const { file } = this.current
    // Then `append` rejects: nobody waits for it any more, but the file is closed.
    if (this.isGivenUp) await this.abandon()
    const before = file.bytes
    await file.append(block)
    this.bytesWritten += file.bytes - before
  }

  async sync(): Promise<void> {
    await this.current?.file.sync()
  }

  /** Ends the segment that is being written, if any. */
  async seal(): Promise<void> {
    const sealed = this.current?.file
    if (sealed === undefined) return
    const before = sealed.bytes
    await sealed.seal()
    this.bytesWritten += sealed.bytes - before
    this.current = null
  }

  /** Gives up the segment that is being written; returns whether its whole blocks are on the disk. */
  async abandon(): Promise<boolean> {
    const file = this.current?.file
    this.current = null
    if (file === undefined) return true
    const isSynced = await file.abandon()
    if (file.isBare) await rm(join(this.path, file.name), { force: true }).catch(() => {})
    return isSynced
  }

  /** Gives up for good, without waiting for a disk that may never answer; a file that is being made is closed then. */
  giveUp(): void {
    this.isGivenUp = true
    void this.abandon()
  }

  /** Rejects while the disk would not take a block of that many bytes. */
  async probe(bytes: number): Promise<void> {
    const path = join(this.path, 'probe.tmp')
    await rm(path, { force: true })
    try {
      await probeFile(path, bytes, this.options.openFile)
    } finally {
      await rm(path, { force: true })
    }
  }

  /** Clocks are set back now and then: an hour that is over begins anew only if it is well over. */
  private mustRotate(current: { file: SegmentFile; hourMs: number }, hourMs: number): boolean {
    const isOtherHour = hourMs > current.hourMs || hourMs < current.hourMs - HOUR_MS
    return isOtherHour || current.file.bytes >= this.options.segmentBytes
  }

  private async create(): Promise<SegmentFile> {
    const { name: journal, openFile, now } = this.options
    for (let tries = 1; ; tries++) {
      const name = segmentName(now(), this.last)
      this.last = name
      const path = join(this.path, name)
      try {
        const file = await SegmentFile.create(path, name, journal, openFile)
        this.segments++
        this.bytesWritten += file.bytes
        return file
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST'
        if (isTaken && tries < NAME_TRIES) continue
        // A file without a whole head is of no use to anyone; one that another process made is not ours.
        if (!isTaken) await rm(path, { force: true }).catch(() => {})
        throw error
      }
    }
  }
}
