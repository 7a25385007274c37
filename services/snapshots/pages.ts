import { promisify } from 'node:util'
import { gzip, gzipSync } from 'node:zlib'
import { LRUCache } from 'lru-cache'
import { AskedPage, type PageQuestion } from './asked-page.ts'
import { BufferPool } from './buffer-pool.ts'
import { FRAGMENT_BYTES, type Fragments } from './fragments.ts'
import { KeptBodies, type PageBytes } from './kept-bodies.ts'
import type { SnapshotStore } from './store.ts'

interface KeptGzip {
  stamp: string
  bytes: Buffer
}

const ASKED_PAGES_MAX = 4_096
/** Characters of URLs and slots of markets, all pages together. */
const ASKED_SIZE_MAX = 1 << 20
const GZIPPED_PAGES_MAX = 256
const GZIPPED_BYTES_MAX = 16 << 20
/** Level 1 makes a page 6 times smaller; level 6 takes 5 times as long for another eighth. */
const GZIP = { level: 1 }
/** A larger page is compressed on another thread: this much takes about half a millisecond. */
const SYNC_GZIP_MAX = 192 << 10
/** The frame of a page around its rows, with three numbers in it. */
const FRAME_BYTES = 128

const gzipAside = promisify(gzip)

/**
 * Pages of markets at `FRAGMENT_DEPTH` as bytes: copies of fragments in a pooled buffer. A page that is asked for
 * again and again unchanged is kept whole, and its gzip; keeping every page would cost more than putting it together.
 */
export class MarketPages {
  private readonly store: SnapshotStore
  private readonly fragments: Fragments
  private readonly pool: BufferPool
  private readonly bodies: KeptBodies
  private readonly asked = new LRUCache<string, AskedPage>({
    max: ASKED_PAGES_MAX,
    maxSize: ASKED_SIZE_MAX,
    sizeCalculation: ({ question }, url) => url.length + question.pageSize,
    dispose: (page) => this.bodies.forget(page)
  })
  private readonly gzipped = new LRUCache<AskedPage, KeptGzip>({
    max: GZIPPED_PAGES_MAX,
    maxSize: GZIPPED_BYTES_MAX,
    sizeCalculation: ({ bytes }) => bytes.length
  })

  constructor(store: SnapshotStore, fragments: Fragments) {
    this.store = store
    this.fragments = fragments
    this.pool = new BufferPool(fragments.room)
    this.bodies = new KeptBodies(this.pool)
  }

  /** Returns the page that a URL was understood to ask for, up to date; undefined for one not seen lately. */
  known(url: string): AskedPage | undefined {
    const page = this.asked.get(url)
    page?.refresh()
    return page
  }

  /** Remembers which page a URL asks for, and returns it, up to date. */
  ask(url: string, question: PageQuestion): AskedPage {
    const page = this.known(url) ?? new AskedPage(this.store, question)
    page.refresh()
    this.asked.set(url, page)
    return page
  }

  /** Returns a page's JSON, or null when one of its rows has no fragment: see `Fragments.copy`. */
  json(page: AskedPage): PageBytes | null {
    const kept = this.bodies.get(page)
    if (kept !== null) return kept
    const fresh = this.assemble(page)
    if (fresh !== null) this.bodies.offer(page, fresh)
    return fresh
  }

  /** Returns a page's JSON, compressed, or null as `json` does. */
  gzip(page: AskedPage): Buffer | Promise<Buffer> | null {
    const kept = this.gzipped.get(page)
    if (kept?.stamp === page.stamp) return kept.bytes
    const fresh = this.assemble(page)
    if (fresh === null) return null
    const { stamp } = page
    if (fresh.bytes.length > SYNC_GZIP_MAX) return this.gzipLarge(page, stamp, fresh)
    const bytes = gzipSync(fresh.bytes, GZIP)
    this.giveBack(fresh)
    this.gzipped.set(page, { stamp, bytes })
    return bytes
  }

  /** Takes back the buffer under a page from a reader that has read it. */
  giveBack({ lent }: PageBytes): void {
    this.pool.give(lent)
  }

  private async gzipLarge(page: AskedPage, stamp: string, fresh: PageBytes): Promise<Buffer> {
    try {
      const bytes = await gzipAside(fresh.bytes, GZIP)
      this.gzipped.set(page, { stamp, bytes })
      return bytes
    } finally {
      this.giveBack(fresh)
    }
  }

  private assemble({ question, total, slots }: AskedPage): PageBytes | null {
    const { page, pageSize } = question
    const lent = this.pool.take(FRAME_BYTES + slots.length * (FRAGMENT_BYTES + 1))
    const { buffer } = lent
    let end = buffer.write(`{"page":${page},"pageSize":${pageSize},"total":${total},"items":[`, 0, 'latin1')
    for (let i = 0; i < slots.length; i++) {
      if (i > 0) buffer[end++] = COMMA
      end = this.fragments.copy(slots[i] as number, buffer, end)
      if (end < 0) {
        this.pool.give(lent)
        return null
      }
    }
    buffer[end++] = CLOSE_ARRAY
    buffer[end++] = CLOSE_OBJECT
    return { bytes: buffer.subarray(0, end), lent }
  }
}

const COMMA = 44
const CLOSE_ARRAY = 93
const CLOSE_OBJECT = 125
