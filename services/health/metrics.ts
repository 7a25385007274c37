import { Counter, Gauge, Registry } from 'prom-client'
import type { Health, VenueHealth } from '../../schemas/health.ts'
import type { HistoryHealth } from '../../schemas/history-health.ts'
import type { ReplicationHealth } from '../../schemas/replication-health.ts'
import { REASONS } from '../integrity/verdict.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import { type Labels, streamMetrics } from './stream-metrics.ts'

export interface MetricsOptions {
  store: SnapshotStore
  getHealth: () => Health
  /** How long ago the book of a slot was audited; null where it never was. */
  auditAgeMs: (venue: string, slot: number) => number | null
  /** What all runs of the recycler did. */
  recycler: () => Readonly<Record<'runs' | 'swapped' | 'kept' | 'differed' | 'failures', number>>
  now?: () => number
}

/** The markets whose last proof is oldest, each with its age: one that is never proved must not hide in a quantile. */
const OLDEST = 50
/** Twice what two venues have by default; of more, those that were audited longest ago. */
const AUDITED = 2_000
const STATE_OF = new Map<string, string>(REASONS)

/**
 * Everything that health tells, in the text that Prometheus reads. All of it is put together when it is asked for:
 * between two scrapes it costs nothing.
 */
export class Metrics {
  private readonly options: Required<MetricsOptions>
  private readonly registry = new Registry()
  private readonly metrics = new Map<string, Gauge | Counter>()

  constructor(options: MetricsOptions) {
    this.options = { now: Date.now, ...options }
  }

  get contentType(): string {
    return this.registry.contentType
  }

  /** Returns the figures as of now. */
  async scrape(): Promise<string> {
    const { getHealth, recycler } = this.options
    const health = getHealth()
    for (const metric of this.metrics.values()) metric.reset()
    this.process(health)
    for (const venue of health.venues) this.venue(venue)
    for (const [venue, kinds] of Object.entries(health.incidents.byVenueAndKind))
      for (const [kind, count] of Object.entries(kinds))
        this.count('crossbook_incidents_total', 'Incidents at the venues', count, { venue, kind })
    for (const [what, count] of Object.entries(recycler()))
      this.count('crossbook_recycler_total', 'What the recycler did', count, { what })
    if (health.history !== null) this.history(health.history)
    streamMetrics(health.stream, {
      set: (...metric) => this.set(...metric),
      count: (...metric) => this.count(...metric)
    })
    if (health.replication !== null) this.replication(health.replication)
    this.oldestProofs()
    this.oldestAudits()
    return this.registry.metrics()
  }

  private process({ process, uptimeMs }: Health): void {
    this.set('crossbook_uptime_seconds', 'Time since the start', uptimeMs / 1_000)
    this.set('crossbook_resident_bytes', 'Resident memory', process.residentBytes)
    this.set('crossbook_heap_used_bytes', 'JavaScript heap in use', process.heapUsedBytes)
    this.set('crossbook_array_buffer_bytes', 'Buffers and typed arrays', process.arrayBufferBytes)
    this.set(
      'crossbook_event_loop_delay_p99_seconds',
      '99th percentile of the event-loop delay',
      process.eventLoopDelayP99Ms / 1_000
    )
  }

  private history({
    state,
    lagMs,
    waiting,
    pending,
    openGaps,
    gapFiller,
    journals,
    ...counts
  }: HistoryHealth): void {
    for (const one of ['opening', 'well', 'away', 'stopped'])
      this.set(
        'crossbook_history_database',
        '1 for the state that the database is in',
        Number(one === state),
        {
          state: one
        }
      )
    this.set('crossbook_history_lag_seconds', 'Age of the oldest row that waits', lagMs / 1_000)
    this.set('crossbook_history_waiting_rows', 'Rows and changes that wait', waiting + pending)
    const { written, conflated, dropped, failures } = counts
    for (const [what, count] of Object.entries({ written, conflated, dropped }))
      this.count('crossbook_history_rows_total', 'What became of rows', count, { what })
    this.count('crossbook_history_failures_total', 'Writes to the database that failed', failures, {})
    this.set('crossbook_gaps_open', 'Gaps that are not over', openGaps)
    const closed = { ...gapFiller.closed, none: gapFiller.unrecoverable }
    for (const [how, count] of Object.entries(closed))
      this.count('crossbook_gaps_filled_total', 'Gaps that the gap filler decided', count, { how })
    if (gapFiller.successRate !== null)
      this.set('crossbook_gap_fill_success', 'Gaps closed of those decided', gapFiller.successRate)
    for (const [journal, status] of Object.entries(journals)) {
      this.set('crossbook_journal_ok', '1 while the journal is written', Number(status.state === 'ok'), {
        journal
      })
      this.set(
        'crossbook_journal_lag_seconds',
        'Age of the oldest record not on disk',
        status.lagMs / 1_000,
        {
          journal
        }
      )
      this.count('crossbook_journal_records_total', 'Records taken in', status.records, { journal })
      this.count('crossbook_journal_lost_total', 'Records lost', status.lostRecords, { journal })
      this.count('crossbook_journal_bytes_total', 'Bytes written to files', status.bytesWritten, { journal })
    }
  }

