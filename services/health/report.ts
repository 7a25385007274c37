import type { Health, VenueHealth } from '../../schemas/health.ts'
import type { HistoryHealth } from '../../schemas/history-health.ts'
import type { IncidentsHealth } from '../../schemas/integrity.ts'
import type { ReplicationHealth } from '../../schemas/replication-health.ts'
import type { Incidents } from '../integrity/incidents.ts'
import { isoTime } from '../snapshots/aggregate.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { BreakerStatus, FeedStatus } from '../venue/port.ts'

const INCIDENTS_LISTED = 20

/** The books of one venue, counted by what their verdicts say. */
interface BookCounts {
  markets: number
  byState: Record<string, number>
  byReason: Record<string, number>
}

/** Returns the part of the status that is about venues; `rates` are messages a second by venue. */
export function venueHealth(
  store: SnapshotStore,
  statuses: readonly FeedStatus[],
  rates: ReadonlyMap<string, number>
): VenueHealth[] {
  const counts = countBooks(store)
  return statuses.map((status) => {
    const books = counts.get(status.venue) ?? { markets: 0, byState: {}, byReason: {} }
    const { counters, discovery, rest } = status
    const lastMessages = status.connections.map(({ lastMessageAtMs }) => lastMessageAtMs ?? -1)
    return {
      venue: status.venue,
      source: status.source,
      synced: status.synced,
      note: status.note,
      lastMessageAt: isoTime(Math.max(-1, ...lastMessages)),
      messagesPerSecond: rates.get(status.venue) ?? 0,
      connections: status.connections.map(({ connectedAtMs, lastMessageAtMs, ...connection }) => ({
        ...connection,
        connectedAt: isoTime(connectedAtMs),
        lastMessageAt: isoTime(lastMessageAtMs),
        breaker: breakerHealth(connection.breaker)
      })),
      markets: books.markets,
      booksByState: books.byState,
      booksByReason: books.byReason,
      discovery: {
        lastAt: isoTime(discovery.lastAtMs),
        selected: discovery.selected,
        lastError: discovery.lastError
      },
      rest: {
        ...rest,
        hosts: rest.hosts.map((host) => ({ ...host, breaker: breakerHealth(host.breaker) }))
      },
      recovery: status.recovery,
      audit: status.audit,
      liveness: status.liveness,
      proofs: status.proofs === null ? null : { ...status.proofs },
      counters: {
        frames: counters.frames,
        applied: counters.applied,
        ignored: Object.fromEntries(counters.ignored),
        seen: Object.fromEntries(counters.seen)
      }
    }
  })
}

/** Returns what went wrong at the venues, the latest of it in full. */
export function incidentsHealth(incidents: Incidents): IncidentsHealth {
  return {
    total: incidents.total,
    byVenueAndKind: incidents.counts(),
    latest: incidents.latest(INCIDENTS_LISTED).map(({ atMs, endedAtMs, ...incident }) => ({
      ...incident,
      at: isoTime(atMs) as string,
      endedAt: isoTime(endedAtMs)
    }))
  }
}

/** Returns the one word for all venues together, and for what comes from or goes to Redis. */
export function overallStatus(
  statuses: readonly FeedStatus[],
  replication: ReplicationHealth | null = null
): Health['status'] {
  if (statuses.some(({ synced }) => !synced) || replication?.replica?.filled === false) return 'starting'
  if (replication !== null && isHampered(replication)) return 'degraded'
  const isWell = statuses.every(
    ({ refused, connections, rest }) =>
      !refused &&
      connections.every(({ state }) => state === 'open') &&
      rest.hosts.every(({ breaker }) => breaker.state === 'closed')
  )
  return isWell ? 'ok' : 'degraded'
}

function isHampered({ redis, replica }: ReplicationHealth): boolean {
  return redis.state !== 'ready' || (replica !== null && replica.laggingShards > 0)
}

function breakerHealth({ changedAtMs, ...breaker }: BreakerStatus) {
  return { ...breaker, changedAt: isoTime(changedAtMs) }
}

function countBooks(store: SnapshotStore): Map<string, BookCounts> {
  const { verdicts } = store.books
  const counts = new Map<string, BookCounts>()
  for (const { slot, market } of store.records()) {
    let books = counts.get(market.venue)
    if (books === undefined) {
      books = { markets: 0, byState: {}, byReason: {} }
      counts.set(market.venue, books)
    }
    const state = verdicts.state(slot)
    const reason = verdicts.reason(slot)
    books.markets++
    books.byState[state] = (books.byState[state] ?? 0) + 1
    if (reason !== null) books.byReason[reason] = (books.byReason[reason] ?? 0) + 1
  }
  return counts
}

/** Returns how recording is doing, as health tells it. */
export function historyHealth({ engine, openError, recorder, journals }: RecordingStatus): HistoryHealth {
  const { gapFiller, rows, lastError, state, lagMs, pending, waiting } = recorder
  const { written, conflated, dropped, failures, openGaps } = recorder
  const { runs, closed, unrecoverable, successRate } = gapFiller
  return {
    engine,
    state,
    error: openError ?? lastError,
    lagMs,
    pending,
    waiting,
    written,
    conflated,
    dropped,
    failures,
    snapshotsByCause: { ...rows },
    openGaps,
    gapFiller: { runs, closed: { ...closed }, unrecoverable, successRate },
    journals: Object.fromEntries(Object.entries(journals).map(([name, status]) => [name, { ...status }]))
  }
}

/** What whoever records says of itself; its room is not imported, only its words. */
export interface RecordingStatus {
  engine: HistoryHealth['engine']
  openError: string | null
  recorder: Omit<HistoryHealth, 'engine' | 'error' | 'snapshotsByCause' | 'journals' | 'gapFiller'> & {
    lastError: string | null
    rows: Record<string, number>
    gapFiller: HistoryHealth['gapFiller']
  }
  journals: Record<string, HistoryHealth['journals'][string]>
}
