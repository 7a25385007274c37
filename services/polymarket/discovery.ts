import type { Discovered } from '../venue/catalogue.ts'
import { parseEvent, parseMarket, parseTagSlugs } from './parse-market.ts'
import { CONDITION_IDS_PER_CALL, type PolymarketRest } from './rest.ts'

export interface DiscoveryOptions {
  rest: Pick<PolymarketRest, 'fetchEvents' | 'fetchMarkets'>
  /** Tag slugs; empty means all. */
  tags: readonly string[]
  /** Enough: paging stops when this many markets are known that no later event can outrank. */
  wanted: number
}

/** A market that was looked up by its condition id, with the slugs of its tags. */
export interface LookedUp extends Discovered {
  tagSlugs: string[]
}

/** Far more than the venue has; only a list that never ends gets here. */
const MAX_PAGES = 2_000

/**
 * Returns the busiest open markets with a book. The venue lists events by their volume over 24 h, and a market cannot
 * have more than its event: once enough markets have more than the last event seen, no later page matters.
 */
export async function discoverMarkets({ rest, tags, wanted }: DiscoveryOptions): Promise<Discovered[]> {
  const found = new Map<string, Discovered>()
  for (const tag of tags.length === 0 ? [undefined] : tags) {
    for (const one of await discoverTag(rest, tag, wanted)) found.set(one.market.id, one)
  }
  return [...found.values()]
}

/**
 * Returns the markets of some condition ids. Gamma hides closed markets unless asked for them, and then shows no
 * others, so it is asked twice. Ids that it does not know are left out.
 */
export async function lookUpMarkets(
  rest: DiscoveryOptions['rest'],
  conditionIds: readonly string[]
): Promise<LookedUp[]> {
  const found = new Map<string, LookedUp>()
  for (let from = 0; from < conditionIds.length; from += CONDITION_IDS_PER_CALL) {
    const some = conditionIds.slice(from, from + CONDITION_IDS_PER_CALL)
    // Closed ones last: a market that closes between the two calls is in both.
    for (const closed of [false, true]) {
      for (const item of await rest.fetchMarkets(some, closed)) {
        const one = parseMarket(item)
        if (one !== null) found.set(one.market.id, { ...one, tagSlugs: parseTagSlugs(item) })
      }
    }
  }
  return [...found.values()]
}

async function discoverTag(
  rest: DiscoveryOptions['rest'],
  tag: string | undefined,
  wanted: number
): Promise<Discovered[]> {
  const found = new Map<string, Discovered>()
  const events = new Set<string>()
  const cursors = new Set<string>()
  let cursor: string | null = null
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page = await rest.fetchEvents(tag, cursor)
    const knownBefore = events.size
    let lastVolume: number | null = null
    for (const item of page.items) {
      const event = parseEvent(item)
      if (event === null) continue
      events.add(event.id)
      lastVolume = event.volume24h
      for (const one of event.markets) found.set(one.market.id, one)
    }
    // A cursor that repeats, or a page of known events, is a list that turns in a circle.
    if (page.cursor === null || cursors.has(page.cursor) || events.size === knownBefore) break
    if (lastVolume !== null && countBusier(found, lastVolume) >= wanted) break
    cursors.add(page.cursor)
    cursor = page.cursor
  }
  return [...found.values()]
}

function countBusier(found: ReadonlyMap<string, Discovered>, volume24h: number): number {
  let count = 0
  for (const { market } of found.values()) if (Number(market.volume24h ?? 0) >= volume24h) count++
  return count
}
