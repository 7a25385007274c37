import fp from 'fastify-plugin'
import { JournalReplay, type ReplayOptions } from '../services/history/replay/replay.ts'
import { isoTime } from '../services/snapshots/aggregate.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Fills the store from a journal in place of the venues; absent where nothing is replayed. */
    replay?: JournalReplay
  }
}

export default fp<Omit<ReplayOptions, 'store' | 'signal' | 'onHole'>>(
  async (app, options) => {
    const ending = new AbortController()
    const onHole: ReplayOptions['onHole'] = ({ journal, fromMs, toMs, records, reason }) =>
      app.log.warn(
        { journal, from: isoTime(fromMs), to: isoTime(toMs), records, reason },
        'the journal has a hole: books wait for their next snapshot'
      )
    const { signal } = ending
    app.decorate('replay', new JournalReplay({ ...options, store: app.snapshotStore, signal, onHole }))
    app.addHook('onClose', async () => ending.abort())
  },
  { name: 'replay', dependencies: ['snapshot-store'] }
)
