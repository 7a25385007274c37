import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import fp from 'fastify-plugin'
import type { Health } from '../schemas/health.ts'
import { MessageRate } from '../services/health/message-rate.ts'
import { historyHealth, incidentsHealth, overallStatus, venueHealth } from '../services/health/report.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Returns the full status of the gateway and its venues. */
    getHealth(): Health
  }
}

const SAMPLE_INTERVAL_MS = 5_000
const DELAY_RESOLUTION_MS = 10

export default fp(
  async (app) => {
    const startedAtMs = Date.now()
    const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
    const rates = new Map<string, MessageRate>()
    let timer: NodeJS.Timeout | undefined

    let loop = readDelay(delay)

    const sample = () => {
      const now = Date.now()
      // By our own clock, not by who asks: two monitors must not take each other's figures.
      loop = readDelay(delay)
      delay.reset()
      for (const feed of app.venueFeeds) {
        const rate = rates.get(feed.venue) ?? new MessageRate()
        rates.set(feed.venue, rate)
        rate.sample(now, feed.status().counters.frames)
      }
    }

    app.decorate('getHealth', () => {
      const now = Date.now()
      const statuses = app.venueFeeds.map((feed) => feed.status())
      const perSecond = statuses.map(({ venue, counters }): [string, number] => [
        venue,
        rates.get(venue)?.perSecond(now, counters.frames) ?? 0
      ])
      const memory = process.memoryUsage()
      const replication = app.replication?.health() ?? null
      const health: Health = {
        status: overallStatus(statuses, replication),
        startedAt: new Date(startedAtMs).toISOString(),
        uptimeMs: now - startedAtMs,
        venues: venueHealth(app.snapshotStore, statuses, new Map(perSecond)),
        incidents: incidentsHealth(app.incidents),
        process: {
          residentBytes: memory.rss,
          heapUsedBytes: memory.heapUsed,
          arrayBufferBytes: memory.arrayBuffers,
          ...loop
        },
        store: {
          markets: app.snapshotStore.size,
          capacityMarkets: app.snapshotStore.books.capacityMarkets,
          levelsReserved: app.snapshotStore.books.arena.reservedLevels,
          capacityLevels: app.snapshotStore.books.arena.capacityLevels
        },
        validation: app.responseChecker.health(),
        history: app.history === undefined ? null : historyHealth(app.history.status()),
        stream: app.streamHub.status(),
        replication,
        replay: app.replay?.health() ?? null
      }
      return health
    })

    app.addHook('onListen', async () => {
      delay.enable()
      sample()
      timer = setInterval(sample, SAMPLE_INTERVAL_MS)
    })
    app.addHook('onClose', async () => {
      delay.disable()
      clearInterval(timer)
    })
  },
  {
    name: 'health-monitor',
    dependencies: ['snapshot-store', 'venue-feeds', 'response-validation', 'incidents', 'stream']
  }
)

/** The event-loop delay since the last reading. */
function readDelay(delay: IntervalHistogram) {
  return {
    eventLoopDelayMeanMs: milliseconds(delay.mean),
    eventLoopDelayP99Ms: milliseconds(delay.percentile(99)),
    eventLoopDelayMaxMs: milliseconds(delay.max)
  }
}

/** From nanoseconds; what the timer itself waits is no delay. */
function milliseconds(nanoseconds: number): number {
  const delayed = nanoseconds / 1e6 - DELAY_RESOLUTION_MS
  return Number.isFinite(delayed) && delayed > 0 ? Math.round(delayed * 100) / 100 : 0
}
