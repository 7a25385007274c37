import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { TradeHistory } from '../../../../schemas/history.ts'
import { HISTORY_TAG, historyErrorResponses } from '../../../../schemas/responses.ts'
import { bodyTimes, tradeBody } from '../../../../services/history/read/bodies.ts'
import { readSummary } from '../../../../services/history/read/summary.ts'
import { parseRange, pastPart } from '../../../../services/history/read/time-range.ts'
import { LIMIT_DEFAULT, marketParams, pageOfRangeQuery } from './query.ts'
import { assertKnown, readerOf } from './reader.ts'

const trades: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/markets/:id/trades',
    {
      compress: {},
      schema: {
        operationId: 'listTrades',
        summary: 'Recorded trades of one market, by cursor',
        description:
          'In YES terms, by our clock when they came; one that was read again for a gap by the venue’s clock, or by ours ' +
          'where it sends no time. `coverage` says how much of the range is proven: in the rest trades may be missing. ' +
          'Prices are dollars per contract, sizes are contracts, both as exact decimal text.',
        tags: [HISTORY_TAG],
        params: marketParams,
        querystring: Type.Object(pageOfRangeQuery, { additionalProperties: false }),
        response: {
          200: Type.Unsafe<TradeHistory>(Type.Ref('TradeHistory')),
          ...historyErrorResponses(400, 404, 503)
        }
      }
    },
    async ({ params: { id }, query }) => {
      const { limit = LIMIT_DEFAULT, cursor = null } = query
      const reader = readerOf(app)
      const nowMs = reader.now()
      const range = parseRange(query, nowMs)
      await assertKnown(app, reader, id)
      const [page, coverage] = await Promise.all([
        reader.store.trades({ marketId: id, ...range, limit, cursor }),
        readSummary(reader, id, pastPart(range, nowMs))
      ])
      return { id, ...bodyTimes(range), items: page.rows.map(tradeBody), cursor: page.cursor, coverage }
    }
  )
}

export default trades
