import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { NO_QUERY } from '../../../schemas/list.ts'
import type { RecyclerStatus, StartedRunSchema } from '../../../schemas/recycler.ts'
import { errorResponses } from '../../../schemas/responses.ts'
import { assertOperator } from '../../../services/operator-key.ts'

const recycler: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/recycler',
    {
      compress: {},
      schema: {
        operationId: 'getRecycler',
        summary: 'When connections are renewed, and what came of it',
        description:
          'The run under way, the next one, and the reports of the last runs, newest first. A run renews every ' +
          'connection, make before break, compares the books of both, and then asks the venues anew for their ' +
          'markets. No book is unavailable because of it.',
        tags: ['recycler'],
        querystring: NO_QUERY,
        response: {
          200: Type.Unsafe<RecyclerStatus>(Type.Ref('RecyclerStatus')),
          ...errorResponses(400)
        }
      }
    },
    async () => app.recycler.status()
  )

  app.post(
    '/recycler/runs',
    {
      // Before the body is read: who may not do this needs no parsing.
      onRequest: async ({ headers }) => assertOperator(app.config.OPERATOR_API_KEY, headers.authorization),
      schema: {
        operationId: 'startRecyclerRun',
        summary: 'Start a run now',
        description:
          'For the operator: needs the key that OPERATOR_API_KEY sets, and is refused while none is set. Answers ' +
          'with the id of the run at once; its report follows at /v1/recycler. Takes no body.',
        tags: ['recycler'],
        security: [{ operatorKey: [] }],
        querystring: NO_QUERY,
        response: {
          202: Type.Unsafe<Static<typeof StartedRunSchema>>(
            Type.Ref('StartedRun', { description: 'The run has begun' })
          ),
          ...errorResponses(400, 401, 403, 409)
        }
      }
    },
    async (_request, reply) => {
      reply.code(202).header('location', '/v1/recycler')
      return { id: app.recycler.run('operator') }
    }
  )
}

export default recycler
