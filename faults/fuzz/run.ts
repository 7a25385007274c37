import { getDepth } from '../../services/orderbook/depth.ts'
import { bookDigest } from '../../simulator/control/book-history.ts'
import { viewTrueBook } from '../../simulator/control/true-books.ts'
import { createRandom } from '../../simulator/model/random.ts'
import { createWorld } from '../../simulator/model/world.ts'
import { Comparison } from './comparison.ts'
import { KalshiSource } from './kalshi.ts'
import { mutate } from './mutate.ts'
import { PolymarketSource } from './polymarket.ts'
import type { Source } from './source.ts'

export interface FuzzOptions {
  venue: 'kalshi' | 'polymarket'
  /** Spoilt frames; real ones come on top. */
  frames: number
  seed: number
  progress?: (done: number) => void
}

export interface FuzzResult {
  venue: string
  frames: number
  mutated: number
  /** Frames that changed a book, by the scanner's books. */
  applied: number
  /** Distinct reasons that frames were ignored under. */
  ignoredReasons: number
  /** Of the heap, after the first quarter and at the end; the same collection before both where it can be forced. */
  heapGrownBytes: number
  failures: string[]
}

const MARKETS = 12
/** Real frames go between spoilt ones, so that there are books to spoil. */
const MUTATED_SHARE = 0.6
/** Both ways of reading begin again from snapshots after so many frames. */
const EPISODE = 400
const DEEPEST = 200
const CLEAN_FRAMES = 2_000
const MAX_REASONS = 64
const MAX_HEAP_GROWTH_BYTES = 16 * 1024 * 1024
const MAX_FAILURES = 10
const START_MS = Date.UTC(2026, 0, 1)

/** Feeds one venue's books with real and with spoilt frames, both ways of reading side by side. */
export function fuzz({ venue, frames, seed, progress = () => {} }: FuzzOptions): FuzzResult {
  const random = createRandom(seed)
  let nowMs = START_MS
  const now = () => nowMs
  const world = createWorld({ seed, marketsPerVenue: MARKETS, sharedShare: 0, now, churnMs: 0 })
  const source: Source = venue === 'kalshi' ? new KalshiSource(world, now) : new PolymarketSource(world, now)
  const [scanned] = source.twins
  const comparison = new Comparison(source.twins, MARKETS)
  const failures: string[] = []
  let mutated = 0
  let heapBytes = 0
  let earlier = '{}'

  const give = (frame: Buffer): void => {
    for (const twin of source.twins) {
      try {
        twin.apply(frame)
      } catch (error) {
        failures.push(`threw ${error instanceof Error ? error.stack : error} on ${shown(frame)}`)
      }
    }
    const different = comparison.differences()
    if (different.length > 0)
      failures.push(`scanner against parser: ${different.join(', ')} on ${shown(frame)}`)
  }

  const heal = () => {
    for (const text of source.heal()) give(Buffer.from(text))
  }
  heal()
  let done = 0
  for (; mutated < frames && failures.length < MAX_FAILURES; done++) {
    nowMs++
    if (done % EPISODE === EPISODE - 1) heal()
    const { text, heals } = source.next()
    const isMutated = random.chance(heals ? MUTATED_SHARE / 6 : MUTATED_SHARE)
    if (isMutated) mutated++
    give(isMutated ? mutate(text, earlier, random) : Buffer.from(text))
    if (random.chance(0.1)) earlier = text
    if (done % 1_000 === 0) progress(mutated)
    if (heapBytes === 0 && mutated >= frames / 4) heapBytes = heap()
  }
  const heapGrownBytes = heap() - heapBytes
  if (heapGrownBytes > MAX_HEAP_GROWTH_BYTES) failures.push(`the heap grew by ${heapGrownBytes} bytes`)
  const reasons = Math.max(...source.twins.map(({ counters }) => counters.ignored.size + counters.seen.size))
  if (reasons > MAX_REASONS) failures.push(`frames were counted under ${reasons} names`)
  failures.push(...healed(source, () => nowMs++))
  const { applied } = scanned.counters
  return {
    venue,
    frames: done,
    mutated,
    applied,
    ignoredReasons: scanned.counters.ignored.size,
    heapGrownBytes,
    failures
  }
}

/** After all that, real frames alone must lead to the true books again. */
function healed(source: Source, tick: () => void): string[] {
  const give = (text: string) => {
    tick()
    const bytes = Buffer.from(text)
    for (const twin of source.twins) twin.apply(bytes)
  }
  source.heal().forEach(give)
  for (let frame = 0; frame < CLEAN_FRAMES; frame++) give(source.next().text)
  // What the last happening did may still be on its way: the truth is compared after snapshots.
  source.heal().forEach(give)
  const failures: string[] = []
  for (const [which, { table }] of source.twins.entries()) {
    for (const [slot, market] of source.trueBooks().entries()) {
      const state = table.verdicts.state(slot)
      const truth = viewTrueBook(market)
      const { bids, asks } = getDepth(table.arena, slot, DEEPEST)
      const isEqual = bookDigest(truth.bids, truth.asks) === bookDigest(pairs(bids), pairs(asks))
      if (!isEqual || state !== 'live') failures.push(`${market.id} of twin ${which} did not heal: ${state}`)
    }
  }
  return failures
}

function pairs(levels: { price: string; size: string }[]): [string, string][] {
  return levels.map(({ price, size }) => [price, size])
}

function heap(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

function shown(frame: Buffer): string {
  return JSON.stringify(frame.toString('latin1').slice(0, 1_000))
}
