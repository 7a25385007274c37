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

  /** As it is known besides: to a replica, by the cache. */
  async function elsewhere(id: string, depth: number): Promise<MarketDetail> {
    const known = await app.replication?.getElsewhere(id, depth)
    if (known) return known
    app.assertServing()
    throw new MarketNotFoundError(id)
  }

  app.get(
    '/markets/:id',
    {
      compress: {},
      config: { asksElsewhere: true },
      schema: {
        operationId: 'getMarket',
        summary: 'One market with its order book and its settlement rules',
        description:
          'Prices are dollars per contract, sizes are contracts, both as exact decimal text; the book is in YES terms. ' +
          'A replica that was not told of the market yet answers what Redis has of it, never as live and without an ETag.',
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
      const { id } = request.params
      const record = snapshotStore.get(id)
      if (record === undefined) return elsewhere(id, depth)
      app.assertServing()
      if (answerUnchanged(request, reply, stampOf(snapshotStore, [record], 0, 1, depth))) return
      return getDetail(snapshotStore, record, depth)
    }
  )
}

export default one
