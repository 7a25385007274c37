import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import { stringify } from 'yaml'
import { COMPONENT_SCHEMAS } from '../schemas/components.ts'
import { errorExample, HISTORY_TAG } from '../schemas/responses.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Returns the specification as YAML; once the app is ready. */
    openapiYaml(): string
  }
}

/** Quoted, and keys too by YAML 1.1: many readers still take yes, no, off and dates for more than text. */
export const YAML_STYLE = {
  version: '1.1',
  defaultStringType: 'QUOTE_DOUBLE',
  defaultKeyType: 'PLAIN'
} as const

export const API_VERSION = '0.1.0'

export default fp(
  async (app) => {
    for (const schema of COMPONENT_SCHEMAS) app.addSchema(schema)

    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Crossbook',
          version: API_VERSION,
          description:
            'Live order books of prediction markets (Kalshi, Polymarket) behind one API. Prices are dollars per ' +
            'contract and sizes contracts, both as exact decimal text. Every book is in YES terms and carries a ' +
            'verdict that says how far it can be trusted: use quotes only where `quotes.usable` is true.',
          license: { name: 'MIT', identifier: 'MIT' }
        },
        servers: [{ url: '/', description: 'This gateway' }],
        security: [{}],
        components: {
          securitySchemes: {
            operatorKey: {
              type: 'http',
              scheme: 'bearer',
              description:
                'The key that OPERATOR_API_KEY sets; operator calls are refused while it is not set'
            }
          }
        },
        tags: [
          { name: 'markets', description: 'Markets with their order books, quotes and verdicts' },
          { name: 'events', description: "The venues' own grouping of markets" },
          { name: 'schedule', description: 'When markets open, start and close' },
          { name: HISTORY_TAG, description: 'What was recorded, and how much of it is proven' },
          { name: 'recycler', description: 'How connections are renewed' },
          { name: 'health', description: 'How the gateway and its venues are doing' }
        ]
      },
      transformObject: (document) => {
        if ('swaggerObject' in document) return document.swaggerObject
        addErrorExamples(document.openapiObject as Specification)
        return document.openapiObject
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

/** The part of a specification that is worked on. */
interface Specification {
  paths?: Record<string, Record<string, Operation>>
}
interface Operation {
  tags?: string[]
  responses?: Record<string, Response>
}
interface Response {
  content?: Record<string, { example?: unknown }>
}

/** A reference takes no words of its own, so each error's example is put beside it: else all would show the same. */
function addErrorExamples({ paths = {} }: Specification): void {
  const operations = Object.values(paths).flatMap((path) => Object.values(path))
  for (const { tags, responses = {} } of operations) {
    for (const [status, { content }] of Object.entries(responses)) {
      const media = content?.['application/json']
      const example = errorExample(status, tags)
      // A copy each: YAML would write one and point at it from the others.
      if (media !== undefined && example !== undefined) media.example = { ...example }
    }
  }
}
