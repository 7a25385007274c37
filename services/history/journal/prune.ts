import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SegmentCatalog, type SegmentSummary } from './segment-catalog.ts'

export interface PruneOptions {
  /** Of all journals. */
  folder: string
  /** Segments whose last record is older are deleted. */
  maxAgeMs: number
  /** Of all journals together: the oldest segments are deleted until no more are left. */
  maxBytes: number
  nowMs: number
}

interface StoredSegment extends SegmentSummary {
  path: string
  /** It may be in the making. */
  isOpen: boolean
}

/** Deletes the oldest segments, but none that may be in the making; returns their paths, and their bytes together. */
export async function pruneJournal(options: PruneOptions): Promise<{ deleted: string[]; bytes: number }> {
  const { folder, maxAgeMs, maxBytes, nowMs } = options
  const segments = (await storedSegments(folder)).sort((a, b) => a.fromMs - b.fromMs)
  let left = segments.reduce((bytes, segment) => bytes + segment.bytes, 0)
  const deleted: string[] = []
  let bytes = 0
  for (const segment of segments) {
    const isOld = nowMs - segment.toMs > maxAgeMs
    if (segment.isOpen || (!isOld && left <= maxBytes)) continue
    await rm(segment.path, { force: true })
    deleted.push(segment.path)
    bytes += segment.bytes
    left -= segment.bytes
  }
  return { deleted, bytes }
}

async function storedSegments(folder: string): Promise<StoredSegment[]> {
  const stored: StoredSegment[] = []
  for (const journal of await journals(folder)) {
    const catalog = new SegmentCatalog(folder, journal)
    const segments = await catalog.list()
    const open = segments.findLast(({ isSealed }) => !isSealed)
    for (const segment of segments) {
      stored.push({ ...segment, path: join(catalog.path, segment.name), isOpen: segment === open })
    }
  }
  return stored
}

async function journals(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
