import { Type } from 'typebox'
import type { ErrorBody } from './error.ts'

const ERROR_DESCRIPTIONS = {
  400: 'A parameter is unknown or malformed; the message names it',
  404: 'There is none with this id',
  500: 'The request failed on our side; the log says why',
  503: 'The first synchronisation is not done; retry after the seconds in Retry-After'
}

const RETRY_AFTER = Type.Integer({ description: 'Seconds to wait before asking again' })
const ETAG = Type.String({ description: 'Stands for exactly these bytes: send it back in If-None-Match' })

/** Documents the validator of an answer. */
export const ETAG_HEADER = { headers: { ETag: ETAG } }

type ErrorStatus = keyof typeof ERROR_DESCRIPTIONS

/** Returns the declarations of the errors that a route can answer; any can fail with 500. */
export function errorResponses<Status extends ErrorStatus>(...statuses: Status[]) {
  const entries = [...statuses, 500 as const].map((status) => [
    status,
    Type.Unsafe<ErrorBody>(
      Type.Ref('Error', {
        description: ERROR_DESCRIPTIONS[status],
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
