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
  /** The start of the offending frame; never a header, so never a secret. */
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

const CAPACITY = 500
const SAMPLE_MAX = 500
/** The same thing at the same place within this time is counted, and listed once. */
const LIST_AGAIN_AFTER_MS = 60_000

/**
 * The incidents of all venues: the latest of them in full, all of them in counts. Nothing here grows with time.
 *
 * @example incidents.note({ venue: 'kalshi', kind: 'drift', marketId, detail: 'delta without price', sample })
 */
export class Incidents {
  private readonly options: Required<IncidentsOptions>
  /** Oldest first, by id. */
  private readonly listed = new Map<number, Listed>()
  private readonly lastByPlace = new Map<string, Listed>()
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
   * names no market) a moment ago. Returns the id to `end` it by: that of the listed one.
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
    const incident: Incident = {
      id: this.nextId++,
      atMs: note.atMs ?? now(),
      venue,
      kind,
      marketId,
      connection,
      detail,
      sample: sample === null ? null : sample.slice(0, SAMPLE_MAX),
      endedAtMs: null
    }
    const listed = { incident, steadyAtMs }
    this.makeRoom()
    this.listed.set(incident.id, listed)
    this.lastByPlace.set(place, listed)
    onListed(incident)
    return incident.id
  }

  /** Says that an incident is over; one that is no longer listed is ignored. */
  end(id: number, atMs = this.options.now()): void {
    const listed = this.listed.get(id)
    if (listed !== undefined) listed.incident.endedAtMs ??= atMs
  }

  /** Returns the latest incidents, the newest first. */
  latest(limit: number): Incident[] {
    return [...this.listed.values()]
      .slice(-Math.max(1, limit))
      .reverse()
      .map(({ incident }) => ({ ...incident }))
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

  private makeRoom(): void {
    if (this.listed.size < this.options.capacity) return
    const [oldest] = this.listed.values()
    if (oldest === undefined) return
    const { id, venue, kind, marketId, connection } = oldest.incident
    this.listed.delete(id)
    const place = placeOf(venue, kind, marketId, connection)
    if (this.lastByPlace.get(place) === oldest) this.lastByPlace.delete(place)
  }
}

function placeOf(venue: string, kind: string, marketId: string | null, connection: string | null): string {
  return `${venue} ${kind} ${marketId ?? connection ?? ''}`
}
