import type { SimVenue } from '../../simulator/model/types.ts'
import { Gateway } from '../gateway.ts'
import { isWhole } from '../judge.ts'
import { type Sample, Sampler } from '../sample.ts'
import { AUDIT_PERIOD_MS } from '../scenario.ts'
import { lostForGood } from '../unreceived.ts'
import { VENUES, Venues } from '../venues.ts'
import type { Outcome } from './undisturbed.ts'

/** A fault that needs processes of its own. */
export interface Solo {
  name: string
  venue: SimVenue | 'both'
  run: () => Promise<Outcome>
}

const WORLD = { markets: 20, rate: 60, seed: 11 }
export const WHOLE_MS = 45_000

export interface Place {
  venues: Venues
  gateway: Gateway
  sampler: Sampler
  samples: Sample[]
}

let started = 0

export interface PlaceOptions {
  /** Comes between the start of the venues and of the gateway. */
  spoil?: (venues: Venues) => Promise<void>
  /** The gateway's, besides those of the venues. */
  settings?: Record<string, string>
}

/** Runs something on a fresh pair of processes. */
export async function on<Result>(
  use: (place: Place) => Promise<Result>,
  { spoil = async () => {}, settings: own = {} }: PlaceOptions = {}
): Promise<Result> {
  const number = ++started
  const venues = await Venues.start(`venues-${number}`, WORLD)
  try {
    await spoil(venues)
    const settings = { ...venues.settings(), AUDIT_PERIOD_MS: String(AUDIT_PERIOD_MS), ...own }
    const gateway = await Gateway.start(`gateway-${number}`, settings)
    const sampler = new Sampler(gateway, venues)
    const samples: Sample[] = []
    sampler.onSample((sample) => samples.push(sample))
    sampler.start()
    try {
      return await use({ venues, gateway, sampler, samples })
    } finally {
      await sampler.stop()
      await gateway.process.stop()
    }
  } finally {
    await venues.process.stop()
  }
}

export const isWholeAt = (sample: Sample, venue?: string) => {
  const books = [...sample.books].filter(([id]) => venue === undefined || id.startsWith(`${venue}:`))
  return books.length > 0 && books.every(([, book]) => isWhole(book))
}

/** Both venues whole: the look before a fault. */
export async function whole({ sampler }: Place): Promise<Sample> {
  const sample = await sampler.until((one) => VENUES.every((venue) => isWholeAt(one, venue)), WHOLE_MS)
  if (sample === null) throw new Error('the books did not become whole')
  return sample
}

/**
 * Stops the model and resolves to the messages of these venues that the gateway never received; null where that cannot
 * be counted. Both processes are fresh: all that was ever sent counts.
 */
export async function messagesLost(
  { venues, gateway }: Place,
  of: readonly SimVenue[] = VENUES
): Promise<number | null> {
  await venues.control('POST', '/pause')
  const counts = await Promise.all(of.map((venue) => lostForGood(venues, gateway, venue)))
  return counts.reduce<number | null>(
    (sum, count) => (sum === null || count === null ? null : sum + count),
    0
  )
}

/** Returns a look as it is without one venue. */
export const without =
  (venue: string) =>
  (sample: Sample): Sample => ({
    ...sample,
    books: new Map([...sample.books].filter(([id]) => !id.startsWith(`${venue}:`))),
    counters: new Map([...sample.counters].filter(([name]) => name !== venue))
  })
