import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { SnapshotHistory } from '../../../../schemas/history.ts'
import { HISTORY_TAG, historyErrorResponses } from '../../../../schemas/responses.ts'
import { VerdictSourceSchema } from '../../../../schemas/verdict.ts'
import { bodyTimes, snapshotBody } from '../../../../services/history/read/bodies.ts'
import { readSummary } from '../../../../services/history/read/summary.ts'
import { parseRange, pastPart } from '../../../../services/history/read/time-range.ts'
import { LIMIT_DEFAULT, marketParams, pageOfRangeQuery } from './query.ts'
import { assertKnown, readerOf } from './reader.ts'

const snapshots: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/markets/:id/snapshots',
    {
      compress: {},
      schema: {
        operationId: 'listSnapshots',
        summary: 'Recorded snapshots of one market, by cursor',
        description:
          'The top levels as they were: at each change, at most once a second, once a minute while live, and at ' +
          'every change of state. `coverage` says how much of the range is proven. Prices are dollars per contract, ' +
          'sizes are contracts, both as exact decimal text.',
        tags: [HISTORY_TAG],
        params: marketParams,
        querystring: Type.Object(
          { ...pageOfRangeQuery, source: Type.Optional(VerdictSourceSchema) },
          { additionalProperties: false }
        ),
        response: {
          200: Type.Unsafe<SnapshotHistory>(Type.Ref('SnapshotHistory')),
          ...historyErrorResponses(400, 404, 503)
        }
      }
    },
    async ({ params: { id }, query }) => {
      const { source = null, limit = LIMIT_DEFAULT, cursor = null } = query
      const reader = readerOf(app)
      const nowMs = reader.now()
      const range = parseRange(query, nowMs)
      await assertKnown(app, reader, id)
      const [page, coverage] = await Promise.all([
        reader.store.snapshots({ marketId: id, ...range, source, limit, cursor }),
        readSummary(reader, id, pastPart(range, nowMs))
      ])
      return { id, ...bodyTimes(range), items: page.rows.map(snapshotBody), cursor: page.cursor, coverage }
    }
  )
}

export default snapshots
