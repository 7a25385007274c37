import { type FileHandle, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { crc32, inflate } from 'node:zlib'
import { chainDigest, decodeBlockHeader } from './block-header.ts'
import { RECORD_KINDS, type RecordKind } from './record.ts'
import {
  decodeHead,
  decodeTrailer,
  FOOTER_MAGIC,
  HEAD_BYTES_MAX,
  type SegmentHead,
  type SegmentTrailer,
  TRAILER_BYTES
} from './segment-format.ts'
import { type PlacedBlock, readAt, type SegmentScan, scanSegment } from './segment-scan.ts'

/** Where the blocks of a segment are. */
export interface SegmentIndex {
  /** Bytes of the file. */
  size: number
  kinds: readonly RecordKind[]
  blocks: readonly PlacedBlock[]
  /** Null while the segment is being written, and for ever if its writer was killed. */
  trailer: SegmentTrailer | null
  /** How it was found where there is no valid footer; to be gone on from when the file has grown. */
  scan: SegmentScan | null
}

const decompress = promisify<Buffer, { maxOutputLength?: number }, Buffer>(inflate)

/** Opens a segment to read; null if it is gone, as pruned ones are. */
export async function openSegment(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Returns the trailer of a segment, or null if it is not sealed. */
export async function readTrailer(file: FileHandle, size: number): Promise<SegmentTrailer | null> {
  if (size < TRAILER_BYTES) return null
  const trailer = decodeTrailer(await readAt(file, size - TRAILER_BYTES, TRAILER_BYTES))
  const isInPlace = trailer !== null && trailer.footerAt + trailer.footerBytes + TRAILER_BYTES === size
  return isInPlace ? trailer : null
}

/** Reads where the blocks of a segment are: from its footer if that is whole, else from the header of each block. */
export async function readIndex(file: FileHandle, known?: SegmentScan): Promise<SegmentIndex> {
  const { size } = await file.stat()
  const trailer = await readTrailer(file, size)
  if (trailer !== null) {
    const head = decodeHead(await readAt(file, 0, HEAD_BYTES_MAX))
    const blocks = await readFooter(file, trailer, head)
    if (blocks !== null) return { size, kinds: head?.kinds ?? RECORD_KINDS, blocks, trailer, scan: null }
  }
  const scan = await scanSegment(file, trailer?.footerAt ?? size, known)
  return { size, kinds: scan.head?.kinds ?? RECORD_KINDS, blocks: scan.blocks, trailer, scan }
}

/** Returns the raw bytes of a block, or null if they are not what was written. */
export async function readBlock(file: FileHandle, block: PlacedBlock): Promise<Buffer | null> {
  const raw = await readAt(file, block.at + block.headerBytes, block.compressedBytes)
    .then((compressed) => decompress(compressed, { maxOutputLength: block.rawBytes }))
    // A sector that cannot be read is damage like any other.
    .catch(() => null)
  if (raw === null || raw.length !== block.rawBytes) return null
  return chainDigest(block.previousDigest, raw).equals(block.digest) ? raw : null
}

/** Returns the blocks that a footer lists, or null if it is not whole. */
async function readFooter(
  file: FileHandle,
  trailer: SegmentTrailer,
  head: SegmentHead | null
): Promise<PlacedBlock[] | null> {
  const footer = await readAt(file, trailer.footerAt, trailer.footerBytes)
  const compressed = footer.subarray(FOOTER_MAGIC.length)
  if (!footer.subarray(0, FOOTER_MAGIC.length).equals(FOOTER_MAGIC)) return null
  if (crc32(compressed) !== trailer.footerCrc) return null
  const headers = await decompress(compressed, {})
  const blocks: PlacedBlock[] = []
  let at = head?.headBytes ?? 0
  for (let read = 0; read < headers.length; ) {
    const header = decodeBlockHeader(headers.subarray(read))
    if (header === null) return null
    blocks.push({ ...header, at })
    read += header.headerBytes
    at += header.headerBytes + header.compressedBytes
  }
  if (at === trailer.footerAt) return blocks
  // The head is damaged, so that its length is not known; but the last block ends where the footer begins.
  const shift = trailer.footerAt - at
  return blocks.map((block) => ({ ...block, at: block.at + shift }))
}
