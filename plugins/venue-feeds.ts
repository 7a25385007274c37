import fp from 'fastify-plugin'
import { NotReadyError } from '../services/errors.ts'
import type { VenueFeed } from '../services/venue/port.ts'
import type { HistoryTaps } from '../services/venue/wire-tap.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Every venue that is run: each feed's plugin adds its own, so that nobody else knows a venue by name. */
    venueFeeds: VenueFeed[]
    /** What the feeds tell whoever keeps history; absent where nobody does. */
    historyTaps?: HistoryTaps
    /** Why we are not ready yet, besides venues that are not synchronised; null: nothing of it. */
    readyChecks: (() => string | null)[]
    /** Throws `NotReadyError` until every venue is synchronised and no check says why not. */
    assertReady(): void
    /** Throws `NotReadyError` until one venue has been: a venue that is down must not silence the others. */
    assertServing(): void
    /** There is something to serve already, flagged, from the run before. */
    serveStale(): void
  }
}

const RETRY_AFTER_SECONDS = 2

export default fp(
  async (app) => {
    const feeds: VenueFeed[] = []
    const checks: (() => string | null)[] = []
    let serving = false
    app.decorate('venueFeeds', feeds)
    app.decorate('readyChecks', checks)
    app.decorate('assertReady', () => {
      if (!feeds.every((feed) => feed.status().synced)) throw new NotReadyError(RETRY_AFTER_SECONDS)
      for (const check of checks) {
        const why = check()
        if (why !== null) throw new NotReadyError(RETRY_AFTER_SECONDS, why)
      }
    })
    app.decorate('serveStale', () => {
      serving = true
    })
    app.decorate('assertServing', () => {
      serving ||=
        feeds.some((feed) => feed.status().synced) ||
        (feeds.length === 0 && checks.every((check) => check() === null))
      if (!serving) throw new NotReadyError(RETRY_AFTER_SECONDS)
    })
  },
  { name: 'venue-feeds' }
)
