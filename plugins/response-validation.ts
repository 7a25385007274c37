import { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { gunzipSync } from 'node:zlib'
import type { FastifyReply, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { TProperties, TSchema } from 'typebox'
import { COMPONENT_SCHEMAS } from '../schemas/components.ts'
import { type CheckedRoute, ResponseChecker } from '../services/health/response-checker.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Checks real answers against their schemas, as `VALIDATE_RESPONSES` says. */
    responseChecker: ResponseChecker
  }
  interface FastifyContextConfig {
    /** The schema of each line of a 200 that is lines of JSON. */
    lineSchema?: TSchema
  }
}

export default fp(
  async (app) => {
    const components: TProperties = Object.fromEntries(
      COMPONENT_SCHEMAS.map((schema) => [schema.$id, schema])
    )
    const checker = new ResponseChecker(app.config.VALIDATE_RESPONSES, components, (failure) => {
      app.log.error(failure, 'an answer does not match its schema; more of this kind are only counted')
    })
    app.decorate('responseChecker', checker)
    if (checker.mode === 'off') return

    app.addHook('onRoute', (options) => {
      // A HEAD route inherits the check of its GET.
      if (options.method !== 'GET' || options.schema?.hide === true) return
      const route = checkedRoute(options)
      options.onSend = [
        (_request, reply, payload, done) => {
          if (!checker.isDue(route)) return done()
          done(null, checkPayload(checker, route, reply, payload))
        },
        // First, so that it sees the answer before any compression.
        ...[options.onSend ?? []].flat()
      ]
    })
  },
  { name: 'response-validation', dependencies: ['config'] }
)

function checkedRoute({ url, schema, config }: RouteOptions): CheckedRoute {
  const { operationId } = (schema ?? {}) as { operationId?: string }
  const bodies = Object.entries((schema?.response ?? {}) as Record<string, TSchema>)
  return {
    name: operationId ?? url,
    bodies: new Map(bodies.map(([status, body]) => [Number(status), body])),
    line: config?.lineSchema ?? null
  }
}

/** Checks what is sent and returns what is to be sent on: the same, or a stream that is checked as it flows. */
function checkPayload(
  checker: ResponseChecker,
  route: CheckedRoute,
  reply: FastifyReply,
  payload: unknown
): unknown {
  if (payload === null || payload === undefined || payload === '') return payload
  if (payload instanceof Readable) return Readable.from(checkFlow(checker, route, reply.statusCode, payload))
  if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload
  if (!checker.isSizeAllowed(payload.length)) return payload
  const zipped = Buffer.isBuffer(payload) && reply.getHeader('content-encoding') === 'gzip'
  checker.checkBody(route, reply.statusCode, (zipped ? gunzipSync(payload) : payload).toString())
  return payload
}

async function* checkFlow(
  checker: ResponseChecker,
  route: CheckedRoute,
  status: number,
  payload: Readable
): AsyncGenerator<Buffer> {
  const decoder = new StringDecoder('utf8')
  let text = ''
  let bytes = 0
  for await (const chunk of payload as AsyncIterable<Buffer>) {
    yield chunk
    bytes += chunk.length
    if (!checker.isSizeAllowed(bytes)) continue
    text += decoder.write(chunk)
    if (route.line === null) continue
    const lines = text.split('\n')
    text = lines.pop() as string
    for (const line of lines) checker.checkLine(route, line)
  }
  if (!checker.isSizeAllowed(bytes)) return
  if (route.line === null) checker.checkBody(route, status, text)
  else if (text !== '') checker.checkLine(route, text)
}
