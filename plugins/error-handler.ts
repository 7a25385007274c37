import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { ErrorBody } from '../schemas/error.ts'
import { CrossbookError, NotReadyError } from '../services/errors.ts'

/** The one place that knows which of our errors is which HTTP status. */
const STATUS_BY_CODE: Record<string, number> = {
  MARKET_NOT_FOUND: 404,
  EVENT_NOT_FOUND: 404,
  NOT_READY: 503
}

/** Stable codes for what Fastify itself refuses, where it is not simply a bad request. */
const CODE_BY_STATUS: Record<number, string> = { 413: 'BODY_TOO_LARGE' }

const ALLOW = 'GET, HEAD'

export default fp(
  async (app) => {
    const served: RegExp[] = []

    app.addHook('onRoute', ({ method, url }) => {
      if (method === 'GET') served.push(pathPattern(url))
    })

    // Before the body is read: what cannot be done here needs no parsing first.
    app.addHook('onRequest', (request, reply, done) => {
      if (!request.is404 || request.method === 'GET' || request.method === 'HEAD') return done()
      const path = pathOf(request)
      if (!served.some((pattern) => pattern.test(path))) return done()
      void reply
        .code(405)
        .header('allow', ALLOW)
        .send(body(405, 'METHOD_NOT_ALLOWED', `${path} answers ${ALLOW} only`))
    })

    app.setNotFoundHandler((request, reply) => {
      const message = `nothing is served at ${pathOf(request)}: see /docs`
      void reply.code(404).send(body(404, 'ROUTE_NOT_FOUND', message))
    })

    app.setErrorHandler(replyWithError)
  },
  { name: 'error-handler' }
)

/** Answers an error, whoever threw it, in the one shape that clients know. */
export function replyWithError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const [status, code, message] = describe(error)
  if (status === 500) request.log.error({ err: error }, 'a request failed')
  if (error instanceof NotReadyError) reply.header('retry-after', error.retryAfterSeconds)
  void reply.code(status).send(body(status, code, message))
}

function describe(error: FastifyError): [status: number, code: string, message: string] {
  if (error instanceof CrossbookError) {
    const status = STATUS_BY_CODE[error.code]
    if (status !== undefined) return [status, error.code, error.message]
  } else if (error.validation !== undefined) {
    return [400, 'BAD_REQUEST', validationMessage(error)]
  } else if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return [error.statusCode, CODE_BY_STATUS[error.statusCode] ?? 'BAD_REQUEST', error.message]
  }
  return [500, 'INTERNAL_ERROR', 'the request failed on our side: the log says why']
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] as string
}

function body(statusCode: number, code: string, message: string): ErrorBody {
  return { statusCode, code, error: STATUS_CODES[statusCode] ?? 'Error', message }
}

/** Names the parameter that is wrong and says what it must be. */
function validationMessage({ validation, validationContext, message }: FastifyError): string {
  const [failure] = validation ?? []
  if (failure === undefined) return message
  const where = validationContext === 'params' ? 'path' : 'query'
  const unknown = failure.params.additionalProperty
  if (typeof unknown === 'string') return `${where} parameter ${unknown} is not known here`
  const name = failure.instancePath.slice(1).replaceAll('/', '.')
  const allowed = failure.params.allowedValues
  const values = Array.isArray(allowed) ? `: ${allowed.join(', ')}` : ''
  return `${where} parameter ${name} ${failure.message ?? 'is malformed'}${values}`
}

/** A route's URL as the pattern of the paths that it serves. */
function pathPattern(url: string): RegExp {
  const escaped = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/:[^/]+/g, '[^/]+').replaceAll('*', '.*')}$`)
}
