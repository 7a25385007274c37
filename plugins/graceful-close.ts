import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'

/** Requests under way when the close begins have this long; a reader that takes longer is cut off. */
const DRAIN_MS = 3_000
const LOOK_EVERY_MS = 10

/**
 * Finishes what is being answered before the connections are cut: stops accepting, waits, and leaves the rest to
 * Fastify, which alone would cut every open answer at once.
 */
export default fp(
  async (app) => {
    /** Requests under way, by connection: those of one that is cut end with it, told or not. */
    const bySocket = new Map<Socket, number>()
    const seen = new WeakSet<Socket>()

    app.addHook('onRequest', ({ raw: { socket } }, reply, done) => {
      if (!seen.has(socket)) {
        seen.add(socket)
        socket.once('close', () => bySocket.delete(socket))
      }
      bySocket.set(socket, (bySocket.get(socket) ?? 0) + 1)
      // Comes after the last byte, and when the client is gone; never for an answer that waits behind another.
      reply.raw.once('close', () => {
        const left = (bySocket.get(socket) ?? 0) - 1
        if (left > 0) bySocket.set(socket, left)
        else bySocket.delete(socket)
      })
      done()
    })

    app.addHook('preClose', async () => {
      if (!app.server.listening) return
      app.server.close()
      const until = performance.now() + DRAIN_MS
      while (bySocket.size > 0 && performance.now() < until) await sleep(LOOK_EVERY_MS)
      if (bySocket.size > 0) app.log.warn({ connections: bySocket.size }, 'answers were cut off by the close')
    })
  },
  { name: 'graceful-close' }
)
