import fp from 'fastify-plugin'
import { stringify } from 'yaml'
import { type AsyncApiDocument, asyncApiDocument } from '../schemas/asyncapi.ts'
import { API_VERSION, YAML_STYLE } from './openapi.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The specification of the stream. */
    asyncapi: AsyncApiDocument
    /** Returns the same as YAML. */
    asyncapiYaml(): string
  }
}

export default fp(
  async (app) => {
    const document = asyncApiDocument(API_VERSION)
    app.decorate('asyncapi', document)
    app.decorate('asyncapiYaml', () => stringify(document, { ...YAML_STYLE, aliasDuplicateObjects: false }))
  },
  { name: 'asyncapi', dependencies: ['openapi'] }
)
