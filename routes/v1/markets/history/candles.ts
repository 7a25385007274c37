import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { CandleHistory } from '../../../../schemas/history.ts'
import { HISTORY_TAG, historyErrorResponses } from '../../../../schemas/responses.ts'
import { readCandles } from '../../../../services/history/read/candles.ts'
import { parseRange } from '../../../../services/history/read/time-range.ts'
import { marketParams, rangeQuery } from './query.ts'
import { assertKnown, readerOf } from './reader.ts'

const candles: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/markets/:id/candles',
    {
      compress: {},
      schema: {
        operationId: 'listCandles',
        summary: 'Candles of one market, each with what is missing of it',
        description:
          'Mid, best bid and best ask of the recorded snapshots, but for polls beside the stream, which may be of ' +
          'another minute, and the trades, by whole intervals of UTC: the range is widened to them, up to the one that is running. Every interval has its candle; one that is crossed by a ' +
          'gap, or by a stretch that is not verified, is not `complete` and says why. ' +
          '`complete` speaks of holes only: snapshots are recorded at most once a second and when a verdict changes, ' +
          'and what a book was between two is in no candle. Nothing is carried over from ' +
          'the candle before. Minutes that a gap touches are asked for at the venue, where it keeps any: `venue` is what ' +
          'it says, beside what was recorded. Prices are dollars per contract, volumes are contracts, both as exact decimal text. ' +
          'More than 5000 candles are refused.',
        tags: [HISTORY_TAG],
        params: marketParams,
        querystring: Type.Object(
          {
            ...rangeQuery,
            interval: Type.Optional(
              Type.Enum(['1m', '5m', '1h', '1d'], {
                type: 'string',
                description: 'Length of a candle',
                default: '1m'
              })
            )
          },
          { additionalProperties: false }
        ),
        response: {
          200: Type.Unsafe<CandleHistory>(Type.Ref('CandleHistory')),
          ...historyErrorResponses(400, 404, 503)
        }
      }
    },
    async ({ params: { id }, query }) => {
      const reader = readerOf(app)
      const nowMs = reader.now()
      const range = parseRange(query, nowMs)
      await assertKnown(app, reader, id)
      return readCandles(reader, id, query.interval ?? '1m', range, nowMs)
    }
  )
}

export default candles
