import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { LatestSnapshot } from '../../../../schemas/history.ts'
import { NO_QUERY } from '../../../../schemas/list.ts'
import { HISTORY_TAG, historyErrorResponses } from '../../../../schemas/responses.ts'
import { BookUnknownError } from '../../../../services/errors.ts'
import { snapshotBody } from '../../../../services/history/read/bodies.ts'
import { newestProven } from '../../../../services/history/read/newest.ts'
import { marketParams } from './query.ts'
import { assertKnown, readerOf } from './reader.ts'

const latest: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/markets/:id/latest',
    {
      compress: {},
      schema: {
        operationId: 'getLatestSnapshot',
        summary: 'The newest recorded snapshot of one market',
        description:
          'Of the newest snapshot by stream and the newest by polling: the newer one that is not in doubt, or the ' +
          'newer one if both are (syncing, stale or suspect), flagged. A polled book may be 16 s old when it comes, ' +
          'and counts as that old here; two minutes after it, with no other, it is in doubt. `source` says which it is. Prices are dollars per contract, sizes are ' +
          'contracts, both as exact decimal text.',
        tags: [HISTORY_TAG],
        params: marketParams,
        querystring: NO_QUERY,
        response: {
          200: Type.Unsafe<LatestSnapshot>(Type.Ref('LatestSnapshot')),
          ...historyErrorResponses(400, 404, 503)
        }
      }
    },
    async ({ params: { id } }) => {
      const reader = readerOf(app)
      await assertKnown(app, reader, id)
      const newest = newestProven(await reader.store.latestSnapshots(id), reader.now())
      if (newest === null) throw new BookUnknownError(`nothing was recorded of ${id} yet`)
      const { snapshot, proven } = newest
      return { id, source: snapshot.source, proven, snapshot: snapshotBody(snapshot) }
    }
  )
}

export default latest
