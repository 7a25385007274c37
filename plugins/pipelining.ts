import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/** What one connection of a client is being answered. */
interface Lane {
  underWay: number
  /** Requests that came while enough answers were under way, oldest first. */
  waiting: (() => void)[]
}

/** Answers leave a connection one after the other, so more than a few at once only take memory. */
const ANSWERS_AT_ONCE = 4
/** Far more than any honest client sends ahead; what one read of the socket can hold is above it. */
const WAITING_MAX = 1_000

/**
 * Bounds what one connection can make us do: a client may send requests without reading the answers, and all that one
 * read of its socket brings would be answered in one go. Those above a few wait for their turn. While the client does
 * not read, nothing more is taken from its socket: node sees to that once an answer is stuck.
 */
export default fp(
  async (app) => {
    const lanes = new WeakMap<Socket, Lane>()
    // A client that has said all it wants to ask still gets the answers that wait; node would cut it off.
    Object.assign(app.server, { httpAllowHalfOpen: true })

    app.addHook('onRequest', ({ raw: { socket } }, _reply, done) => {
      let lane = lanes.get(socket)
      if (lane === undefined) {
        lane = { underWay: 0, waiting: [] }
        lanes.set(socket, lane)
      }
      if (lane.underWay < ANSWERS_AT_ONCE) {
        lane.underWay++
        done()
      } else if (lane.waiting.length < WAITING_MAX) lane.waiting.push(done)
      else socket.destroy()
    })

    // Called when an answer has left; with a connection that is cut its lane is forgotten.
    app.addHook('onResponse', (request: FastifyRequest, _reply, done) => {
      const lane = lanes.get(request.raw.socket)
      const next = lane?.waiting.shift()
      if (next !== undefined) setImmediate(next)
      else if (lane !== undefined) lane.underWay--
      done()
    })
  },
  { name: 'pipelining' }
)
