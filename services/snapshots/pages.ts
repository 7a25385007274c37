import { promisify } from 'node:util'
import { gzip, gzipSync } from 'node:zlib'
import { LRUCache } from 'lru-cache'
import { BufferPool } from './buffer-pool.ts'
import { FRAGMENT_BYTES, Fragments } from './fragments.ts'
import type { MarketFilter } from './market-queries.ts'
import { stampOf } from './stamp.ts'
import type { MarketRecord, SnapshotStore } from './store.ts'

/** What a page shows, before any of it is written. Valid only within the turn that asked for it. */
export interface PageView {
  page: number
  pageSize: number
  total: number
  records: readonly MarketRecord[]
  /** Changes when anything that the page shows changes. */
  stamp: string
}

/** The bytes of a page, and the pooled buffer under them that whoever sends them gives back; null if none. */
export interface PageBytes {
  bytes: Buffer
  lent: Buffer | null
}

interface KeptPage {
  stamp: string
  body: Buffer | null
  gzipped: Buffer | null
}

const KEPT_PAGES_MAX = 256
const KEPT_BYTES_MAX = 32 << 20
/** Level 1 makes a page 6 times smaller; level 6 takes 5 times as long for another eighth. */
const GZIP = { level: 1 }
/** A larger page is compressed on another thread: this much takes about half a millisecond. */
const SYNC_GZIP_MAX = 192 << 10
/** The frame of a page around its rows, with three numbers in it. */
const FRAME_BYTES = 128

const gzipAside = promisify(gzip)

/**
 * Pages of markets at `FRAGMENT_DEPTH` as bytes: copies of fragments in a pooled buffer. A page that is asked for
 * again unchanged is kept whole, with its gzip; keeping every page would cost more than putting it together.
 */
export class MarketPages {
  private readonly store: SnapshotStore
  private readonly fragments: Fragments
  private readonly pool = new BufferPool()
  private readonly kept = new LRUCache<string, KeptPage>({
    max: KEPT_PAGES_MAX,
    maxSize: KEPT_BYTES_MAX,
    sizeCalculation: ({ body, gzipped }) => 1 + (body?.length ?? 0) + (gzipped?.length ?? 0)
  })

  constructor(store: SnapshotStore) {
    this.store = store
    this.fragments = new Fragments(store)
  }

  /** Returns which markets a page shows. */
  view(filter: MarketFilter, page: number, pageSize: number, depth: number): PageView {
    const found = this.store.queries.find(filter)
    const total = found.length
    const from = Math.min((page - 1) * pageSize, total)
    const to = Math.min(from + pageSize, total)
    const stamp = stampOf(this.store, found, from, to, page, pageSize, total, depth)
    return { page, pageSize, total, records: found.slice(from, to), stamp }
  }

  /** Returns a page's JSON, or null when one of its rows has no fragment: see `Fragments.copy`. */
  json(view: PageView, key: string): PageBytes | null {
    const kept = this.kept.get(key)
    if (kept === undefined || kept.stamp !== view.stamp) {
      this.kept.set(key, { stamp: view.stamp, body: null, gzipped: null })
      return this.assemble(view)
    }
    if (kept.body !== null) return { bytes: kept.body, lent: null }
    const fresh = this.assemble(view)
    if (fresh === null) return null
    const body = Buffer.allocUnsafeSlow(fresh.bytes.length)
    fresh.bytes.copy(body)
    this.kept.set(key, { ...kept, body })
    return fresh
  }

  /** Returns a page's JSON, compressed, or null as `json` does. */
  gzip(view: PageView, key: string): Buffer | Promise<Buffer> | null {
    const kept = this.kept.get(key)
    if (kept?.stamp === view.stamp && kept.gzipped !== null) return kept.gzipped
    const fresh = this.assemble(view)
    if (fresh === null) return null
    if (fresh.bytes.length > SYNC_GZIP_MAX) return this.gzipLarge(view.stamp, key, fresh)
    const gzipped = gzipSync(fresh.bytes, GZIP)
    this.giveBack(fresh)
    this.keepGzip(view.stamp, key, gzipped)
    return gzipped
  }

  /** Takes back the buffer under a page that nobody reads any more. */
  giveBack({ lent }: PageBytes): void {
    if (lent !== null) this.pool.give(lent)
  }

  private async gzipLarge(stamp: string, key: string, fresh: PageBytes): Promise<Buffer> {
    try {
      const gzipped = await gzipAside(fresh.bytes, GZIP)
      this.keepGzip(stamp, key, gzipped)
      return gzipped
    } finally {
      this.giveBack(fresh)
    }
  }

  private keepGzip(stamp: string, key: string, gzipped: Buffer): void {
    const kept = this.kept.get(key)
    const body = kept?.stamp === stamp ? kept.body : null
    this.kept.set(key, { stamp, body, gzipped })
  }

  private assemble({ page, pageSize, total, records }: PageView): PageBytes | null {
    const lent = this.pool.take(FRAME_BYTES + records.length * (FRAGMENT_BYTES + 1))
    let end = lent.write(`{"page":${page},"pageSize":${pageSize},"total":${total},"items":[`, 0, 'latin1')
    for (let i = 0; i < records.length; i++) {
      if (i > 0) lent[end++] = COMMA
      end = this.fragments.copy(records[i] as MarketRecord, lent, end)
      if (end < 0) {
        this.pool.give(lent)
        return null
      }
    }
    lent[end++] = CLOSE_ARRAY
    lent[end++] = CLOSE_OBJECT
    return { bytes: lent.subarray(0, end), lent }
  }
}

const COMMA = 44
const CLOSE_ARRAY = 93
const CLOSE_OBJECT = 125
