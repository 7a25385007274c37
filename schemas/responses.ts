import { Type } from 'typebox'
import type { ErrorBody } from './error.ts'

interface ErrorAnswer {
  description: string
  example: ErrorBody
}

const ERRORS = {
  400: answer(
    'A parameter is unknown or malformed; the message names it',
    { statusCode: 400, code: 'BAD_REQUEST', error: 'Bad Request' },
    'query parameter page must be >= 1'
  ),
  401: answer(
    'The operator key is missing or wrong',
    { statusCode: 401, code: 'OPERATOR_KEY_WRONG', error: 'Unauthorized' },
    'this call needs the header authorization: Bearer <OPERATOR_API_KEY>'
  ),
  403: answer(
    'No operator key is set, so operator calls are refused',
    { statusCode: 403, code: 'OPERATOR_KEY_UNSET', error: 'Forbidden' },
    'operator calls are off: set OPERATOR_API_KEY to allow them'
  ),
  404: answer(
    'There is none with this id',
    { statusCode: 404, code: 'MARKET_NOT_FOUND', error: 'Not Found' },
    'no market kalshi:NOPE: see /v1/markets/index for the ids that are served'
  ),
  409: answer(
    'A run is under way',
    { statusCode: 409, code: 'RECYCLER_BUSY', error: 'Conflict' },
    'run 3 is under way: see /v1/recycler'
  ),
  500: answer(
    'The request failed on our side; the log says why',
    { statusCode: 500, code: 'INTERNAL_ERROR', error: 'Internal Server Error' },
    'the request failed on our side: the log says why'
  ),
  503: answer(
    'The first synchronisation is not done; retry after the seconds in Retry-After',
    { statusCode: 503, code: 'NOT_READY', error: 'Service Unavailable' },
    'the first synchronisation with the venues is not done: retry in 2 s'
  )
}

/** What the same statuses mean where history is asked for. */
const HISTORY_ERRORS: Partial<typeof ERRORS> = {
  400: answer(
    'A parameter is unknown or malformed, a time is none, or a range is empty or too long; the message names it',
    { statusCode: 400, code: 'RANGE_INVALID', error: 'Bad Request' },
    'query parameter from must be before to'
  ),
  404: answer(
    'The market is not known (MARKET_NOT_FOUND), nothing of it was recorded by then (BOOK_UNKNOWN), or nothing is ' +
      'recorded here at all (HISTORY_OFF)',
    { statusCode: 404, code: 'MARKET_NOT_FOUND', error: 'Not Found' },
    'no market kalshi:NOPE: see /v1/markets/index for the ids that are served'
  ),
  409: answer(
    'What the book was cannot be proved; the message names the hole',
    { statusCode: 409, code: 'BOOK_UNPROVEN', error: 'Conflict' },
    'the book of kalshi:KXFED-26DEC-T3.75 at 2026-11-20T12:20:01.000Z cannot be proved: sequence_gap from ' +
      '2026-11-20T12:20:00.100Z to 2026-11-20T12:20:01.600Z; allowDegraded=true takes it anyway'
  ),
  503: answer(
    'The history cannot be read just now (HISTORY_UNAVAILABLE), or the first synchronisation is not done ' +
      '(NOT_READY); retry after the seconds in Retry-After',
    { statusCode: 503, code: 'HISTORY_UNAVAILABLE', error: 'Service Unavailable' },
    'the history cannot be read just now (the connection was refused): retry in 5 s'
  )
}

/** The tag of the routes that answer from what was recorded. */
export const HISTORY_TAG = 'history'

function answer(description: string, fixed: Omit<ErrorBody, 'message'>, message: string): ErrorAnswer {
  return { description, example: { ...fixed, message } }
}

const RETRY_AFTER = Type.Integer({ description: 'Seconds to wait before asking again' })
const ETAG = Type.String({ description: 'Stands for exactly these bytes: send it back in If-None-Match' })

/** Documents the validator of an answer. */
export const ETAG_HEADER = { headers: { ETag: ETAG } }

type ErrorStatus = keyof typeof ERRORS

/** Returns the declarations of the errors that a route can answer; any can fail with 500. */
export function errorResponses<Status extends ErrorStatus>(...statuses: Status[]) {
  return declare(ERRORS, statuses)
}

/** Does what `errorResponses` does for a route with `HISTORY_TAG`. */
export function historyErrorResponses<Status extends ErrorStatus>(...statuses: Status[]) {
  return declare({ ...ERRORS, ...HISTORY_ERRORS }, statuses)
}

/** Returns what an error with this status looks like; undefined for one that is not declared anywhere. */
export function errorExample(status: string, tags: readonly string[] = []): ErrorBody | undefined {
  const errors: Record<string, ErrorAnswer> = tags.includes(HISTORY_TAG)
    ? { ...ERRORS, ...HISTORY_ERRORS }
    : ERRORS
  return errors[status]?.example
}

function declare<Status extends ErrorStatus>(errors: typeof ERRORS, statuses: Status[]) {
  const entries = [...statuses, 500 as const].map((status) => [
    status,
    Type.Unsafe<ErrorBody>(
      Type.Ref('Error', {
        description: errors[status].description,
        ...(status === 503 && { headers: { 'Retry-After': RETRY_AFTER } })
      })
    )
  ])
  return Object.fromEntries(entries) as Record<Status | 500, ReturnType<typeof Type.Unsafe<ErrorBody>>>
}

/** The answer to a client that already holds the current state. */
export const notModified = Type.Unsafe<undefined>({
  type: 'null',
  ...ETAG_HEADER,
  description: 'Not modified since the answer whose ETag was sent in If-None-Match'
})

/** The header by which a client asks for an answer only if it has changed. */
export const ifNoneMatch = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({ description: 'The ETag of an earlier answer: if nothing has changed, the answer is 304' })
  )
})
