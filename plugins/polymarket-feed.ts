import fp from 'fastify-plugin'
import { PolymarketFeed } from '../services/polymarket/feed.ts'
import { listOf } from '../services/settings.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Polymarket's order books; writes them to `snapshotStore`. */
    polymarketFeed: PolymarketFeed
  }
}

export default fp(
  async (app) => {
    const { config } = app
    if (config.ROLE === 'api') return
    if (!listOf(config.VENUES).includes('polymarket')) return
    const feed = new PolymarketFeed({
      sink: app.snapshotStore,
      config,
      incidents: app.incidents,
      history: app.feedTaps,
      reads: (market) => app.replication?.reads(market) ?? true,
      log: app.log.child({ venue: 'polymarket' })
    })
    app.decorate('polymarketFeed', feed)
    app.venueFeeds.push(feed)
    // onListen, not onReady: app.inject() runs onReady, and a test must never dial a venue.
    app.addHook('onListen', async () => feed.start())
    app.addHook('onClose', async () => feed.stop())
  },
  { name: 'polymarket-feed', dependencies: ['config', 'snapshot-store', 'incidents', 'trade-bus'] }
)
