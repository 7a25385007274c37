import { createWriteStream } from 'node:fs'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { constants, createGzip, gunzip, type ZlibOptions } from 'node:zlib'
import { makeFolder } from './storage/data-dir.ts'

/** Markets that were saved together: rows of JSON, and the levels that they name. */
export interface StateBlock {
  rows: readonly unknown[]
  levels: Buffer
}

/** What a folder held: the file unpacked, none, or one that cannot be read; and which file that was. */
export type StateBytes = ({ bytes: Buffer } | { missing: true } | { error: Error }) & {
  path: string
  file: string
}

/** What a file says of itself. */
export interface StateHeader {
  version: number
  /** Of what a market is: a file of another Crossbook may have markets that are none here. */
  shape: string
  savedAtMs: number
}

const FILE = 'last-state.gz'
const LENGTH_BYTES = 4
/** Bytes of the rows as JSON, bytes of their levels. */
const BLOCK_HEADER_BYTES = 2 * LENGTH_BYTES
/** What unpacks is allotted at once, up to this: in pieces of the usual size it takes as long as reading what was unpacked. */
const CHUNK_BYTES_MAX = 256 << 20
const CHUNK_BYTES_MIN = 1 << 10

/** Reads and unpacks the file, all of it: whether it is whole shows at its end. Never rejects. */
export async function readStateBytes(dataDir: string): Promise<StateBytes> {
  const path = join(dataDir, FILE)
  const which = { path, file: await identity(path) }
  try {
    const packed = await readFile(path)
    const chunkSize = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, unpackedBytes(packed) + 1))
    return { ...which, bytes: await promisify<Buffer, ZlibOptions, Buffer>(gunzip)(packed, { chunkSize }) }
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return isMissing ? { ...which, missing: true } : { ...which, error: error as Error }
  }
}

/**
 * Returns what a folder holds, to be called by who has its lock. What was read before that counts if it is still the file
 * that is there: the run before may have saved once more since. Never rejects.
 */
export async function currentState(dataDir: string, read: StateBytes | undefined): Promise<StateBytes> {
  return read !== undefined && read.file === (await identity(read.path)) ? read : readStateBytes(dataDir)
}

/** Tells one file at a path from the next that replaces it. */
async function identity(path: string): Promise<string> {
  try {
    const { ino, mtimeMs, size } = await stat(path)
    return `${ino} ${mtimeMs} ${size}`
  } catch {
    return 'none'
  }
}

/** What a gzip file says at its end, RFC 1952; 0 where it has none. A torn one says anything. */
function unpackedBytes(packed: Buffer): number {
  return packed.length < LENGTH_BYTES ? 0 : packed.readUInt32LE(packed.length - LENGTH_BYTES)
}

/** Returns the header of a file, and what follows it. @throws {Error} when it is no last state */
export function openState(bytes: Buffer): { header: StateHeader; blocks: Iterable<StateBlock> } {
  const length = bytes.readUInt32LE(0)
  const blocksAt = LENGTH_BYTES + length
  const header = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, blocksAt)) as StateHeader
  return { header, blocks: blocksOf(bytes, blocksAt) }
}

/** Replaces the file of a folder as a whole: after a crash it is the one or the other. */
export async function replaceStateFile(
  dataDir: string,
  header: StateHeader,
  blocks: AsyncIterable<StateBlock>
): Promise<void> {
  makeFolder(dataDir)
  const path = join(dataDir, FILE)
  const draft = `${path}.tmp`
  try {
    await pipeline(
      Readable.from(piecesOf(header, blocks)),
      createGzip({ level: constants.Z_BEST_SPEED }),
      createWriteStream(draft, { flush: true })
    )
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  await syncFolder(dataDir)
}

function* blocksOf(bytes: Buffer, from: number): Generator<StateBlock> {
  for (let at = from; at < bytes.length; ) {
    const rowsAt = at + BLOCK_HEADER_BYTES
    const levelsAt = rowsAt + bytes.readUInt32LE(at)
    const end = levelsAt + bytes.readUInt32LE(at + LENGTH_BYTES)
    if (end > bytes.length) throw new Error('its end is missing')
    const rows = JSON.parse(bytes.toString('utf8', rowsAt, levelsAt)) as unknown[]
    yield { rows, levels: bytes.subarray(levelsAt, end) }
    at = end
  }
}

async function* piecesOf(header: StateHeader, blocks: AsyncIterable<StateBlock>): AsyncGenerator<Buffer> {
  const text = Buffer.from(JSON.stringify(header))
  yield Buffer.concat([lengths(text.length), text])
  for await (const { rows, levels } of blocks) {
    const json = Buffer.from(JSON.stringify(rows))
    yield Buffer.concat([lengths(json.length, levels.length), json, levels])
  }
}

function lengths(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * LENGTH_BYTES)
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * LENGTH_BYTES)
  return bytes
}

/** A rename is on the disk once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
