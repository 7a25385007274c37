import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { crc32, deflate } from 'node:zlib'
import { chainDigest, encodeBlockHeader } from './block-header.ts'
import type { RecordBlock } from './record-block.ts'
import { encodeHead, encodeTrailer, FOOTER_MAGIC, headDigest } from './segment-format.ts'

/** What a segment needs of a file; a `FileHandle` has it. */
export interface AppendableFile {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number
  ): Promise<{ bytesWritten: number }>
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

/** Creates a file that must not exist yet. */
export type OpenFile = (path: string) => Promise<AppendableFile>

/** The fastest level: the others gain a few percent of the size for several times the processor. */
const LEVEL = 1
/** What zlib hands out at once. Its default of 16 KiB would cost a trip to the thread pool for each. */
const CHUNK_BYTES = 128 << 10
const compress = promisify<Buffer, { level: number; chunkSize: number }, Buffer>(deflate)

/** Creates a file whose name outlives a power cut too. */
export async function createFile(path: string): Promise<AppendableFile> {
  const file = await open(path, 'wx')
  try {
    const folder = await open(dirname(path), 'r')
    await folder.datasync().finally(() => folder.close())
  } catch (error) {
    await file.close()
    throw error
  }
  return file
}

/**
 * One segment that is being written. The caller does one thing at a time and, when one rejects, calls `abandon`: what
 * was written whole before stays.
 */
export class SegmentFile {
  readonly name: string
  private readonly file: AppendableFile
  /** End of what was written whole. */
  private end = 0
  private digest: Buffer
  private readonly headers: Buffer[] = []
  private records = 0
  private fromMs = Number.POSITIVE_INFINITY
  private toMs = Number.NEGATIVE_INFINITY

  private constructor(name: string, file: AppendableFile, head: Buffer) {
    this.name = name
    this.file = file
    this.digest = headDigest(head)
  }

  static async create(path: string, name: string, journal: string, openFile: OpenFile): Promise<SegmentFile> {
    const head = encodeHead(journal)
    const segment = new SegmentFile(name, await openFile(path), head)
    try {
      await segment.write(head)
    } catch (error) {
      await segment.abandon()
      throw error
    }
    return segment
  }

  get bytes(): number {
    return this.end
  }

  get isBare(): boolean {
    return this.headers.length === 0
  }

  /** Compresses and writes a block. */
  async append(block: RecordBlock): Promise<void> {
    const { raw } = block
    const compressed = await compress(raw, { level: LEVEL, chunkSize: CHUNK_BYTES })
    const digest = chainDigest(this.digest, raw)
    const header = encodeBlockHeader(block, {
      block: this.headers.length,
      compressedBytes: compressed.length,
      recordsBefore: this.records,
      previousDigest: this.digest,
      digest
    })
    await this.write(header, compressed)
    this.digest = digest
    this.headers.push(header)
    this.records += block.records
    this.fromMs = Math.min(this.fromMs, block.fromMs)
    this.toMs = Math.max(this.toMs, block.toMs)
  }

  /** Resolves when everything written is on the disk. */
  sync(): Promise<void> {
    return this.file.datasync()
  }

  /** Writes the footer and closes the file. */
  async seal(): Promise<void> {
    const index = await compress(Buffer.concat(this.headers), { level: LEVEL, chunkSize: CHUNK_BYTES })
    const trailer = encodeTrailer({
      footerAt: this.end,
      footerBytes: FOOTER_MAGIC.length + index.length,
      footerCrc: crc32(index),
      fromMs: this.fromMs,
      toMs: this.toMs,
      records: this.records,
      blocks: this.headers.length,
      digest: this.digest
    })
    await this.write(FOOTER_MAGIC, index, trailer)
    await this.file.datasync()
    await this.file.close()
  }

  /**
   * Cuts off what was not written whole and closes the file, as far as the disk still obeys; returns whether the whole
   * blocks are on the disk.
   */
  async abandon(): Promise<boolean> {
    await this.file.truncate(this.end).catch(() => {})
    const isSynced = await this.file.datasync().then(
      () => true,
      () => false
    )
    await this.file.close().catch(() => {})
    return isSynced
  }

  private async write(...parts: Buffer[]): Promise<void> {
    let position = this.end
    for (const part of parts) position = await writeWhole(this.file, part, position)
    this.end = position
  }
}

/** Shows that a file can hold that many bytes. The caller deletes it. */
export async function probeFile(path: string, bytes: number, openFile: OpenFile): Promise<void> {
  const file = await openFile(path)
  try {
    await writeWhole(file, Buffer.alloc(bytes), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** A disk that fills up takes a part first, and says why with the next try. Returns where the bytes end. */
async function writeWhole(file: AppendableFile, bytes: Buffer, position: number): Promise<number> {
  let written = 0
  while (written < bytes.length) {
    const left = bytes.length - written
    written += (await file.write(bytes, written, left, position + written)).bytesWritten
  }
  return position + written
}
