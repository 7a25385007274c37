import { withoutPrivate } from './sample.ts'

/** Something that went wrong at a venue and that an operator may want to see. Times are epoch milliseconds. */
export interface Incident {
  readonly id: number
  readonly atMs: number
  readonly venue: string
  /** What happened, as a stable code: `drift`, `sequence_gap`, `audit_mismatch`, ... */
  readonly kind: string
  /** Null where it concerns no market, or many. */
  readonly marketId: string | null
  readonly connection: string | null
  readonly detail: string
  /** The start of the offending frame, without what is private. */
  readonly sample: string | null
  /** When it was over; null while it goes on, or where it has no length. */
  endedAtMs: number | null
}

export interface IncidentNote {
  venue: string
  kind: string
  marketId?: string | null
  connection?: string | null
  detail: string
  sample?: string | null
  /** Now, unless it is told later than it happened. */
  atMs?: number
}

export interface IncidentsOptions {
  /** How many are kept; the oldest go first. */
  capacity?: number
  /** Called for each that is listed: where alerts start. Must not throw. */
  onListed?: (incident: Incident) => void
  now?: () => number
  /** Never jumps: for durations only. */
  steadyNow?: () => number
}

/** Counts by kind, by venue. */
export type IncidentCounts = Record<string, Record<string, number>>

interface Listed {
  readonly incident: Incident
  readonly steadyAtMs: number
}

/** Listings of one kind at one venue, in the minute that began at `sinceMs`. */
interface Listings {
  sinceMs: number
  count: number
  lastId: number
}

const CAPACITY = 500
const SAMPLE_MAX = 500
/** The same thing at the same place within this time is counted, and listed once. */
const LIST_AGAIN_AFTER_MS = 60_000
/** Places whose last listing is remembered: many more than are listed, or a storm would list each frame. */
const PLACES_MAX = 4_096
/** Of one kind at one venue no more than this are listed in a minute; the others are counted. */
const LISTINGS_MAX = 100

/**
 * The incidents of all venues: the latest of them in full, all of them in counts. Nothing here grows with time.
 *
 * @example incidents.note({ venue: 'kalshi', kind: 'drift', marketId, detail: 'delta without price', sample })
 */
export class Incidents {
  private readonly options: Required<IncidentsOptions>
  /** Oldest first, by id. */
  private readonly listed = new Map<number, Incident>()
  /** The last listing of each place, the oldest first; it may have left the list. */
  private readonly lastByPlace = new Map<string, Listed>()
  /** By venue and kind. */
  private readonly listings = new Map<string, Listings>()
  private readonly countsByVenue = new Map<string, Map<string, number>>()
  private noted = 0
  private nextId = 1

  constructor(options: IncidentsOptions = {}) {
    this.options = {
      capacity: CAPACITY,
      onListed: () => {},
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      ...options
    }
  }

  /** All that were noted since the start, listed or not. */
  get total(): number {
    return this.noted
  }

  /**
   * Counts an incident and lists it, unless the same kind was listed for the same market (or connection, where it
   * names no market) a moment ago, or too many of that kind were. Returns the id to `end` it by: that of the listed
   * one, or of the kind's last one when there were too many.
   */
  note(note: IncidentNote): number {
    const { venue, kind, marketId = null, connection = null, detail, sample = null } = note
    const { now, steadyNow, onListed } = this.options
    const steadyAtMs = steadyNow()
    this.count(venue, kind)
    const place = placeOf(venue, kind, marketId, connection)
    const last = this.lastByPlace.get(place)
    if (last !== undefined && steadyAtMs - last.steadyAtMs < LIST_AGAIN_AFTER_MS) {
      last.incident.endedAtMs = null
      return last.incident.id
    }
    const listings = this.listingsOf(`${venue} ${kind}`, steadyAtMs)
    if (listings.count >= LISTINGS_MAX) return listings.lastId
    const incident: Incident = {
      id: this.nextId++,
      atMs: note.atMs ?? now(),
      venue,
      kind,
      marketId,
      connection,
      detail,
      sample: sample === null ? null : withoutPrivate(sample.slice(0, SAMPLE_MAX)),
      endedAtMs: null
    }
    listings.count++
    listings.lastId = incident.id
    dropOldest(this.listed, this.options.capacity)
    this.listed.set(incident.id, incident)
    // Set anew, it is the youngest.
    this.lastByPlace.delete(place)
    dropOldest(this.lastByPlace, PLACES_MAX)
    this.lastByPlace.set(place, { incident, steadyAtMs })
    onListed(incident)
    return incident.id
  }

  /** Says that an incident is over; one that is no longer listed is ignored. */
  end(id: number, atMs = this.options.now()): void {
    const incident = this.listed.get(id)
    if (incident !== undefined) incident.endedAtMs ??= atMs
  }

  /** Returns the latest incidents, the newest first. */
  latest(limit: number): Incident[] {
    return [...this.listed.values()]
      .slice(-Math.max(1, limit))
      .reverse()
      .map((incident) => ({ ...incident }))
  }

  /** Returns how often each kind was noted at each venue, listed or not. */
  counts(): IncidentCounts {
    return Object.fromEntries(
      [...this.countsByVenue].map(([venue, kinds]) => [venue, Object.fromEntries(kinds)])
    )
  }

  private count(venue: string, kind: string): void {
    this.noted++
    const kinds = this.countsByVenue.get(venue) ?? new Map<string, number>()
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    this.countsByVenue.set(venue, kinds)
  }

  private listingsOf(key: string, nowMs: number): Listings {
    const known = this.listings.get(key) ?? { sinceMs: nowMs, count: 0, lastId: 0 }
    if (nowMs - known.sinceMs >= LIST_AGAIN_AFTER_MS) {
      known.sinceMs = nowMs
      known.count = 0
    }
    this.listings.set(key, known)
    return known
  }
}

/** Makes room for one more where there are `max`: a map keeps the order in which its entries were set. */
function dropOldest<Key>(map: Map<Key, unknown>, max: number): void {
  if (map.size < max) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

function placeOf(venue: string, kind: string, marketId: string | null, connection: string | null): string {
  return `${venue} ${kind} ${marketId ?? connection ?? ''}`
}
