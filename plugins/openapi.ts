import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import { stringify } from 'yaml'
import { COMPONENT_SCHEMAS } from '../schemas/components.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Returns the specification as YAML; once the app is ready. */
    openapiYaml(): string
  }
}

/** Quoted, and keys too by YAML 1.1: many readers still take yes, no, off and dates for more than text. */
const YAML_STYLE = { version: '1.1', defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' } as const

const VERSION = '0.1.0'

export default fp(
  async (app) => {
    for (const schema of COMPONENT_SCHEMAS) app.addSchema(schema)

    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Crossbook',
          version: VERSION,
          description:
            'Live order books of prediction markets (Kalshi, Polymarket) behind one API. Prices are dollars per ' +
            'contract and sizes contracts, both as exact decimal text. Every book is in YES terms and carries a ' +
            'verdict that says how far it can be trusted: use quotes only where `quotes.usable` is true.',
          license: { name: 'MIT', identifier: 'MIT' }
        },
        servers: [{ url: '/', description: 'This gateway' }],
        security: [{}],
        tags: [
          { name: 'markets', description: 'Markets with their order books, quotes and verdicts' },
          { name: 'events', description: "The venues' own grouping of markets" },
          { name: 'schedule', description: 'When markets open, start and close' },
          { name: 'health', description: 'How the gateway and its venues are doing' }
        ]
      },
      refResolver: {
        buildLocalReference: (json, _baseUri, _fragment, i) =>
          typeof json.$id === 'string' ? json.$id : `def-${i}`
      }
    })
    await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { tryItOutEnabled: true } })

    app.decorate('openapiYaml', () => stringify(app.swagger(), YAML_STYLE))

    app.get('/openapi.json', { schema: { hide: true }, compress: {} }, async () => app.swagger())
    app.get('/openapi.yaml', { schema: { hide: true }, compress: {} }, async (_request, reply) => {
      reply.type('application/yaml')
      return app.openapiYaml()
    })
  },
  { name: 'openapi', dependencies: ['error-handler', 'compression'] }
)
