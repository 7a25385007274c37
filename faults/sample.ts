import { setTimeout as sleep } from 'node:timers/promises'
import type { Health } from '../schemas/health.ts'
import type { LevelBody } from '../schemas/order-book.ts'
import { bookDigest } from '../simulator/control/book-history.ts'
import type { SimStatus } from '../simulator/model/types.ts'
import type { Gateway } from './gateway.ts'
import { type TrueVersions, VENUES, type Venues } from './venues.ts'

/** What the gateway said of one book at one look, and whether that was so. */
export interface BookSample {
  state: string
  reason: string | null
  /** Equal to what the true book is or was a moment ago, level by level; and `live` only while the market trades. */
  right: boolean
  /** Proofs failed, as its verdict counts them. */
  mismatches: number
  status: SimStatus
}

/** One look at everything from outside. Times are epoch milliseconds. */
export interface Sample {
  atMs: number
  /** By `venue:id`; a market that the gateway does not serve is missing. */
  books: ReadonlyMap<string, BookSample>
  /** Every number in a venue's health by its path, arrays summed. */
  counters: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/** Time between two looks; what is shorter cannot be seen from outside. */
export const LOOK_EVERY_MS = 250
/** Messages may be in flight for so long: what the true book was within it is not wrong. */
export const IN_FLIGHT_MS = 500

/** Looks at the gateway and at the truth. */
export async function look(gateway: Gateway, venues: Venues): Promise<Sample> {
  const askedMs = Date.now()
  const served = await gateway.markets()
  const truths = new Map<string, TrueVersions>()
  for (const venue of VENUES)
    for (const truth of await venues.versions(venue)) truths.set(`${venue}:${truth.marketId}`, truth)
  const health = await gateway.health()

  const books = new Map<string, BookSample>()
  for (const { id, verdict, orderBook } of served) {
    const truth = truths.get(id)
    if (truth === undefined) continue
    const digest = bookDigest(pairs(orderBook.bids), pairs(orderBook.asks))
    const isTrue = truth.versions.some(
      (one) => one.digest === digest && (one.untilMs === null || one.untilMs >= askedMs - IN_FLIGHT_MS)
    )
    const { state, reason, mismatches } = verdict
    const { status } = truth
    const right = status === 'active' ? isTrue : state !== 'live'
    books.set(id, { state, reason, mismatches, status, right })
  }
  return {
    atMs: askedMs,
    books,
    counters: new Map(
      health.venues.map((venue) => [venue.venue, withIncidents(flatten(venue), health, venue.venue)])
    )
  }
}

/** Looks again and again until told to stop, and gives each sample to whoever listens. */
export class Sampler {
  readonly #gateway: Gateway
  readonly #venues: Venues
  readonly #listeners = new Set<(sample: Sample) => void>()
  #running = true
  #done: Promise<void> = Promise.resolve()

  constructor(gateway: Gateway, venues: Venues) {
    this.#gateway = gateway
    this.#venues = venues
  }

  start(): void {
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#running = false
    await this.#done
  }

  onSample(listener: (sample: Sample) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves to the first sample that meets a condition; null when none did in time. */
  until(condition: (sample: Sample) => boolean, timeoutMs: number): Promise<Sample | null> {
    return new Promise((resolve) => {
      const end = (sample: Sample | null) => {
        clearTimeout(timer)
        unlisten()
        resolve(sample)
      }
      const unlisten = this.onSample((sample) => condition(sample) && end(sample))
      const timer = setTimeout(() => end(null), timeoutMs)
    })
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const startedMs = performance.now()
      try {
        const sample = await look(this.#gateway, this.#venues)
        for (const listener of [...this.#listeners]) listener(sample)
      } catch (error) {
        if (this.#gateway.process.isGone || this.#venues.process.isGone) throw error
      }
      await sleep(Math.max(20, LOOK_EVERY_MS - (performance.now() - startedMs)))
    }
  }
}

function pairs(levels: readonly LevelBody[]): [string, string][] {
  return levels.map(({ price, size }) => [price, size])
}

/** Returns the numbers in a value by their path; those under one path of an array are added up. */
export function flatten(value: unknown): Map<string, number> {
  const found = new Map<string, number>()
  const walk = (part: unknown, path: string) => {
    if (typeof part === 'number') found.set(path, (found.get(path) ?? 0) + part)
    else if (Array.isArray(part)) for (const item of part) walk(item, path)
    else if (typeof part === 'object' && part !== null) {
      for (const [key, item] of Object.entries(part)) walk(item, path === '' ? key : `${path}.${key}`)
    }
  }
  walk(value, '')
  return found
}

/** Adds the counts of a venue's incidents as `incidents.KIND`. */
function withIncidents(counters: Map<string, number>, health: Health, venue: string): Map<string, number> {
  const byKind = health.incidents.byVenueAndKind[venue] ?? {}
  for (const [kind, count] of Object.entries(byKind)) counters.set(`incidents.${kind}`, count)
  return counters
}
