import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { openSegment, readIndex, readTrailer, type SegmentIndex } from './segment-index.ts'
import { segmentStartMs } from './segment-name.ts'

export interface SegmentSummary {
  name: string
  bytes: number
  /** Lowest and highest time of its records; of one without records, when it began. */
  fromMs: number
  toMs: number
  records: number
  isSealed: boolean
  /** Of a sealed segment: SHA-256 over all it holds, hexadecimal. */
  digest: string | null
}

/** Of indices, which hold each block's keys. */
const CACHE_BYTES_MAX = 64 << 20
/** What a block takes in an index besides its keys, roughly. */
const BLOCK_BYTES = 600

/** The segments of one journal and, kept as far as memory allows, where their blocks are. */
export class SegmentCatalog {
  readonly path: string
  /** A sealed segment never changes; of others the scan is kept, and goes on where the file has grown. */
  private readonly indices = new LRUCache<string, SegmentIndex>({
    maxSize: CACHE_BYTES_MAX,
    sizeCalculation: sizeOf
  })
  private summaries = new Map<string, SegmentSummary>()

  constructor(folder: string, name: string) {
    this.path = join(folder, name)
  }

  /** Names of the segments, in the order in which they were written. */
  async names(): Promise<string[]> {
    try {
      const names = await readdir(this.path)
      return names.filter((name) => segmentStartMs(name) !== null).sort()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  /** All segments, in the order in which they were written. */
  async list(): Promise<SegmentSummary[]> {
    const known = new Map<string, SegmentSummary>()
    for (const name of await this.names()) {
      const summary = this.summaries.get(name) ?? (await this.summarise(name))
      if (summary !== null) known.set(name, summary)
    }
    this.summaries = new Map([...known].filter(([, { isSealed }]) => isSealed))
    return [...known.values()]
  }

  /** Where the blocks of a segment are; null if it is gone. */
  async index(name: string): Promise<SegmentIndex | null> {
    const known = this.indices.get(name)
    if (known !== undefined && known.trailer !== null) return known
    const file = await openSegment(join(this.path, name))
    if (file === null) return null
    try {
      // Taken out, so that two calls at once do not carry on the same scan.
      this.indices.delete(name)
      const index = await readIndex(file, known?.scan ?? undefined)
      this.indices.set(name, index)
      return index
    } finally {
      await file.close()
    }
  }

  private async summarise(name: string): Promise<SegmentSummary | null> {
    const file = await openSegment(join(this.path, name))
    if (file === null) return null
    try {
      const { size } = await file.stat()
      const trailer = await readTrailer(file, size)
      if (trailer !== null) {
        const { fromMs, toMs, records, digest } = trailer
        return { name, bytes: size, fromMs, toMs, records, isSealed: true, digest: digest.toString('hex') }
      }
    } finally {
      await file.close()
    }
    const index = await this.index(name)
    return index === null ? null : summariseBlocks(name, index)
  }
}

function summariseBlocks(name: string, { size, blocks }: SegmentIndex): SegmentSummary {
  const startMs = segmentStartMs(name) ?? 0
  let fromMs = blocks[0]?.fromMs ?? startMs
  let toMs = blocks[0]?.toMs ?? startMs
  let records = 0
  for (const block of blocks) {
    fromMs = Math.min(fromMs, block.fromMs)
    toMs = Math.max(toMs, block.toMs)
    records += block.records
  }
  return { name, bytes: size, fromMs, toMs, records, isSealed: false, digest: null }
}

function sizeOf({ blocks }: SegmentIndex): number {
  return blocks.reduce((bytes, block) => bytes + BLOCK_BYTES + block.keys.length, 1)
}
