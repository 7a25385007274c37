import type { FileHandle } from 'node:fs/promises'
import {
  BLOCK_MAGIC,
  type BlockHeader,
  decodeBlockHeader,
  HEADER_BYTES_MIN,
  headerLength
} from './block-header.ts'
import { decodeHead, FOOTER_MAGIC, HEAD_BYTES_MAX, type SegmentHead } from './segment-format.ts'

/** A block and where its header begins in the file. */
export interface PlacedBlock extends BlockHeader {
  at: number
}

/** What a walk over a segment's headers found. */
export interface SegmentScan {
  /** Null when it is damaged: the blocks can be read all the same. */
  head: SegmentHead | null
  blocks: PlacedBlock[]
  /** Bytes between two blocks that are neither; the index in `blocks` of the one behind them. */
  damages: { at: number; nextBlock: number }[]
  /** Where what comes next begins. */
  end: number
  /** What is there: nothing; a block that was not written whole, or is still being written; a footer. */
  tail: 'nothing' | 'torn' | 'footer'
}

/** Most headers fit, so that one read is enough. */
const HEADER_GUESS_BYTES = 4096
const SEARCH_BYTES = 256 << 10

/** Returns up to that many bytes of a file: fewer at its end. */
export async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, at + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

/** Walks the headers of a segment up to `size`, without decompressing anything; `known` is an earlier walk to go on from. */
export async function scanSegment(file: FileHandle, size: number, known?: SegmentScan): Promise<SegmentScan> {
  // An earlier walk may have come before the head was written whole.
  const scan = known === undefined || known.head === null ? await beginScan(file) : known
  scan.tail = 'nothing'
  while (scan.end < size) {
    const header = await readHeader(file, scan.end, size)
    if (header !== null) {
      const next = scan.end + header.headerBytes + header.compressedBytes
      if (next > size) {
        scan.tail = 'torn'
        break
      }
      scan.blocks.push({ ...header, at: scan.end })
      scan.end = next
      continue
    }
    const magic = await readAt(file, scan.end, FOOTER_MAGIC.length)
    const found = magic.equals(FOOTER_MAGIC) ? null : await findHeader(file, scan.end + 1, size)
    if (found === null) {
      scan.tail = magic.equals(FOOTER_MAGIC) ? 'footer' : 'torn'
      break
    }
    scan.damages.push({ at: scan.end, nextBlock: scan.blocks.length })
    scan.end = found
  }
  return scan
}

async function beginScan(file: FileHandle): Promise<SegmentScan> {
  const head = decodeHead(await readAt(file, 0, HEAD_BYTES_MAX))
  return { head, blocks: [], damages: [], end: head?.headBytes ?? 0, tail: 'nothing' }
}

async function readHeader(file: FileHandle, at: number, size: number): Promise<BlockHeader | null> {
  if (at + HEADER_BYTES_MIN > size) return null
  let bytes = await readAt(file, at, Math.min(HEADER_GUESS_BYTES, size - at))
  const length = headerLength(bytes)
  if (length === null || at + length > size) return null
  if (length > bytes.length) bytes = await readAt(file, at, length)
  // A copy, so that an index does not keep what was read beyond the header.
  return decodeBlockHeader(Buffer.from(bytes.subarray(0, length)))
}

/** Returns where the next header begins that is whole, or null if there is none. */
async function findHeader(file: FileHandle, from: number, size: number): Promise<number | null> {
  for (let start = from; start < size; start += SEARCH_BYTES) {
    // A magic may lie across the end of a window.
    const bytes = await readAt(file, start, SEARCH_BYTES + BLOCK_MAGIC.length - 1)
    for (let hit = bytes.indexOf(BLOCK_MAGIC); hit !== -1; hit = bytes.indexOf(BLOCK_MAGIC, hit + 1)) {
      if ((await readHeader(file, start + hit, size)) !== null) return start + hit
    }
  }
  return null
}
