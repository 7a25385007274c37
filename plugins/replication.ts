import fp from 'fastify-plugin'
import type { Replication } from '../services/replication/replication.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The cache, the share of the markets, or the feed of a replica, by ROLE; absent without REDIS_URL. */
    replication?: Replication
  }
}

export default fp(
  async (app) => {
    if (app.config.REDIS_URL === '') return
    // Only now: a start without Redis does not wait for its client to be read.
    const { Replication } = await import('../services/replication/replication.ts')
    const replication = new Replication({
      store: app.snapshotStore,
      config: app.config,
      venues: () => app.venueFeeds.map((feed) => ({ venue: feed.venue, isKnown: feed.followed() !== null })),
      trades: app.tradeBus,
      onShares: () => {
        for (const feed of app.venueFeeds) feed.reselect()
      },
      log: app.log.child({ part: 'replication' })
    })
    app.decorate('replication', replication)
    app.readyChecks.push(() => (replication.isReady ? null : 'the books were not all read from Redis yet'))
    app.addHook('onListen', async () => replication.start())
    // Before the feeds end, which takes longer: others may have our markets as soon as we know that we go.
    app.addHook('preClose', async () => replication.stop())
  },
  { name: 'replication', dependencies: ['config', 'snapshot-store', 'venue-feeds', 'trade-bus'] }
)
