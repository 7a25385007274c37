import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** What is being answered on each connection; whoever answers past Fastify's hooks says so here. */
    clientConnections: ClientConnections
  }
}

export interface ClientConnections {
  /** Counts one more answer that begins; false when enough are under way, so it must wait for its turn. */
  begin(socket: Socket): boolean
  /** An answer that was begun has left. */
  end(socket: Socket): void
  /** Has answers that have no end of their own ended when the close begins, before it waits for the others. */
  whenClosing(end: () => Promise<void>): void
}

/** What one connection of a client is being answered. */
interface Lane {
  underWay: number
  /** Requests that came while enough answers were under way, oldest first. */
  readonly waiting: (() => void)[]
}

/** Answers leave a connection one after the other, so more than a few at once only take memory. */
const ANSWERS_AT_ONCE = 4
/** Far more than any honest client sends ahead; what one read of the socket can hold is above it. */
const WAITING_MAX = 1_000
/** Requests under way when the close begins have this long; a reader that takes longer is cut off. */
const DRAIN_MS = 3_000
const LOOK_EVERY_MS = 10

/**
 * Keeps count of what each connection of a client is being answered.
 *
 * It bounds what one connection can make us do: a client may send requests without reading the answers, and all that
 * one read of its socket brings would be answered in one go. Those above a few wait for their turn. While the client
 * does not read, nothing more is taken from its socket: node sees to that once an answer is stuck.
 *
 * And it finishes what is being answered before the connections are cut: a close stops accepting, waits, and leaves the
 * rest to Fastify, which alone would cut every open answer at once.
 */
export default fp(
  async (app) => {
    /** By connection: what waits on one that is cut is forgotten with it. */
    const lanes = new Map<Socket, Lane>()
    const endings: (() => Promise<void>)[] = []
    // A client that has said all it wants to ask still gets the answers that wait; node would cut it off.
    Object.assign(app.server, { httpAllowHalfOpen: true })

    app.decorate('clientConnections', {
      begin: (socket) => {
        const lane = lanes.get(socket) ?? open(socket)
        if (lane.underWay === ANSWERS_AT_ONCE) return false
        lane.underWay++
        return true
      },
      end: (socket) => {
        const lane = lanes.get(socket)
        const next = lane?.waiting.shift()
        if (next !== undefined) setImmediate(next)
        else if (lane !== undefined) lane.underWay--
      },
      whenClosing: (end) => {
        endings.push(end)
      }
    })

    app.addHook('onRequest', ({ raw: { socket } }, _reply, done) => {
      if (app.clientConnections.begin(socket)) return done()
      const { waiting } = lanes.get(socket) as Lane
      if (waiting.length < WAITING_MAX) waiting.push(done)
      else socket.destroy()
    })

    // Called when an answer has left.
    app.addHook('onResponse', ({ raw: { socket } }, _reply, done) => {
      app.clientConnections.end(socket)
      done()
    })

    app.addHook('preClose', async () => {
      const ended = Promise.all(endings.map((end) => end()))
      if (app.server.listening) {
        app.server.close()
        const until = performance.now() + DRAIN_MS
        while (busy() > 0 && performance.now() < until) await sleep(LOOK_EVERY_MS)
        if (busy() > 0) app.log.warn({ connections: busy() }, 'answers were cut off by the close')
      }
      await ended
    })

    function open(socket: Socket): Lane {
      const lane: Lane = { underWay: 0, waiting: [] }
      lanes.set(socket, lane)
      socket.once('close', () => lanes.delete(socket))
      return lane
    }

    function busy(): number {
      let count = 0
      for (const { underWay } of lanes.values()) if (underWay > 0) count++
      return count
    }
  },
  { name: 'client-connections' }
)
