import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { RECORD_KINDS, type RecordKind } from './record.ts'

/**
 * A segment is a head, blocks (each a header and its compressed records), and once it is sealed a footer: the headers of
 * all its blocks again, compressed, and a trailer of a fixed size. Numbers are little endian.
 */
export interface SegmentHead {
  journal: string
  /** What the numbers of kinds mean in this segment. */
  kinds: readonly RecordKind[]
  /** Bytes of the head in the file. */
  headBytes: number
  /** What the digest of the first block is chained to. */
  digest: Buffer
}

/** Of a sealed segment. */
export interface SegmentTrailer {
  /** Where the footer begins in the file. */
  footerAt: number
  footerBytes: number
  footerCrc: number
  fromMs: number
  toMs: number
  records: number
  blocks: number
  /** Of the last block, hence of everything before it. */
  digest: Buffer
}

const HEAD_MAGIC = Buffer.from('XBJRNL1\n')
/** Starts a footer, so that who walks the blocks knows where they end. */
export const FOOTER_MAGIC = Buffer.from('XBFOOT1\n')
export const TRAILER_MAGIC = Buffer.from('XBSEAL1\n')
/** The magic and the length of the description. */
const HEAD_FIXED_BYTES = 12
export const TRAILER_BYTES = 88
/** A head is shorter than this. */
export const HEAD_BYTES_MAX = 4096

/** Returns the head of a new segment; it describes the format in JSON, for whoever finds the file alone. */
export function encodeHead(journal: string): Buffer {
  const description = Buffer.from(
    JSON.stringify({
      format: 'crossbook-journal',
      version: 1,
      journal,
      kinds: RECORD_KINDS,
      blocks: 'deflate'
    })
  )
  const head = Buffer.alloc(HEAD_FIXED_BYTES + description.length + 4)
  HEAD_MAGIC.copy(head)
  head.writeUInt32LE(description.length, 8)
  description.copy(head, HEAD_FIXED_BYTES)
  head.writeUInt32LE(crc32(head.subarray(0, -4)), head.length - 4)
  return head
}

/** Returns the head at the start of a file, or null if it is not whole. */
export function decodeHead(bytes: Buffer): SegmentHead | null {
  if (bytes.length < HEAD_FIXED_BYTES || !bytes.subarray(0, 8).equals(HEAD_MAGIC)) return null
  const end = HEAD_FIXED_BYTES + bytes.readUInt32LE(8)
  if (bytes.length < end + 4 || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return null
  const { journal, kinds } = JSON.parse(bytes.toString('utf8', HEAD_FIXED_BYTES, end)) as SegmentHead
  return { journal, kinds, headBytes: end + 4, digest: headDigest(bytes.subarray(0, end + 4)) }
}

/** Returns what the first block of a segment is chained to. */
export function headDigest(head: Uint8Array): Buffer {
  return createHash('sha256').update(head).digest()
}

/** Returns the trailer of a segment, ready to be written. */
export function encodeTrailer(trailer: SegmentTrailer): Buffer {
  const bytes = Buffer.alloc(TRAILER_BYTES)
  bytes.writeDoubleLE(trailer.footerAt, 0)
  bytes.writeUInt32LE(trailer.footerBytes, 8)
  bytes.writeUInt32LE(trailer.footerCrc, 12)
  bytes.writeDoubleLE(trailer.fromMs, 16)
  bytes.writeDoubleLE(trailer.toMs, 24)
  bytes.writeDoubleLE(trailer.records, 32)
  bytes.writeUInt32LE(trailer.blocks, 40)
  trailer.digest.copy(bytes, 44)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76)
  TRAILER_MAGIC.copy(bytes, 80)
  return bytes
}

/** Returns the trailer that these last bytes of a file are, or null if the segment is not sealed. */
export function decodeTrailer(bytes: Buffer): SegmentTrailer | null {
  if (bytes.length !== TRAILER_BYTES || !bytes.subarray(80).equals(TRAILER_MAGIC)) return null
  if (crc32(bytes.subarray(0, 76)) !== bytes.readUInt32LE(76)) return null
  return {
    footerAt: bytes.readDoubleLE(0),
    footerBytes: bytes.readUInt32LE(8),
    footerCrc: bytes.readUInt32LE(12),
    fromMs: bytes.readDoubleLE(16),
    toMs: bytes.readDoubleLE(24),
    records: bytes.readDoubleLE(32),
    blocks: bytes.readUInt32LE(40),
    digest: Buffer.from(bytes.subarray(44, 76))
  }
}
