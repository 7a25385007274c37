import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import history from '../../plugins/history.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import type { VenueFeed } from '../../services/venue/port.ts'
import { gapRow } from '../fake-history.ts'
import { market, serve, testConfig } from '../helper.ts'

t.test('trades of a gap are read of markets that are served no more, and of those behind them', async (t) => {
  const app = Fastify()
  // Before the folder, which tap removes before it calls later handlers.
  t.teardown(() => app.close())
  const store = new SnapshotStore({ capacityMarkets: 4, capacityLevels: 64 })
  const { id } = serve(store, market(1))
  const asked: string[] = []
  const feed = (venue: VenueFeed['venue']) => ({
    venue,
    followed: () => null,
    fetchTrades: async (marketId: string) => {
      asked.push(`${venue} ${marketId}`)
      return venue === 'kalshi' ? [] : null
    },
    fetchCandles: async () => null
  })
  const decorate = (plugin: string, values: Record<string, unknown>) =>
    app.register(
      fp(
        async (inner) => {
          for (const [name, value] of Object.entries(values)) inner.decorate(name, value)
        },
        { name: plugin }
      )
    )
  const config = testConfig({ HISTORY: 'on', DATA_DIR: t.testdir(), GAP_FILL_INTERVAL_MS: 1_000 })
  await decorate('config', { config })
  await decorate('snapshot-store', { snapshotStore: store })
  const venueFeeds = [feed('polymarket'), feed('kalshi')]
  await decorate('venue-feeds', { venueFeeds, readyChecks: [], serveStale: () => {} })
  await app.register(history)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { history: recorded } = app
  if (recorded === undefined) throw new Error('there is no history')
  while (recorded.status().engine === null) await sleep(20)

  const marketIds = ['kalshi:GONE', id]
  const cut = gapRow('cut', Date.now() - 60_000, { kind: 'disconnected', marketIds, recoveredBy: null })
  await recorded.store.writeGaps([cut])
  const runs = () => recorded.status().recorder.gapFiller.runs
  // The second run from here on begins after one that found the gap.
  const last = runs() + 2
  while (runs() < last) await sleep(20)
  t.strictSame(asked, ['kalshi kalshi:GONE', `kalshi ${id}`])
  await recorded.flush()
  const range = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }
  t.match(await recorded.store.gaps({ ...range, marketId: id, limit: 1 }), [{ recoveredBy: 'trades' }])
})
