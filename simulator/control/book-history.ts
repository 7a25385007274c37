import { createHash } from 'node:crypto'
import type { SimMarket, World } from '../model/types.ts'
import { viewTrueBook } from './true-books.ts'

/** A book as it was for some time. */
export interface BookVersion {
  /** What `bookDigest` says of it. */
  digest: string
  /** The same of its best levels, as a recorded snapshot keeps them. */
  topDigest: string
  /** Epoch milliseconds; null until it changes. */
  fromMs: number
  untilMs: number | null
}

/** Versions that ended longer ago are forgotten. */
const KEPT_MS = 3_000

/** The versions that every book had of late, so that a reader can tell "a moment behind" from "wrong". */
export class BookHistory {
  readonly #world: World
  readonly #versions = new Map<SimMarket, BookVersion[]>()
  #unlisten: (() => void) | undefined

  constructor(world: World) {
    this.#world = world
  }

  /** Returns the versions of a book, oldest first, the present one last. History starts with the first question. */
  of(market: SimMarket): readonly BookVersion[] {
    this.#unlisten ??= this.#world.onHappening((happening) => this.#note(happening.market))
    return this.#versions.get(market) ?? this.#note(market)
  }

  stop(): void {
    this.#unlisten?.()
  }

  #note(market: SimMarket): BookVersion[] {
    const nowMs = this.#world.now()
    const versions = this.#versions.get(market) ?? []
    const { bids, asks } = viewTrueBook(market)
    const digest = bookDigest(bids, asks)
    const last = versions.at(-1)
    if (last?.digest !== digest) {
      if (last !== undefined) last.untilMs = nowMs
      const topDigest = bookDigest(bids.slice(0, TOP_LEVELS), asks.slice(0, TOP_LEVELS))
      versions.push({ digest, topDigest, fromMs: nowMs, untilMs: null })
    }
    const first = versions.findIndex(({ untilMs }) => untilMs === null || nowMs - untilMs < KEPT_MS)
    if (first > 0) versions.splice(0, first)
    this.#versions.set(market, versions)
    return versions
  }
}

/** The best levels that a digest is made of; no reader shows more of a book. */
const DIGESTED_LEVELS = 100
export const TOP_LEVELS = 10

/** Returns a short name for a book: best first, `[price, size]` in canonical decimal text. */
export function bookDigest(
  bids: readonly (readonly [string, string])[],
  asks: readonly (readonly [string, string])[]
): string {
  const text = (levels: readonly (readonly [string, string])[]) =>
    levels
      .slice(0, DIGESTED_LEVELS)
      .map(([price, size]) => `${price}:${size}`)
      .join(' ')
  return createHash('sha1')
    .update(`${text(bids)}|${text(asks)}`)
    .digest('base64')
    .slice(0, 16)
}
