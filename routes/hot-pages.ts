import type { IncomingMessage, ServerResponse } from 'node:http'
import fp from 'fastify-plugin'
import { FRAGMENT_DEPTH } from '../services/snapshots/fragments.ts'
import { preferredEncoding } from './accept-encoding.ts'
import { validatorsOf } from './conditional.ts'
import { JSON_TYPE } from './send-bytes.ts'
import { LIST_MARKETS } from './v1/markets/list.ts'

/**
 * Answers pages of markets that were asked for before, in the words of the route that answered then, before Fastify
 * sees the request: for these bytes its reply and hooks take as long as the kernel. Everything that is not plain, such
 * as a validator, a coding, or an answer that is due for a check, goes the usual way. See ADR 8.
 */
export default fp(
  async (app) => {
    const { server, marketPages, clientConnections, responseChecker, fixedHeaders, config } = app
    // What CORS adds depends on the request.
    if (config.CORS_ORIGINS !== '') return
    let isClosing = false
    app.addHook('preClose', async () => {
      isClosing = true
    })

    const answer = ({ method, url, headers, socket }: IncomingMessage, response: ServerResponse): boolean => {
      if (method !== 'GET' || url === undefined || isClosing) return false
      if (headers['if-none-match'] !== undefined) return false
      const page = marketPages.known(url)
      if (page?.question.depth !== FRAGMENT_DEPTH) return false
      if (preferredEncoding(headers['accept-encoding'] as string | undefined) !== 'identity') return false
      if (!responseChecker.mayPass(LIST_MARKETS) || !clientConnections.begin(socket)) return false
      const body = marketPages.json(page)
      if (body === null) {
        clientConnections.end(socket)
        return false
      }
      // Also when the client goes before its end.
      response.once('close', () => {
        marketPages.giveBack(body)
        clientConnections.end(socket)
      })
      response.writeHead(200, [
        ...fixedHeaders,
        ...validatorsOf(page.stamp),
        'content-type',
        JSON_TYPE,
        'content-length',
        String(body.bytes.length)
      ])
      response.end(body.bytes)
      return true
    }

    for (const route of server.listeners('request')) {
      server.off('request', route as () => void)
      server.on('request', (request, response) => {
        if (!answer(request, response)) route.call(server, request, response)
      })
    }
  },
  {
    name: 'hot-pages',
    dependencies: ['config', 'security', 'client-connections', 'response-validation', 'snapshot-store']
  }
)
