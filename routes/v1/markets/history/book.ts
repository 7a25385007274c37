import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { BookAtInstant } from '../../../../schemas/history.ts'
import { HISTORY_TAG, historyErrorResponses } from '../../../../schemas/responses.ts'
import { BookUnprovenError } from '../../../../services/errors.ts'
import { bookBody, holeText, timeText } from '../../../../services/history/read/bodies.ts'
import type { BookAt } from '../../../../services/history/read/reader.ts'
import { parseInstant } from '../../../../services/history/read/time-range.ts'
import { FRAGMENT_DEPTH } from '../../../../services/snapshots/fragments.ts'
import { depthQuery } from '../query.ts'
import { instant, marketParams } from './query.ts'
import { assertKnown, readerOf } from './reader.ts'

const book: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/markets/:id/book',
    {
      compress: {},
      schema: {
        operationId: 'getBookAt',
        summary: 'The book of one market as it was at an instant, with its proof',
        description:
          'The recorded whole book before the instant with every change since applied, and what vouches for it. If ' +
          'that cannot be proved, the answer is 409 and names the hole; with `allowDegraded` it is given all the ' +
          'same, with `proven` false; not so where the log of that time is deleted (`log_pruned`) or holds nothing of ' +
          'the market (`not_in_log`). Before its recording began the answer is 404. Prices are dollars per contract, sizes are contracts, both as exact decimal ' +
          'text; the book is in YES terms.',
        tags: [HISTORY_TAG],
        params: marketParams,
        querystring: Type.Object(
          {
            asOf: instant,
            allowDegraded: Type.Optional(
              Type.Boolean({ description: 'Take the book even if it cannot be proved', default: false })
            ),
            depth: depthQuery(app.config.MAX_BOOK_DEPTH)
          },
          { additionalProperties: false }
        ),
        response: {
          200: Type.Unsafe<BookAtInstant>(Type.Ref('BookAtInstant')),
          ...historyErrorResponses(400, 404, 409, 503)
        }
      }
    },
    async ({ params: { id }, query }) => {
      const { allowDegraded = false, depth = FRAGMENT_DEPTH } = query
      const reader = readerOf(app)
      const atMs = parseInstant(query.asOf, 'asOf', reader.now())
      await assertKnown(app, reader, id)
      const found = await reader.bookAt(id, atMs)
      if (!found.proven && !allowDegraded) throw new BookUnprovenError(whyUnproven(found))
      return bookBody(found, depth)
    }
  )
}

function whyUnproven({ marketId, atMs, hole, state, reason }: BookAt): string {
  const why = hole === null ? `its state was ${state} (${reason})` : holeText(hole)
  return `the book of ${marketId} at ${timeText(atMs)} cannot be proved: ${why}; allowDegraded=true takes it anyway`
}

export default book