  private replication({ redis, leases, writer, replica, cache }: ReplicationHealth): void {
    this.set('crossbook_redis_ready', '1 while Redis answers', Number(redis.state === 'ready'))
    this.count('crossbook_redis_connects_total', 'Times that Redis was reached', redis.connects, {})
    if (leases !== null) {
      this.set('crossbook_shards_held', 'Shards that this process writes', leases.held)
      this.set('crossbook_ingest_members', 'Ingest processes that share the markets', leases.members)
    }
    if (writer !== null) {
      this.set(
        'crossbook_replication_backlog_seconds',
        'Age of the oldest untold change',
        writer.backlogMs / 1_000
      )
      const { entries, failures, fenced, lostTrades } = writer
      for (const [what, count] of Object.entries({ entries, failures, fenced, lostTrades }))
        this.count('crossbook_replication_writes_total', 'Writes of changes by how they ended', count, {
          what
        })
    }
    if (replica !== null) {
      this.set('crossbook_replica_filled', '1 once every shard was filled', Number(replica.filled))
      this.set('crossbook_replica_lagging_shards', 'Shards that are behind', replica.laggingShards)
      if (replica.lagMs !== null)
        this.set(
          'crossbook_replica_lag_seconds',
          'Lag of the shard that is furthest behind',
          replica.lagMs / 1_000
        )
      const { entries, changes, gaps, fills, unreadable } = replica
      for (const [what, count] of Object.entries({ entries, changes, gaps, fills, unreadable }))
        this.count('crossbook_replica_total', 'What a replica did', count, { what })
    }
    for (const [what, count] of Object.entries({
      hit: cache.hits,
      miss: cache.misses,
      failure: cache.readFailures
    }))
      this.count(
        'crossbook_cache_reads_total',
        'Markets that a replica looked for in the cache, by what it found',
        count,
        { what }
      )
    const writes = { written: cache.written, refreshed: cache.refreshed, failure: cache.writeFailures }
    for (const [what, count] of Object.entries(writes))
      this.count('crossbook_cache_writes_total', 'Markets written to the cache or kept in it', count, {
        what
      })
  }

  private venue(health: VenueHealth): void {
    const { venue, source, synced, counters, connections } = health
    this.set('crossbook_synced', '1 once the first synchronisation is done', Number(synced), {
      venue,
      source
    })
    this.books(health)
    this.count('crossbook_frames_total', 'Frames received', counters.frames, { venue })
    this.count('crossbook_frames_applied_total', 'Frames that changed something', counters.applied, { venue })
    for (const [reason, count] of Object.entries(counters.ignored))
      this.count(
        'crossbook_frames_ignored_total',
        'Frames, or elements of them, that changed nothing',
        count,
        {
          venue,
          reason
        }
      )
    for (const [reading, count] of Object.entries(counters.seen))
      this.count('crossbook_observed_total', 'What was seen to happen, such as gaps', count, {
        venue,
        reading
      })
    for (const { name: connection, state, reconnects, breaker } of connections) {
      const labels = { venue, connection }
      this.set(
        'crossbook_connection_open',
        '1 while the connection is open',
        Number(state === 'open'),
        labels
      )
      this.count('crossbook_reconnects_total', 'Times that a connection was opened again', reconnects, labels)
      this.breaker(breaker, { venue, around: connection })
    }
    this.rest(health)
    this.recovery(health)
    this.proofs(health)
  }

  /** Each reason brings one state; a live book has none. */
  private books({ venue, booksByState, booksByReason }: VenueHealth): void {
    const help = 'Books by the state and the reason of their verdict'
    this.set('crossbook_books', help, booksByState.live ?? 0, { venue, state: 'live', reason: '' })
    for (const [reason, count] of Object.entries(booksByReason))
      this.set('crossbook_books', help, count, { venue, state: STATE_OF.get(reason) ?? '', reason })
  }

  private rest({ venue, rest }: VenueHealth): void {
    for (const { name: host, requests, failures, retries, breaker, tokensPerSecond } of rest.hosts) {
      const labels = { venue, host }
      this.count('crossbook_rest_requests_total', 'REST requests made', requests, labels)
      this.count('crossbook_rest_failures_total', 'REST requests that failed', failures, labels)
      this.count('crossbook_rest_retries_total', 'REST requests made again', retries, labels)
      this.set('crossbook_rest_tokens_per_second', 'The present pace of requests', tokensPerSecond, labels)
      this.breaker(breaker, { venue, around: host })
    }
  }

