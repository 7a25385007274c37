import type { RecycledVenue } from '../../schemas/recycler.ts'
import { formatPrice, formatSize } from '../numbers/decimal.ts'
import type { ConnectionRecycle, VenueRecycle } from '../venue/recycle.ts'
import { diffMarkets } from './diff.ts'

/** Lists in a report hold no more than this many entries. */
const ENTRIES_MAX = 100

/** Returns the report of what a run did with one venue. */
export function venueReport(
  venue: RecycledVenue['venue'],
  durationMs: number,
  { connections, before, after, discoveryError }: VenueRecycle
): RecycledVenue {
  const { added, changed, ended } = diffMarkets(before, after)
  return {
    venue,
    durationMs: Math.round(durationMs),
    error: discoveryError === null ? null : `discovery failed: ${discoveryError}`,
    connections: connections.map((one) => ({ ...one, differed: one.differed.length })),
    differed: listed(connections.flatMap(differingBooks)),
    markets: after.size,
    added: listed(added),
    changed: listed(changed),
    ended: listed(ended)
  }
}

/** Returns the report of a venue with which nothing could be done. */
export function failedReport(venue: RecycledVenue['venue'], durationMs: number, why: string): RecycledVenue {
  const nothing = { connections: [], before: new Map(), after: new Map(), discoveryError: null }
  return { ...venueReport(venue, durationMs, nothing), error: why }
}

/** True when everything of a venue was renewed. */
export function isComplete({ error, connections }: RecycledVenue): boolean {
  return error === null && connections.every(({ outcome }) => outcome === 'swapped')
}

function differingBooks({ name, differed }: ConnectionRecycle) {
  return differed.map(({ marketId, difference: { levels, first } }) => ({
    marketId,
    connection: name,
    levels,
    side: first.side,
    price: formatPrice(first.priceE4),
    size: formatSize(first.sizeE6),
    freshSize: formatSize(first.otherSizeE6)
  }))
}

function listed<T>(all: T[]): { total: number; items: T[] } {
  return { total: all.length, items: all.slice(0, ENTRIES_MAX) }
}
