import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { MarketCoverage } from '../../../../schemas/history.ts'
import { HISTORY_TAG, historyErrorResponses } from '../../../../schemas/responses.ts'
import { bodyTimes, intervalBody, timeText } from '../../../../services/history/read/bodies.ts'
import { sharesOf } from '../../../../services/history/read/coverage-shares.ts'
import { readCoverage } from '../../../../services/history/read/summary.ts'
import { parseRange, pastPart } from '../../../../services/history/read/time-range.ts'
import { marketParams, rangeQuery } from './query.ts'
import { assertKnown, readerOf } from './reader.ts'

const coverage: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/markets/:id/coverage',
    {
      compress: {},
      schema: {
        operationId: 'getCoverage',
        summary: 'Which stretches of one market’s history are proven, and which are missing',
        description:
          'Intervals that are verified, degraded or missing, one after the other without a hole over the recorded ' +
          'time, and the share of each in the range up to now: percent as exact decimal text, and milliseconds. A ' +
          'range with more than 10000 intervals, or as many stretches whose recording is lost, is refused.',
        tags: [HISTORY_TAG],
        params: marketParams,
        querystring: Type.Object(rangeQuery, { additionalProperties: false }),
        response: {
          200: Type.Unsafe<MarketCoverage>(Type.Ref('MarketCoverage')),
          ...historyErrorResponses(400, 404, 503)
        }
      }
    },
    async ({ params: { id }, query }) => {
      const reader = readerOf(app)
      const nowMs = reader.now()
      const range = pastPart(parseRange(query, nowMs), nowMs)
      await assertKnown(app, reader, id)
      const { recordedFromMs, covered } = await readCoverage(reader, id, range)
      return {
        id,
        ...bodyTimes(range),
        recordedFrom: recordedFromMs === null ? null : timeText(recordedFromMs),
        intervals: covered.map(intervalBody),
        shares: sharesOf(covered, range)
      }
    }
  )
}

export default coverage
