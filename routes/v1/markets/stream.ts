import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { EXAMPLES } from '../../../schemas/examples.ts'
import type { MarketAggregate } from '../../../schemas/market.ts'
import { errorResponses } from '../../../schemas/responses.ts'
import { FRAGMENT_DEPTH } from '../../../services/snapshots/fragments.ts'
import { marketLines } from '../../../services/snapshots/market-lines.ts'
import { NDJSON_TYPE, sendBytes } from '../../send-bytes.ts'
import { filterOf, streamQuery } from './query.ts'

/** Slices that may wait for a slow client: one on its way and one to follow. */
const SLICES_AHEAD = 2

const stream: FastifyPluginAsyncTypebox = async (app) => {
  const { snapshotStore, fragments, config } = app

  app.get(
    '/markets.ndjson',
    {
      compress: {},
      config: { lineSchema: Type.Unsafe<MarketAggregate>(Type.Ref('MarketAggregate')) },
      schema: {
        operationId: 'streamMarkets',
        summary: 'All markets with their order books, one a line',
        description:
          'Newline-delimited JSON: each line is a `MarketAggregate`, as the state is when the line is written. ' +
          'Prices are dollars per contract, sizes are contracts, both as exact decimal text.',
        tags: ['markets'],
        querystring: streamQuery(config.MAX_BOOK_DEPTH),
        response: {
          200: {
            description: 'One `MarketAggregate` a line',
            content: {
              [NDJSON_TYPE]: {
                schema: Type.String({
                  description: 'Lines of JSON, each a MarketAggregate',
                  examples: [`${JSON.stringify(EXAMPLES.MarketAggregate)}\n`]
                })
              }
            }
          },
          ...errorResponses(400, 503)
        }
      }
    },
    (request, reply) => {
      const { depth = FRAGMENT_DEPTH } = request.query
      if (request.method === 'HEAD') return sendBytes(reply, NDJSON_TYPE, Readable.from([]))
      const lines = marketLines(snapshotStore, fragments, filterOf(request.query), depth)
      sendBytes(reply, NDJSON_TYPE, Readable.from(lines, { highWaterMark: SLICES_AHEAD }))
    }
  )
}

export default stream
