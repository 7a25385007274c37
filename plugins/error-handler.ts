import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { ErrorBody } from '../schemas/error.ts'
import {
  CrossbookError,
  HistoryUnavailableError,
  NotReadyError,
  OperatorKeyWrongError,
  StreamRefusedError
} from '../services/errors.ts'

/** The one place that knows which of our errors is which HTTP status. */
const STATUS_BY_CODE: Record<string, number> = {
  MARKET_NOT_FOUND: 404,
  EVENT_NOT_FOUND: 404,
  OPERATOR_KEY_WRONG: 401,
  OPERATOR_KEY_UNSET: 403,
  RECYCLER_BUSY: 409,
  NOT_READY: 503,
  HISTORY_UNAVAILABLE: 503,
  HISTORY_OFF: 404,
  RANGE_INVALID: 400,
  BOOK_UNPROVEN: 409,
  BOOK_UNKNOWN: 404,
  TOO_MANY_CLIENTS: 503,
  TOO_MANY_TOPICS: 503,
  BAD_MESSAGE: 400,
  UNKNOWN_CHANNEL: 400,
  ORIGIN_REFUSED: 403,
  UPGRADE_REQUIRED: 426
}

/** Stable codes for what Fastify itself refuses, where it is not simply a bad request. */
const CODE_BY_STATUS: Record<number, string> = {
  403: 'FORBIDDEN',
  408: 'REQUEST_TIMEOUT',
  413: 'BODY_TOO_LARGE',
  414: 'URI_TOO_LONG',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  431: 'HEADERS_TOO_LARGE'
}

/** What the parser gave up on, by its code. */
const UNREADABLE: Record<string, [status: number, code: string, message: string]> = {
  HPE_HEADER_OVERFLOW: [
    431,
    'HEADERS_TOO_LARGE',
    'the headers are larger than 16 KiB: send fewer or shorter ones'
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'REQUEST_TIMEOUT', 'the request did not come to its end in time']
}
const NO_HTTP: [status: number, code: string, message: string] = [
  400,
  'BAD_REQUEST',
  'what was sent is no HTTP request'
]

/** The methods that routes of ours answer, in the order in which `Allow` names them. */
const METHODS = ['GET', 'HEAD', 'POST']

export default fp(
  async (app) => {
    const served: { method: string; pattern: RegExp }[] = []

    app.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) served.push({ method: one, pattern: pathPattern(url) })
    })

    // Before the body is read: what cannot be done here needs no parsing first.
    app.addHook('onRequest', (request, reply, done) => {
      if (!request.is404) return done()
      const path = pathOf(request)
      const here = served.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
      const allow = METHODS.filter((method) => here.includes(method)).join(', ')
      if (allow === '') return answerNotFound(request, reply)
      void reply
        .code(405)
        .header('allow', allow)
        .send(body(405, 'METHOD_NOT_ALLOWED', `${path} answers ${allow} only`))
    })

    app.setNotFoundHandler(answerNotFound)

    app.setErrorHandler(replyWithError)
  },
  { name: 'error-handler' }
)

/** Answers an error, whoever threw it, in the one shape that clients know. */
export function replyWithError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const [status, code, message] = describe(error)
  if (status === 500) request.log.error({ err: error }, 'a request failed')
  if (error instanceof NotReadyError) reply.header('retry-after', error.retryAfterSeconds)
  const mayPass = error instanceof HistoryUnavailableError || error instanceof StreamRefusedError
  if (mayPass && error.retryAfterSeconds !== null) reply.header('retry-after', error.retryAfterSeconds)
  if (error instanceof OperatorKeyWrongError) reply.header('www-authenticate', 'Bearer')
  void reply.code(status).send(body(status, code, message))
}

/** Answers what never became a request, since the parser gave up on it, in the same shape. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, code, message] = UNREADABLE[error.code ?? ''] ?? NO_HTTP
  const text = JSON.stringify(body(status, code, message))
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n` +
        `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\n` +
        `connection: close\r\n\r\n${text}`
    )
  socket.destroySoon()
}

function answerNotFound(request: FastifyRequest, reply: FastifyReply): void {
  const message = `nothing is served at ${pathOf(request)}: see /docs`
  void reply.code(404).send(body(404, 'ROUTE_NOT_FOUND', message))
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
  const missing = failure.params.missingProperty
  if (typeof missing === 'string') return `${where} parameter ${missing} is missing`
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
