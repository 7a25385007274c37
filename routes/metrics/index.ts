import type { FastifyPluginAsync } from 'fastify'

/** For Prometheus, in its own text format: no part of the JSON API, and so not in its specification. */
const metrics: FastifyPluginAsync = async (app) => {
  app.get('/metrics', { schema: { hide: true }, compress: {} }, async (_request, reply) => {
    reply.type(app.metrics.contentType)
    return app.metrics.scrape()
  })
}

export default metrics
