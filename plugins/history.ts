import fp from 'fastify-plugin'
import type { Venue } from '../schemas/common.ts'
import { History } from '../services/history/history.ts'
import type { StateBytes } from '../services/history/warm-file.ts'
import { keepsHistory, listOf } from '../services/settings.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Records what passes, and reads it back; absent where HISTORY is off. */
    history?: History
  }
}

export interface HistoryPluginOptions {
  /** Where the last state is being read already. */
  lastState?: Promise<StateBytes> | undefined
}

export default fp<HistoryPluginOptions>(
  async (app, { lastState }) => {
    const { config } = app
    if (!keepsHistory(config)) return
    const history = new History({
      store: app.snapshotStore,
      settings: config,
      venues: listOf(config.VENUES) as Venue[],
      followed: (venue) => app.venueFeeds.find((one) => one.venue === venue)?.followed() ?? null,
      fetchTrades: async (venue, marketId, fromMs, toMs) => {
        const feed = app.venueFeeds.find((one) => one.venue === venue)
        return (await feed?.fetchTrades(marketId, fromMs, toMs)) ?? null
      },
      fetchCandles: async (venue, marketIds, fromMs, toMs) => {
        const feed = app.venueFeeds.find((one) => one.venue === venue)
        return (await feed?.fetchCandles(marketIds, fromMs, toMs)) ?? null
      },
      log: app.log.child({ part: 'history' })
    })
    const warm = await history.warmUp(lastState)
    if (warm.size > 0) {
      app.log.info({ markets: warm.size, ageMs: warm.ageMs }, 'the last state is served, as stale')
      app.serveStale()
    }
    app.decorate('history', history)
    app.decorate('historyReader', history)
    app.decorate('historyTaps', history.taps)
    app.readyChecks.push(() => (history.isReady ? null : 'the database of the history was not reached yet'))
    // Before the feeds, which are registered later: what they hear first is recorded.
    app.addHook('onListen', async () => history.start())
    app.addHook('onClose', async () => history.stop())
  },
  { name: 'history', dependencies: ['config', 'snapshot-store', 'venue-feeds'] }
)
