import type { AskedPage } from './asked-page.ts'

interface KeptBody {
  stamp: string
  bytes: Buffer
  /** When it was last asked for, by the count of all answers. */
  askedAt: number
}

/** Keeping a page costs a copy of it: worth that for one asked again and again, not for one read twice. */
const HOT_AFTER = 8
const KEPT_BYTES_MAX = 8 << 20
/** A kept page that nobody asked for in so many answers makes room for another. */
const COLD_AFTER = 5_000

/**
 * Keeps the bytes of the few pages that are asked for most. Full, it turns new ones away rather than dropping what is
 * in use: with reads spread over more pages than there is room for, they would only push each other out.
 */
export class KeptBodies {
  private readonly kept = new Map<AskedPage, KeptBody>()
  private answers = 0
  private keptBytes = 0

  /** Counts an answer and returns the page's bytes at its current stamp if they are kept. */
  get(page: AskedPage): Buffer | null {
    this.answers++
    const body = this.kept.get(page)
    if (body === undefined) return null
    if (body.stamp !== page.stamp) {
      this.forget(page)
      return null
    }
    body.askedAt = this.answers
    return body.bytes
  }

  /** Keeps a copy of a page's bytes if the page is hot and there is room. */
  offer(page: AskedPage, bytes: Uint8Array): void {
    if (++page.assembled < HOT_AFTER || !this.hasRoom(bytes.length)) return
    const copy = Buffer.allocUnsafeSlow(bytes.length)
    copy.set(bytes)
    this.keptBytes += copy.length
    this.kept.set(page, { stamp: page.stamp, bytes: copy, askedAt: this.answers })
  }

  forget(page: AskedPage): void {
    const body = this.kept.get(page)
    if (body === undefined) return
    this.keptBytes -= body.bytes.length
    this.kept.delete(page)
  }

  /** Looks at one kept page a time, in turn: each is asked about as often as any other. */
  private hasRoom(bytes: number): boolean {
    if (this.keptBytes + bytes <= KEPT_BYTES_MAX) return true
    for (const [page, body] of this.kept) {
      if (body.stamp !== page.stamp || this.answers - body.askedAt > COLD_AFTER) this.forget(page)
      else {
        this.kept.delete(page)
        this.kept.set(page, body)
      }
      break
    }
    return this.keptBytes + bytes <= KEPT_BYTES_MAX
  }
}
