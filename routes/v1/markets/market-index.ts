import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { EXAMPLES } from '../../../schemas/examples.ts'
import { NO_QUERY } from '../../../schemas/list.ts'
import type { MarketIndexEntry } from '../../../schemas/market.ts'
import { ETAG_HEADER, errorResponses, ifNoneMatch, notModified } from '../../../schemas/responses.ts'
import { IndexBytes } from '../../../services/snapshots/index-bytes.ts'
import { stampOf } from '../../../services/snapshots/stamp.ts'
import { answerUnchanged } from '../../conditional.ts'
import { JSON_TYPE, sendBytes } from '../../send-bytes.ts'

const marketIndex: FastifyPluginAsyncTypebox = async (app) => {
  const { snapshotStore } = app
  const index = new IndexBytes(snapshotStore)

  app.get(
    '/markets/index',
    {
      compress: {},
      schema: {
        operationId: 'listMarketIndex',
        summary: 'All markets in short',
        description:
          'One short entry for every market that is served, by id. `lastUpdatedMs` is our clock, epoch milliseconds.',
        tags: ['markets'],
        headers: ifNoneMatch,
        querystring: NO_QUERY,
        response: {
          200: Type.Array(Type.Unsafe<MarketIndexEntry>(Type.Ref('MarketIndexEntry')), {
            description: 'All markets, by id',
            ...ETAG_HEADER,
            examples: [[EXAMPLES.MarketIndexEntry]]
          }),
          304: notModified,
          ...errorResponses(400, 503)
        }
      }
    },
    (request, reply) => {
      // The tag is of the moment before the first slice: whatever changes during the answer makes it old.
      const stamp = stampOf(snapshotStore, [], 0, 0, snapshotStore.revision)
      if (answerUnchanged(request, reply, stamp)) return
      sendBytes(reply, JSON_TYPE, Readable.from(index.stream()))
    }
  )
}

export default marketIndex
