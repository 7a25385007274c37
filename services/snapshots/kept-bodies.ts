import type { AskedPage } from './asked-page.ts'
import type { BufferPool, LentBuffer } from './buffer-pool.ts'

/** The bytes of a page, and the pooled buffer under them, which every reader gives back. */
export interface PageBytes {
  bytes: Buffer
  lent: LentBuffer
}

interface KeptBody {
  stamp: string
  body: PageBytes
  /** When it was last asked for, by the count of all answers. */
  askedAt: number
}

/** A page put together so often within so many answers is hot; one of many, read in turn, never is. */
const HOT_AFTER = 8
const HOT_WITHIN = 256
const KEPT_PAGES_MAX = 32
/** Larger pages are put together anew: what is kept takes at most 8 MiB. */
const KEPT_BUFFER_BYTES_MAX = 1 << 18
/** A kept page that nobody asked for in so many answers makes room for another. */
const COLD_AFTER = 5_000

/**
 * Keeps the bytes of the few pages that are asked for most, in the very buffers that they were put together in:
 * nothing is copied, and nothing allocated for the collector to trace.
 */
export class KeptBodies {
  private readonly kept = new Map<AskedPage, KeptBody>()
  private readonly pool: BufferPool
  private answers = 0

  constructor(pool: BufferPool) {
    this.pool = pool
  }

  /** Counts an answer and returns the page's bytes at its current stamp, for one more reader, if they are kept. */
  get(page: AskedPage): PageBytes | null {
    this.answers++
    const kept = this.kept.get(page)
    if (kept === undefined) return null
    if (kept.stamp !== page.stamp) {
      this.forget(page)
      return null
    }
    kept.askedAt = this.answers
    kept.body.lent.readers++
    return kept.body
  }

  /** Becomes one more reader of a page's bytes if the page is hot and there is room. */
  offer(page: AskedPage, body: PageBytes): void {
    if (body.lent.buffer.length > KEPT_BUFFER_BYTES_MAX) return
    if (this.answers - page.countedFrom > HOT_WITHIN) {
      page.countedFrom = this.answers
      page.assembled = 0
    }
    if (++page.assembled < HOT_AFTER || !this.hasRoom()) return
    body.lent.readers++
    this.kept.set(page, { stamp: page.stamp, body, askedAt: this.answers })
  }

  forget(page: AskedPage): void {
    const kept = this.kept.get(page)
    if (kept === undefined) return
    this.kept.delete(page)
    this.pool.give(kept.body.lent)
  }

  /** Looks at one kept page a time, in turn: each is asked about as often as any other. */
  private hasRoom(): boolean {
    if (this.kept.size < KEPT_PAGES_MAX) return true
    for (const [page, kept] of this.kept) {
      if (kept.stamp !== page.stamp || this.answers - kept.askedAt > COLD_AFTER) this.forget(page)
      else {
        this.kept.delete(page)
        this.kept.set(page, kept)
      }
      break
    }
    return this.kept.size < KEPT_PAGES_MAX
  }
}
