import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NO_QUERY } from '../../../schemas/list.ts'
import { StreamRefusedError } from '../../../services/errors.ts'
import { listOf } from '../../../services/settings.ts'
import { WebSocketTransport } from '../../../services/stream/web-socket-transport.ts'

/** The stream over WebSocket; its messages are documented in asyncapi.yaml. */
const socket: FastifyPluginAsyncTypebox = async (app) => {
  const { streamHub, clientConnections, config } = app
  const origins = listOf(config.CORS_ORIGINS)

  app.route({
    method: 'GET',
    url: '/stream',
    exposeHeadRoute: false,
    schema: { hide: true, querystring: NO_QUERY },
    // Browsers let any page open a WebSocket to any host: whose page it is, only this header tells.
    preValidation: async ({ headers: { origin, host } }) => {
      if (origin === undefined || origins.includes(origin)) return
      if (URL.canParse(origin) && new URL(origin).host === host) return
      throw new StreamRefusedError('ORIGIN_REFUSED', `pages of ${origin} may not stream: see CORS_ORIGINS`)
    },
    handler: () => {
      throw new StreamRefusedError(
        'UPGRADE_REQUIRED',
        'this is a WebSocket: connect with one, or see /v1/stream/sse'
      )
    },
    wsHandler: (socket, { raw }) => {
      const connection = raw.socket
      // The answer was the upgrade; what follows is no answer that a close would wait for.
      clientConnections.end(connection)
      const client = streamHub.connect(new WebSocketTransport(socket, connection))
      socket.on('message', (data, isBinary) => {
        client.receive(isBinary ? '' : String(data))
        // Who does not read our answers is not heard either.
        if (!client.hasRoom) socket.pause()
      })
      socket.on('pong', () => client.heard())
      connection.on('drain', () => {
        socket.resume()
        client.drained()
      })
      socket.on('close', () => streamHub.disconnected(client))
    }
  })
}

export default socket
