import fp from 'fastify-plugin'
import { TradeBus } from '../services/venue/trade-bus.ts'
import type { HistoryTaps } from '../services/venue/wire-tap.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Every trade that a venue told, for whoever listens. */
    tradeBus: TradeBus
    /** What every feed is given to tell: trades to the bus, and all of it to whoever keeps history. */
    feedTaps: HistoryTaps
  }
}

export default fp(
  async (app) => {
    const bus = new TradeBus()
    app.decorate('tradeBus', bus)
    app.decorate('feedTaps', bus.taps(app.historyTaps ?? null))
  },
  { name: 'trade-bus', dependencies: ['venue-feeds'] }
)
