import fp from 'fastify-plugin'
import { JournalReplay, type ReplayOptions } from '../services/history/replay/replay.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Fills the store from a journal in place of the venues; absent where nothing is replayed. */
    replay?: JournalReplay
  }
}

export default fp<Omit<ReplayOptions, 'store' | 'signal'>>(
  async (app, options) => {
    const ending = new AbortController()
    app.decorate('replay', new JournalReplay({ ...options, store: app.snapshotStore, signal: ending.signal }))
    app.addHook('onClose', async () => ending.abort())
  },
  { name: 'replay', dependencies: ['snapshot-store'] }
)
