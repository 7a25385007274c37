import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeBlockHeader } from './block-header.ts'
import type { JournalHole } from './record.ts'
import { decodeHead, HEAD_BYTES_MAX, TRAILER_MAGIC } from './segment-format.ts'
import { openSegment, readBlock, readIndex, type SegmentIndex } from './segment-index.ts'
import { segmentStartMs } from './segment-name.ts'
import { type PlacedBlock, readAt, type SegmentScan } from './segment-scan.ts'

type Finding = Omit<JournalHole, 'journal'>

/**
 * Reads a whole segment and returns what is missing or damaged in it. A hole without records is damage that lost none:
 * of the segment's head or footer, or of a header that the footer repeats.
 */
export async function verifySegment(folder: string, name: string, journal: string): Promise<JournalHole[]> {
  const file = await openSegment(join(folder, name))
  if (file === null) return []
  try {
    const index = await readSettledIndex(file)
    const findings = [
      ...(await checkHead(file, index, name)),
      ...(index.scan === null ? [] : checkScan(index.scan)),
      ...(await checkBlocks(file, index)),
      ...(await checkTail(file, index, name))
    ]
    return findings.map((finding) => ({ journal, ...finding }))
  } finally {
    await file.close()
  }
}

/** A block that is being written while we look is not torn: in that case the file grows. */
async function readSettledIndex(file: FileHandle): Promise<SegmentIndex> {
  for (;;) {
    const index = await readIndex(file)
    if (index.scan?.tail !== 'torn' || (await file.stat()).size === index.size) return index
  }
}

async function checkHead(file: FileHandle, { size, blocks }: SegmentIndex, name: string): Promise<Finding[]> {
  const head = decodeHead(await readAt(file, 0, HEAD_BYTES_MAX))
  const [first] = blocks
  // A segment without blocks is not worth more words than its torn tail gets.
  if (size === 0 || first === undefined) return []
  const isWhole = head !== null && (first.block !== 0 || first.previousDigest.equals(head.digest))
  return isWhole ? [] : [damage('corrupt', segmentStartMs(name) ?? 0)]
}

/** What lies between blocks is a block whose header is damaged; the next one says how many records came before it. */
function checkScan({ damages, blocks }: SegmentScan): Finding[] {
  return damages.flatMap(({ nextBlock }) => {
    const before = blocks[nextBlock - 1]
    const after = blocks[nextBlock]
    if (after === undefined) return []
    const known = before === undefined ? 0 : before.recordsBefore + before.records
    const records = after.recordsBefore - known
    // Without a block before it, this is the head: it is checked apart.
    if (records === 0) return []
    return [{ fromMs: before?.toMs ?? after.fromMs, toMs: after.fromMs, records, reason: 'corrupt' as const }]
  })
}

async function checkBlocks(file: FileHandle, { blocks, trailer }: SegmentIndex): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [at, block] of blocks.entries()) {
    const { fromMs, toMs, records } = block
    const isLast = trailer === null && at === blocks.length - 1
    if ((await readBlock(file, block)) === null) {
      findings.push({ fromMs, toMs, records, reason: isLast ? 'torn' : 'corrupt' })
    } else if (!(await hasHeader(file, block)) || !isLinked(blocks[at - 1], block)) {
      findings.push(damage('corrupt', fromMs))
    }
  }
  return findings
}

async function hasHeader(file: FileHandle, block: PlacedBlock): Promise<boolean> {
  const header = decodeBlockHeader(await readAt(file, block.at, block.headerBytes))
  return header?.digest.equals(block.digest) ?? false
}

function isLinked(before: PlacedBlock | undefined, block: PlacedBlock): boolean {
  return before?.block !== block.block - 1 || before.digest.equals(block.previousDigest)
}

async function checkTail(file: FileHandle, index: SegmentIndex, name: string): Promise<Finding[]> {
  const { scan, blocks, size, trailer } = index
  const last = blocks.at(-1)
  const lastMs = last?.toMs ?? segmentStartMs(name) ?? 0
  if (trailer !== null) {
    const isWhole = scan === null && last?.digest.equals(trailer.digest)
    return isWhole ? [] : [damage('corrupt', lastMs)]
  }
  if (scan === null) return []
  if (scan.tail === 'torn') {
    const header = decodeBlockHeader(await readAt(file, scan.end, size - scan.end))
    if (header === null) return [damage('torn', lastMs)]
    const { fromMs, toMs, records } = header
    return [{ fromMs, toMs, records, reason: 'torn' }]
  }
  // A footer that was being written when its writer was killed is no damage; one that has its end is.
  const end = await readAt(file, size - TRAILER_MAGIC.length, TRAILER_MAGIC.length)
  return scan.tail === 'footer' && end.equals(TRAILER_MAGIC) ? [damage('corrupt', lastMs)] : []
}

function damage(reason: 'torn' | 'corrupt', atMs: number): Finding {
  return { fromMs: atMs, toMs: atMs, records: 0, reason }
}
