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
    /** What must hold besides before this process is ready, such as that a replica was filled. */
    mustBeReady: (() => boolean)[]
    /** Throws `NotReadyError` until every venue is synchronised. */
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
    let serving = false
    const mustBeReady: (() => boolean)[] = []
    app.decorate('venueFeeds', feeds)
    app.decorate('mustBeReady', mustBeReady)
    app.decorate('assertReady', () => {
      const isReady = mustBeReady.every((holds) => holds()) && feeds.every((feed) => feed.status().synced)
      if (!isReady) throw new NotReadyError(RETRY_AFTER_SECONDS)
    })
    app.decorate('serveStale', () => {
      serving = true
    })
    app.decorate('assertServing', () => {
      serving ||=
        feeds.some((feed) => feed.status().synced) ||
        (feeds.length === 0 && mustBeReady.every((holds) => holds()))
      if (!serving) throw new NotReadyError(RETRY_AFTER_SECONDS)
    })
  },
  { name: 'venue-feeds' }
)
