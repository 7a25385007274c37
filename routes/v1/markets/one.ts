import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { MarketDetail } from '../../../schemas/market.ts'
import { ETAG_HEADER, errorResponses, ifNoneMatch, notModified } from '../../../schemas/responses.ts'
import { MarketNotFoundError } from '../../../services/errors.ts'
import { getDetail } from '../../../services/snapshots/aggregate.ts'
import { FRAGMENT_DEPTH } from '../../../services/snapshots/fragments.ts'
import { stampOf } from '../../../services/snapshots/stamp.ts'
import { answerUnchanged } from '../../conditional.ts'
import { depthQuery } from './query.ts'

const one: FastifyPluginAsyncTypebox = async (app) => {
  const { snapshotStore, config } = app

  app.get(
    '/markets/:id',
    {
      compress: {},
      schema: {
        operationId: 'getMarket',
        summary: 'One market with its order book and its settlement rules',
        description:
          'Prices are dollars per contract, sizes are contracts, both as exact decimal text; the book is in YES terms.',
        tags: ['markets'],
        headers: ifNoneMatch,
        params: Type.Object({
          id: Type.String({
            description: 'kalshi:<ticker> or polymarket:<condition id>',
            minLength: 1,
            examples: ['kalshi:KXFED-26DEC-T3.75']
          })
        }),
        querystring: Type.Object(
          { depth: depthQuery(config.MAX_BOOK_DEPTH) },
          { additionalProperties: false }
        ),
        response: {
          200: Type.Unsafe<MarketDetail>(Type.Ref('MarketDetail', ETAG_HEADER)),
          304: notModified,
          ...errorResponses(400, 404, 503)
        }
      }
    },
    (request, reply) => {
      const { depth = FRAGMENT_DEPTH } = request.query
      const record = snapshotStore.get(request.params.id)
      if (record === undefined) throw new MarketNotFoundError(request.params.id)
      if (answerUnchanged(request, reply, stampOf(snapshotStore, [record], 0, 1, depth))) return
      return getDetail(snapshotStore, record, depth)
    }
  )
}

export default one
