import fp from 'fastify-plugin'
import type { JournalReplay } from '../services/history/replay/replay.ts'
import { ReplayHistory, type ReplayHistoryOptions } from '../services/history/replay/replay-history.ts'

/** Lets the history routes answer as of the instant that the replay has come to. */
export default fp<Pick<ReplayHistoryOptions, 'folder' | 'dataDir'>>(
  async (app, { folder, dataDir }) => {
    const history = new ReplayHistory({
      folder,
      dataDir,
      databaseUrl: app.config.DATABASE_URL,
      now: (app.replay as JournalReplay).now,
      log: app.log.child({ part: 'history' })
    })
    app.decorate('historyReader', { getter: () => history.readerNow() })
    app.readyChecks.push(() => (history.isReady ? null : 'the database of the history is being opened'))
    app.addHook('onListen', async () => history.start())
    app.addHook('onClose', async () => history.stop())
  },
  { name: 'replay-history', dependencies: ['config', 'replay'] }
)