  private breaker({ state, opened }: VenueHealth['connections'][number]['breaker'], labels: Labels): void {
    for (const one of ['closed', 'half_open', 'open'])
      this.set('crossbook_breaker', '1 for the state that a circuit breaker is in', Number(one === state), {
        ...labels,
        state: one
      })
    this.count('crossbook_breaker_opened_total', 'Times that a circuit breaker opened', opened, labels)
  }

  private recovery({ venue, recovery }: VenueHealth): void {
    const { losses, recovered, resubscribed, lastMs, maxMs } = recovery
    this.count('crossbook_connection_losses_total', 'Open connections that were lost', losses, { venue })
    this.count('crossbook_recoveries_total', 'Losses after which every book was whole again', recovered, {
      venue
    })
    this.count('crossbook_resubscribed_total', 'Books subscribed again after losses', resubscribed, { venue })
    const help = 'From a loss to the last book that was whole again'
    if (lastMs !== null)
      this.set('crossbook_recovery_seconds', help, lastMs / 1_000, { venue, which: 'last' })
    if (maxMs !== null) this.set('crossbook_recovery_seconds', help, maxMs / 1_000, { venue, which: 'max' })
  }

  private proofs({ venue, audit, liveness, proofs }: VenueHealth): void {
    for (const [what, count] of Object.entries(proofs ?? {}))
      this.set('crossbook_proofs', 'What the proofs by hash did', count, { venue, what })
    for (const [what, count] of Object.entries(liveness ?? {}))
      this.set('crossbook_liveness', 'Which silences were deaths', count, { venue, what })
    if (audit === null) return
    const results = { equal: audit.equal, mismatch: audit.mismatch, confirmed: audit.confirmed }
    const help = 'Audits by how they ended'
    for (const [result, count] of Object.entries(results))
      this.count('crossbook_audits_total', help, count, { venue, result, why: '' })
    for (const [why, count] of Object.entries(audit.explained))
      this.count('crossbook_audits_total', help, count, { venue, result: 'explained', why })
    this.count('crossbook_audit_failed_reads_total', 'Reads for audits that failed', audit.failedReads, {
      venue
    })
    for (const [what, count] of Object.entries(audit.polls))
      this.count('crossbook_side_polls_total', 'What polls beside the stream gave', count, { venue, what })
    for (const [quantile, ms] of Object.entries(audit.ageMs ?? {}))
      this.set('crossbook_audit_age_seconds', 'Time since the last audit of a book', ms / 1_000, {
        venue,
        quantile
      })
  }

  private oldestAudits(): void {
    const { store, auditAgeMs } = this.options
    const audited: { id: string; venue: string; ageMs: number }[] = []
    for (const { id, slot, market } of store.records()) {
      const ageMs = auditAgeMs(market.venue, slot)
      if (ageMs !== null) audited.push({ id, venue: market.venue, ageMs })
    }
    audited.sort((a, b) => b.ageMs - a.ageMs)
    for (const { id, venue, ageMs } of audited.slice(0, AUDITED))
      this.set(
        'crossbook_market_audit_age_seconds',
        `Time since the last audit of a book, for the ${AUDITED} books where it is longest`,
        ageMs / 1_000,
        { venue, market: id }
      )
  }

  private oldestProofs(): void {
    const { store, now } = this.options
    const { verdicts } = store.books
    const live = [...store.records()].filter(({ slot }) => verdicts.state(slot) === 'live')
    const verifiedAtMs = ({ slot }: { slot: number }) => {
      const atMs = verdicts.verifiedAtMs(slot)
      return Number.isNaN(atMs) ? verdicts.receivedAtMs(slot) : atMs
    }
    live.sort((a, b) => verifiedAtMs(a) - verifiedAtMs(b))
    for (const record of live.slice(0, OLDEST))
      this.set(
        'crossbook_oldest_proof_seconds',
        `Time since the last proof of the ${OLDEST} live books where it is longest`,
        Math.max(0, now() - verifiedAtMs(record)) / 1_000,
        { venue: record.market.venue, market: record.id }
      )
  }

  private set(name: string, help: string, value: number, labels: Labels = {}): void {
    const labelNames = Object.keys(labels)
    const metric = this.metrics.get(name) ?? new Gauge({ name, help, labelNames, registers: [this.registry] })
    this.metrics.set(name, metric)
    ;(metric as Gauge).set(labels, value)
  }

  /** A count is kept elsewhere and never falls: it is told as a counter. */
  private count(name: string, help: string, value: number, labels: Labels): void {
    const labelNames = Object.keys(labels)
    const metric =
      this.metrics.get(name) ?? new Counter({ name, help, labelNames, registers: [this.registry] })
    this.metrics.set(name, metric)
    metric.inc(labels, value)
  }
}
