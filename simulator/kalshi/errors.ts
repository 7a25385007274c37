const MESSAGES = new Map<number, string>([
  [1, 'Unable to process message'],
  [2, 'Params required'],
  [3, 'Channels required'],
  [4, 'Subscription IDs required'],
  [5, 'Unknown command'],
  [7, 'Unknown subscription ID'],
  [8, 'Unknown channel name'],
  [9, 'Authentication required'],
  [10, 'Channel error'],
  [11, 'Invalid parameter'],
  [12, 'Exactly one subscription ID is required'],
  [13, 'Unsupported action'],
  [14, 'Market Ticker required'],
  [15, 'Action required'],
  [17, 'Internal error'],
  [18, 'Command timeout'],
  [25, 'Subscription buffer overflow'],
  [26, 'Subscription market limit exceeded'],
  [27, 'Too many commands on the subscription']
])

/** The codes after which the subscription is dead. 17 is retired, but an older server ends with it. */
export const TERMINAL_CODES: ReadonlySet<number> = new Set([10, 17, 25])

/** Returns the `msg` of a WebSocket error. */
export function errorBody(code: number): string {
  return JSON.stringify({ code, msg: MESSAGES.get(code) ?? 'Error' })
}

/** A REST answer other than 200, in the venue's wrapper. */
export class HttpError extends Error {
  readonly status: number
  readonly body: string

  constructor(status: number, code: string, message: string, details?: string) {
    super(message)
    this.status = status
    this.body = JSON.stringify({ error: { code, ...(details === undefined ? {} : { details }), message } })
  }
}

export const badRequest = (details: string): HttpError =>
  new HttpError(400, 'bad_request', 'bad request', details)
/** The one body that is a plain string: there is no `Retry-After` either. */
export const TOO_MANY_REQUESTS = JSON.stringify({ error: 'too many requests' })

export const notFound = (): HttpError => new HttpError(404, 'not_found', 'not found')
export const unauthorized = (details: string): HttpError =>
  new HttpError(401, 'unauthorized', 'unauthorized', details)
