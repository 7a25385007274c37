import type { FastifyBaseLogger } from 'fastify'
import type { Venue } from '../../schemas/common.ts'
import type { RecycledVenue, RecyclerRun, RecyclerStatus } from '../../schemas/recycler.ts'
import { RecyclerBusyError } from '../errors.ts'
import type { VenueFeed } from '../venue/port.ts'
import { failedReport, isComplete, venueReport } from './report.ts'
import { nextDelayMs } from './schedule.ts'

export interface RecyclerOptions {
  /** Every venue that is run. */
  feeds: readonly Pick<VenueFeed, 'venue' | 'status' | 'recycle'>[]
  intervalMs: number
  /** For each venue; what is not renewed by then is kept. */
  venueTimeoutMs?: number
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  /** Hears the report of each run when it is over. */
  onRun?: (run: RecyclerRun) => void
  now?: () => number
  /** Milliseconds on a clock that never jumps. */
  steadyNow?: () => number
  random?: () => number
}

/** What all runs since the start did. */
export interface RecyclerTotals {
  runs: number
  swapped: number
  kept: number
  differed: number
  failures: number
}

interface Running {
  id: number
  trigger: RecyclerRun['trigger']
  startedAtMs: number
  venue: Venue | null
  step: string
}

const RUNS_KEPT = 20
const VENUE_TIMEOUT_MS = 15 * 60_000
const HOUR_MS = 3_600_000

/** Renews the connections of every venue on an interval, and when an operator asks; one run at a time. */
export class Recycler {
  readonly totals: RecyclerTotals = { runs: 0, swapped: 0, kept: 0, differed: 0, failures: 0 }
  private readonly options: Required<RecyclerOptions>
  private readonly lastRuns: RecyclerRun[] = []
  private running: Running | null = null
  private current: Promise<void> = Promise.resolve()
  private lastId = 0
  private timer: NodeJS.Timeout | null = null
  private nextRunAtMs: number | null = null
  private readonly stopping = new AbortController()

  constructor(options: RecyclerOptions) {
    this.options = {
      venueTimeoutMs: VENUE_TIMEOUT_MS,
      onRun: () => {},
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      random: Math.random,
      ...options
    }
  }

  /** Sets the time of the first run. */
  start(): void {
    this.schedule()
  }

  /** Ends the run under way, whatever it was doing, and starts no more. */
  async stop(): Promise<void> {
    this.stopping.abort()
    this.unschedule()
    await this.current
  }

  /**
   * Starts a run and returns its id at once.
   *
   * @throws {RecyclerBusyError} while a run is under way
   */
  run(trigger: RecyclerRun['trigger']): number {
    if (this.running !== null) throw new RecyclerBusyError(this.running.id)
    this.unschedule()
    const id = ++this.lastId
    this.running = { id, trigger, startedAtMs: this.options.now(), venue: null, step: 'starting' }
    this.current = this.perform(this.running)
    return id
  }

  status(): RecyclerStatus {
    const { running, nextRunAtMs, lastRuns } = this
    return {
      intervalHours: this.options.intervalMs / HOUR_MS,
      nextRunAt: nextRunAtMs === null ? null : new Date(nextRunAtMs).toISOString(),
      running:
        running === null
          ? null
          : {
              id: running.id,
              trigger: running.trigger,
              startedAt: new Date(running.startedAtMs).toISOString(),
              venue: running.venue,
              step: running.step
            },
      lastRuns: [...lastRuns]
    }
  }

  private schedule(): void {
    if (this.stopping.signal.aborted) return
    const { intervalMs, random, now } = this.options
    const delayMs = nextDelayMs(intervalMs, random)
    this.nextRunAtMs = now() + delayMs
    this.timer = setTimeout(() => this.run('schedule'), delayMs)
  }

  private unschedule(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.nextRunAtMs = null
  }

  /** Never rejects. */
  private async perform(running: Running): Promise<void> {
    const { feeds, now, steadyNow } = this.options
    const startedMs = steadyNow()
    const venues: RecycledVenue[] = []
    for (const feed of feeds) {
      if (this.stopping.signal.aborted) break
      running.venue = feed.venue
      venues.push(await this.renew(feed, running))
    }
    const isStopped = this.stopping.signal.aborted
    const { id, trigger, startedAtMs } = running
    this.keep({
      id,
      trigger,
      startedAt: new Date(startedAtMs).toISOString(),
      endedAt: new Date(now()).toISOString(),
      durationMs: Math.round(steadyNow() - startedMs),
      outcome: isStopped ? 'ended' : venues.every(isComplete) ? 'completed' : 'partial',
      venues
    })
    this.running = null
    this.schedule()
  }

  private async renew(
    feed: Pick<VenueFeed, 'venue' | 'status' | 'recycle'>,
    running: Running
  ): Promise<RecycledVenue> {
    const { venueTimeoutMs, steadyNow } = this.options
    const startedMs = steadyNow()
    const ending = new AbortController()
    const end = () => ending.abort()
    const timer = setTimeout(end, venueTimeoutMs)
    this.stopping.signal.addEventListener('abort', end, { once: true })
    try {
      if (!feed.status().synced) return failedReport(feed.venue, 0, 'the first synchronisation is not done')
      const recycled = await feed.recycle({
        signal: ending.signal,
        onProgress: (step) => {
          running.step = step
        }
      })
      return venueReport(feed.venue, steadyNow() - startedMs, recycled)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return failedReport(feed.venue, steadyNow() - startedMs, reason)
    } finally {
      clearTimeout(timer)
      this.stopping.signal.removeEventListener('abort', end)
    }
  }

  private keep(run: RecyclerRun): void {
    this.lastRuns.unshift(run)
    this.lastRuns.splice(RUNS_KEPT)
    this.options.onRun(run)
    const { totals } = this
    totals.runs++
    const venues = run.venues.map(({ venue, error, connections, differed, added, changed, ended }) => {
      const swapped = connections.filter(({ outcome }) => outcome === 'swapped').length
      const kept = connections.filter(({ outcome }) => outcome === 'kept')
      totals.swapped += swapped
      totals.kept += kept.length
      totals.differed += differed.total
      if (error !== null) totals.failures++
      return {
        venue,
        swapped,
        kept: kept.length,
        differed: differed.total,
        added: added.total,
        changed: changed.total,
        ended: ended.total,
        reason: error ?? kept[0]?.reason ?? null
      }
    })
    const { id, trigger, outcome, durationMs } = run
    const line = { run: id, trigger, outcome, durationMs, venues }
    if (outcome === 'partial') this.options.log.warn(line, 'connections were renewed in part')
    else this.options.log.info(line, 'connections were renewed')
  }
}
