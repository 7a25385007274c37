import fp from 'fastify-plugin'
import { Metrics } from '../services/health/metrics.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The figures of health in the text that Prometheus reads. */
    metrics: Metrics
  }
}

export default fp(
  async (app) => {
    app.decorate(
      'metrics',
      new Metrics({
        store: app.snapshotStore,
        getHealth: () => app.getHealth(),
        auditAgeMs: (venue, slot) =>
          app.venueFeeds.find((feed) => feed.venue === venue)?.auditAgeMs(slot) ?? null,
        recycler: () => app.recycler.totals
      })
    )
  },
  { name: 'metrics', dependencies: ['snapshot-store', 'health-monitor', 'recycler'] }
)
