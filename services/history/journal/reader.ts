import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { DIGEST_BYTES, findKey } from './block-header.ts'
import type { JournalHole, JournalPosition, JournalRecord } from './record.ts'
import { decodeRecords } from './record-block.ts'
import { SegmentCatalog, type SegmentSummary } from './segment-catalog.ts'
import { openSegment, readBlock } from './segment-index.ts'
import { segmentStartMs } from './segment-name.ts'
import type { PlacedBlock } from './segment-scan.ts'
import { verifySegment } from './verify.ts'

export interface JournalReaderOptions {
  folder: string
  name: string
  /**
   * Told of what `records` had to leave out of the range, as it comes to it: blocks that are damaged or missing, and
   * segments that are gone. Not of the torn end of a segment that nobody sealed.
   */
  onHole?: (hole: JournalHole) => void
  /** Of raw blocks that are kept, for who asks for the same ones again; 0 if not given. */
  keptBytes?: number
}

export interface JournalRange {
  /** Half-open: from is inside, to is not. */
  fromMs: number
  toMs: number
  /** Where to begin, as `findLast` returned it. */
  start?: JournalPosition
}

/** The records of one block. */
export interface JournalBatch {
  position: JournalPosition
  records: JournalRecord[]
}

/** Reads a journal that is, or was, written by any process: what its writer has flushed is there. */
export class JournalReader {
  private readonly options: JournalReaderOptions
  private readonly catalog: SegmentCatalog
  /** By their digest: one that was read whole stays what it is. */
  private readonly blocks: LRUCache<string, Buffer> | null

  constructor(options: JournalReaderOptions) {
    this.options = options
    this.catalog = new SegmentCatalog(options.folder, options.name)
    const { keptBytes: maxSize = 0 } = options
    const sizeCalculation = ({ length }: Buffer) => length + DIGEST_BYTES
    this.blocks = maxSize === 0 ? null : new LRUCache({ maxSize, sizeCalculation })
  }

  /** The records of a range in the order in which they were appended, block by block. Damaged blocks are left out. */
  async *records({ fromMs, toMs, start }: JournalRange): AsyncGenerator<JournalBatch> {
    for (const segment of await this.catalog.list()) {
      if (start !== undefined && segment.name < start.segment) continue
      if (!overlaps(segment, fromMs, toMs)) continue
      const firstBlock = start?.segment === segment.name ? start.block : 0
      yield* this.segmentRecords(segment, firstBlock, fromMs, toMs)
    }
  }

  /** The last block that has the key, holds one of its records at or before a time and can be read; null if none. */
  async findLast(key: string, atMs: number): Promise<JournalPosition | null> {
    for (const { name, fromMs } of (await this.catalog.list()).reverse()) {
      const index = fromMs <= atMs ? await this.catalog.index(name) : null
      for (const block of index?.blocks.toReversed() ?? []) {
        if (!hasKeyBefore(block, key, atMs)) continue
        if (await this.isReadable(name, block)) return { segment: name, block: block.block }
      }
    }
    return null
  }

  /** Time of the first record that has the key; null if none. */
  async findFirst(key: string): Promise<number | null> {
    for (const { name } of await this.catalog.list()) {
      const index = await this.catalog.index(name)
      for (const { keys } of index?.blocks ?? []) {
        const span = findKey(keys, key)
        if (span !== null) return span.fromMs
      }
    }
    return null
  }

  /** Times of the first and the last record, both included; null when there is none. */
  async span(): Promise<{ fromMs: number; toMs: number } | null> {
    const segments = (await this.catalog.list()).filter(({ records }) => records > 0)
    if (segments.length === 0) return null
    return {
      fromMs: segments.reduce((least, { fromMs }) => Math.min(least, fromMs), Number.POSITIVE_INFINITY),
      toMs: segments.reduce((most, { toMs }) => Math.max(most, toMs), Number.NEGATIVE_INFINITY)
    }
  }

  /** In the order in which they were written. */
  segments(): Promise<SegmentSummary[]> {
    return this.catalog.list()
  }

  /** Reads everything and checks every digest; returns what is missing or damaged, oldest first. */
  async verify(): Promise<JournalHole[]> {
    const holes: JournalHole[] = []
    for (const name of await this.catalog.names()) {
      holes.push(...(await verifySegment(this.catalog.path, name, this.options.name)))
    }
    return holes
  }

  private async *segmentRecords(
    { name, ...whole }: SegmentSummary,
    firstBlock: number,
    fromMs: number,
    toMs: number
  ): AsyncGenerator<JournalBatch> {
    const index = await this.catalog.index(name)
    const file = await openSegment(join(this.catalog.path, name))
    if (index === null || file === null) {
      await file?.close()
      this.tellHole(whole)
      return
    }
    const tellMissing = (records: number, hole: { fromMs: number; toMs: number }) => {
      if (records > 0 && overlaps(hole, fromMs, toMs)) this.tellHole({ ...hole, records })
    }
    let known = 0
    let knownMs = Math.min(segmentStartMs(name) ?? whole.fromMs, whole.fromMs)
    try {
      for (const block of index.blocks) {
        // One whose header is damaged is not in the index: the next one says how many records came before it.
        tellMissing(block.recordsBefore - known, { fromMs: knownMs, toMs: block.fromMs })
        known = block.recordsBefore + block.records
        knownMs = block.toMs
        if (block.block < firstBlock || !overlaps(block, fromMs, toMs)) continue
        // Reading and decompressing are done elsewhere: the event loop turns between blocks.
        const raw = await this.rawBlock(file, block)
        const isTorn = index.trailer === null && block === index.blocks.at(-1)
        if (raw === null && !isTorn) this.tellHole(block)
        const records = raw === null ? [] : decodeRecords(raw, index.kinds, fromMs, toMs)
        if (records.length > 0) yield { position: { segment: name, block: block.block }, records }
      }
      if (index.trailer !== null)
        tellMissing(index.trailer.records - known, { fromMs: knownMs, toMs: index.trailer.toMs })
    } finally {
      await file.close()
    }
  }

  private async isReadable(name: string, block: PlacedBlock): Promise<boolean> {
    const file = await openSegment(join(this.catalog.path, name))
    if (file === null) return false
    try {
      return (await this.rawBlock(file, block)) !== null
    } finally {
      await file.close()
    }
  }

  private async rawBlock(file: FileHandle, block: PlacedBlock): Promise<Buffer | null> {
    if (this.blocks === null) return readBlock(file, block)
    const key = block.digest.toString('latin1')
    const known = this.blocks.get(key)
    if (known !== undefined) return known
    const raw = await readBlock(file, block)
    if (raw !== null) this.blocks.set(key, raw)
    return raw
  }

  private tellHole({ fromMs, toMs, records }: Omit<JournalHole, 'journal' | 'reason'>): void {
    this.options.onHole?.({ journal: this.options.name, fromMs, toMs, records, reason: 'corrupt' })
  }
}

function overlaps(stretch: { fromMs: number; toMs: number }, fromMs: number, toMs: number): boolean {
  return stretch.toMs >= fromMs && stretch.fromMs < toMs
}

function hasKeyBefore({ fromMs, keys }: PlacedBlock, key: string, atMs: number): boolean {
  if (fromMs > atMs) return false
  const span = findKey(keys, key)
  return span !== null && span.fromMs <= atMs
}
