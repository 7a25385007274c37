import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { KeySpan, RecordBlock } from './record-block.ts'

/** What stands before each compressed block: enough to find records by time or key without decompressing anything. */
export interface BlockHeader {
  /** Bytes of this header, keys included. */
  headerBytes: number
  /** From 0 in its segment. */
  block: number
  rawBytes: number
  compressedBytes: number
  records: number
  /** Records of the segment before this block: what was lost with blocks between two others is the difference. */
  recordsBefore: number
  /** Lowest and highest time of its records, epoch milliseconds. */
  fromMs: number
  toMs: number
  /** Of the block before, or of the segment's header. Kept here too, so that a lost header spoils no other block. */
  previousDigest: Buffer
  /** SHA-256 of `previousDigest` and the raw bytes. */
  digest: Buffer
  /** Encoded keys: see `findKey`. */
  keys: Buffer
}

export const BLOCK_MAGIC = Buffer.from('XBk1')
export const DIGEST_BYTES = 32
const FIXED_BYTES = 112
const CRC_BYTES = 4
/** Length of a key (u32), lowest and highest time of its records (float64); then the key, UTF-8. */
const KEY_HEADER_BYTES = 20
/** The shortest header there is. */
export const HEADER_BYTES_MIN = FIXED_BYTES + CRC_BYTES
/** A length beyond it is damage: no block has so many keys. */
export const HEADER_BYTES_MAX = 256 << 20

/** Returns the digest that links a block to the one before. */
export function chainDigest(previous: Uint8Array, raw: Uint8Array): Buffer {
  return createHash('sha256').update(previous).update(raw).digest()
}

/** Returns the header of a block, ready to be written. */
export function encodeBlockHeader(
  content: Pick<RecordBlock, 'length' | 'records' | 'fromMs' | 'toMs' | 'keys'>,
  place: Pick<BlockHeader, 'block' | 'compressedBytes' | 'recordsBefore' | 'previousDigest' | 'digest'>
): Buffer {
  const keys = encodeKeys(content.keys)
  const header = Buffer.allocUnsafe(FIXED_BYTES + keys.length + CRC_BYTES)
  BLOCK_MAGIC.copy(header, 0)
  header.writeUInt32LE(header.length, 4)
  header.writeUInt32LE(place.block, 8)
  header.writeUInt32LE(content.length, 12)
  header.writeUInt32LE(place.compressedBytes, 16)
  header.writeUInt32LE(content.records, 20)
  header.writeDoubleLE(place.recordsBefore, 24)
  header.writeDoubleLE(content.fromMs, 32)
  header.writeDoubleLE(content.toMs, 40)
  place.previousDigest.copy(header, 48)
  place.digest.copy(header, 80)
  keys.copy(header, FIXED_BYTES)
  header.writeUInt32LE(crc32(header.subarray(0, -CRC_BYTES)), header.length - CRC_BYTES)
  return header
}

/** Returns the length that a header at the start of these bytes claims, or null if none starts here. */
export function headerLength(bytes: Buffer): number | null {
  if (bytes.length < HEADER_BYTES_MIN || !bytes.subarray(0, 4).equals(BLOCK_MAGIC)) return null
  const length = bytes.readUInt32LE(4)
  return length < HEADER_BYTES_MIN || length > HEADER_BYTES_MAX ? null : length
}

/** Returns the header at the start of these bytes, or null if it is not whole. */
export function decodeBlockHeader(bytes: Buffer): BlockHeader | null {
  const length = headerLength(bytes)
  if (length === null || bytes.length < length) return null
  const header = bytes.subarray(0, length)
  if (crc32(header.subarray(0, -CRC_BYTES)) !== header.readUInt32LE(length - CRC_BYTES)) return null
  return {
    headerBytes: length,
    block: header.readUInt32LE(8),
    rawBytes: header.readUInt32LE(12),
    compressedBytes: header.readUInt32LE(16),
    records: header.readUInt32LE(20),
    recordsBefore: header.readDoubleLE(24),
    fromMs: header.readDoubleLE(32),
    toMs: header.readDoubleLE(40),
    previousDigest: header.subarray(48, 80),
    digest: header.subarray(80, FIXED_BYTES),
    keys: header.subarray(FIXED_BYTES, -CRC_BYTES)
  }
}

/** Returns when the records of a key were in the block with these encoded keys, or null if it has none. */
export function findKey(keys: Buffer, key: string): KeySpan | null {
  const wanted = Buffer.from(key)
  // Most blocks do not have the key, and this search is far faster than the walk; it may also hit across entries.
  if (!keys.includes(wanted)) return null
  let at = 0
  while (at < keys.length) {
    const keyAt = at + KEY_HEADER_BYTES
    const end = keyAt + keys.readUInt32LE(at)
    if (wanted.equals(keys.subarray(keyAt, end))) {
      return { fromMs: keys.readDoubleLE(at + 4), toMs: keys.readDoubleLE(at + 12) }
    }
    at = end
  }
  return null
}

function encodeKeys(keys: ReadonlyMap<string, KeySpan>): Buffer {
  let length = 0
  for (const key of keys.keys()) length += KEY_HEADER_BYTES + Buffer.byteLength(key)
  const encoded = Buffer.allocUnsafe(length)
  let at = 0
  for (const [key, { fromMs, toMs }] of keys) {
    const bytes = encoded.write(key, at + KEY_HEADER_BYTES)
    encoded.writeUInt32LE(bytes, at)
    encoded.writeDoubleLE(fromMs, at + 4)
    encoded.writeDoubleLE(toMs, at + 12)
    at += KEY_HEADER_BYTES + bytes
  }
  return encoded
}
