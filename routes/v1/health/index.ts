import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import type { Health, LivenessSchema, ReadinessSchema } from '../../../schemas/health.ts'
import { NO_QUERY } from '../../../schemas/list.ts'
import { errorResponses } from '../../../schemas/responses.ts'

const health: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/livez',
    {
      compress: false,
      schema: {
        operationId: 'getLiveness',
        summary: 'Whether the process is up',
        description: 'Answers as long as the process does; it looks at nothing else.',
        tags: ['health'],
        querystring: NO_QUERY,
        response: {
          200: Type.Unsafe<Static<typeof LivenessSchema>>(Type.Ref('Liveness')),
          ...errorResponses(400)
        }
      }
    },
    async () => ({ status: 'up' as const })
  )

  app.get(
    '/readyz',
    {
      compress: false,
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether the gateway is ready to serve',
        description:
          'Answers 503 with Retry-After (seconds) until every venue that is run has had its first synchronisation and, ' +
          'where history is recorded, until its database was reached once or did not answer for 30 seconds after the ' +
          'start. Books are served before, each with its verdict.',
        tags: ['health'],
        querystring: NO_QUERY,
        response: {
          200: Type.Unsafe<Static<typeof ReadinessSchema>>(Type.Ref('Readiness')),
          ...errorResponses(400, 503)
        }
      }
    },
    async () => {
      app.assertReady()
      return { status: 'ready' as const }
    }
  )

  app.get(
    '/healthz',
    {
      compress: {},
      schema: {
        operationId: 'getHealth',
        summary: 'The full status',
        description:
          'Connections, last messages, message rates (messages a second over the last minute), books by state and ' +
          'reason, circuit breakers, recovery and audits for every venue; the latest incidents; how far a replay is; ' +
          'memory (bytes) and event-loop delay (milliseconds) of the process. Always 200: read `status`.',
        tags: ['health'],
        querystring: NO_QUERY,
        response: { 200: Type.Unsafe<Health>(Type.Ref('Health')), ...errorResponses(400) }
      }
    },
    async () => app.getHealth()
  )
}

export default health
