import fp from 'fastify-plugin'
import { reasonBit } from '../services/integrity/verdict.ts'

const LOOK_EVERY_MS = 5_000
const WARN_EVERY_MS = 60_000
const ARENA_FULL = reasonBit('arena_full')

/** Tells whoever runs the gateway what no error tells: settings under which books or markets are missing. */
export default fp<{ lookEveryMs?: number }>(
  async (app, { lookEveryMs = LOOK_EVERY_MS }) => {
    const warnedAtMs = new Map<string, number>()
    let timer: NodeJS.Timeout | undefined

    const warn = (what: string, detail: object, sentence: string) => {
      const nowMs = performance.now()
      if (nowMs - (warnedAtMs.get(what) ?? Number.NEGATIVE_INFINITY) < WARN_EVERY_MS) return
      warnedAtMs.set(what, nowMs)
      app.log.warn(detail, sentence)
    }

    const look = () => {
      const { verdicts, arena } = app.snapshotStore.books
      let withoutRoom = 0
      verdicts.reasons.forEach((reasons, slot) => {
        if ((reasons & ARENA_FULL) !== 0 && app.snapshotStore.at(slot) !== undefined) withoutRoom++
      })
      if (withoutRoom > 0) {
        const sentence = 'books do not fit: raise BOOK_LEVELS_MAX or select fewer markets'
        warn('room', { books: withoutRoom, levels: arena.capacityLevels }, sentence)
      }
      for (const feed of app.venueFeeds) {
        const { venue, discovery } = feed.status()
        if (discovery.lastAtMs === null || discovery.selected > 0) continue
        warn(
          venue,
          { venue },
          'no market is selected: look at the settings that name series, tags and markets'
        )
      }
    }

    app.addHook('onListen', async () => {
      timer = setInterval(look, lookEveryMs)
    })
    app.addHook('onClose', async () => clearInterval(timer))
  },
  { name: 'operator-warnings', dependencies: ['snapshot-store', 'venue-feeds'] }
)
