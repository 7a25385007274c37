import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { MarketGaps } from '../../../../schemas/history.ts'
import { HISTORY_TAG, historyErrorResponses } from '../../../../schemas/responses.ts'
import { bodyTimes, gapBody } from '../../../../services/history/read/bodies.ts'
import { missingNumbers } from '../../../../services/history/read/missing-numbers.ts'
import type { HistoryReader } from '../../../../services/history/read/reader.ts'
import { readGaps } from '../../../../services/history/read/summary.ts'
import { parseRange } from '../../../../services/history/read/time-range.ts'
import { marketParams, rangeQuery } from './query.ts'
import { assertKnown, readerOf } from './reader.ts'

const gaps: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/markets/:id/gaps',
    {
      compress: {},
      schema: {
        operationId: 'getGaps',
        summary: 'What is missing of one market, and how it came back',
        description:
          'Every gap that concerns the market and overlaps the range, with its time by our clock. `gaps` are the ' +
          'numbers of the venue’s counter that never came, as ranges with both ends included; where a venue counts ' +
          'nothing, only `intervals` tell. A range with more than 10000 gaps is refused.',
        tags: [HISTORY_TAG],
        params: marketParams,
        querystring: Type.Object(rangeQuery, { additionalProperties: false }),
        response: {
          200: Type.Unsafe<MarketGaps>(Type.Ref('MarketGaps')),
          ...historyErrorResponses(400, 404, 503)
        }
      }
    },
    async ({ params: { id }, query }) => {
      const reader = readerOf(app)
      const range = parseRange(query, reader.now())
      await assertKnown(app, reader, id)
      const [ticker, found] = await Promise.all([tickerOf(app, reader, id), readGaps(reader, id, range)])
      return {
        id,
        ticker,
        ...bodyTimes(range),
        gaps: missingNumbers(found),
        gapCount: found.length,
        hasGaps: found.length > 0,
        intervals: found.map(gapBody)
      }
    }
  )
}

/** What people type for a market, as far as it is known: at the least, the venue's own id. */
async function tickerOf(app: FastifyInstance, { store }: HistoryReader, id: string): Promise<string> {
  const served = app.snapshotStore.get(id)
  if (served !== undefined) return served.market.symbol
  const told = await store.marketMeta(id)
  return told.at(-1)?.market.symbol ?? id.slice(id.indexOf(':') + 1)
}

export default gaps
