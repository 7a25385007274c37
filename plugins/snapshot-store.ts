import fp from 'fastify-plugin'
import { listOf } from '../services/settings.ts'
import { Fragments } from '../services/snapshots/fragments.ts'
import { MarketPages } from '../services/snapshots/pages.ts'
import { SnapshotStore } from '../services/snapshots/store.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Every market that is served, with its book and verdict. */
    snapshotStore: SnapshotStore
    /** The markets' JSON as bytes, for whatever serves many of them. */
    fragments: Fragments
    /** Pages of markets as bytes. */
    marketPages: MarketPages
  }
}

/** Room for markets that arrive in a burst before the ended ones leave. */
const SPARE_MARKETS = 1_000
const LEVELS_PER_MARKET = 256

export default fp(
  async (app) => {
    const { MAX_MARKETS_PER_VENUE, VENUES, BOOK_LEVELS_MAX } = app.config
    // Twice: ended markets stay for their retention time beside those that took their place.
    const capacityMarkets = 2 * MAX_MARKETS_PER_VENUE * listOf(VENUES).length + SPARE_MARKETS
    const capacityLevels = BOOK_LEVELS_MAX === 0 ? capacityMarkets * LEVELS_PER_MARKET : BOOK_LEVELS_MAX
    const store = new SnapshotStore({ capacityMarkets, capacityLevels })
    app.decorate('snapshotStore', store)
    const fragments = new Fragments(store)
    app.decorate('fragments', fragments)
    app.decorate('marketPages', new MarketPages(store, fragments))
  },
  { name: 'snapshot-store', dependencies: ['config'] }
)
