import { setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'

/** Requests under way when the close begins have this long; a reader that takes longer is cut off. */
const DRAIN_MS = 5_000
const LOOK_EVERY_MS = 10

/**
 * Finishes what is being answered before the connections are cut: stops accepting, waits, and leaves the rest to
 * Fastify, which alone would cut every open answer at once.
 */
export default fp(
  async (app) => {
    let underWay = 0
    const ended = () => {
      underWay--
    }

    app.addHook('onRequest', (_request, reply, done) => {
      underWay++
      // Comes after the last byte, and when the client is gone.
      reply.raw.once('close', ended)
      done()
    })

    app.addHook('preClose', async () => {
      if (!app.server.listening) return
      app.server.close()
      const until = performance.now() + DRAIN_MS
      while (underWay > 0 && performance.now() < until) await sleep(LOOK_EVERY_MS)
      if (underWay > 0) app.log.warn({ underWay }, 'answers were cut off by the close')
    })
  },
  { name: 'graceful-close' }
)
