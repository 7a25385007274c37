import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { streamPage } from './page.ts'

/** The specification of the stream: as a page for people, and as files. */
const streamDocs: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/docs/stream', { schema: { hide: true }, compress: {} }, async (_request, reply) => {
    reply.type('text/html; charset=utf-8')
    return streamPage(app.asyncapi)
  })
  app.get('/asyncapi.json', { schema: { hide: true }, compress: {} }, async () => app.asyncapi)
  app.get('/asyncapi.yaml', { schema: { hide: true }, compress: {} }, async (_request, reply) => {
    reply.type('application/yaml')
    return app.asyncapiYaml()
  })
}

export default streamDocs
