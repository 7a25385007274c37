import fp from 'fastify-plugin'
import { Recycler } from '../services/recycler/recycler.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Renews the venues' connections on an interval and when an operator asks. */
    recycler: Recycler
  }
}

const HOUR_MS = 3_600_000

export default fp(
  async (app) => {
    const recycler = new Recycler({
      feeds: app.venueFeeds,
      intervalMs: app.config.RECYCLER_INTERVAL_HOURS * HOUR_MS,
      // Looked up then: it is absent where nothing is recorded.
      onRun: (run) => app.history?.recyclerRun(run),
      log: app.log
    })
    app.decorate('recycler', recycler)
    app.addHook('onListen', async () => recycler.start())
    // Registered after the feeds, so that it ends before they do.
    app.addHook('onClose', async () => recycler.stop())
  },
  { name: 'recycler', dependencies: ['config', 'venue-feeds'] }
)
