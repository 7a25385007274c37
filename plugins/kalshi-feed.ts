import fp from 'fastify-plugin'
import { loadSigner } from '../services/kalshi/auth.ts'
import { KalshiFeed } from '../services/kalshi/feed.ts'
import { listOf } from '../services/settings.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Kalshi's order books; writes them to `snapshotStore`. */
    kalshiFeed: KalshiFeed
  }
}

export default fp(
  async (app) => {
    const { config } = app
    if (config.ROLE === 'api') return
    if (!listOf(config.VENUES).includes('kalshi')) return
    const feed = new KalshiFeed({
      sink: app.snapshotStore,
      config,
      signer: loadSigner(config.KALSHI_API_KEY, config.KALSHI_API_SECRET),
      incidents: app.incidents,
      history: app.feedTaps,
      reads: (market) => app.replication?.reads(market) ?? true,
      log: app.log.child({ venue: 'kalshi' })
    })
    app.decorate('kalshiFeed', feed)
    app.venueFeeds.push(feed)
    // onListen, not onReady: app.inject() runs onReady, and a test must never dial a venue.
    app.addHook('onListen', async () => feed.start())
    app.addHook('onClose', async () => feed.stop())
  },
  { name: 'kalshi-feed', dependencies: ['config', 'snapshot-store', 'incidents', 'trade-bus'] }
)
