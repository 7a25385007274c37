import type { StreamError } from './messages.gen.ts'

/** Why the client gave up. `code` is one of the gateway's, or one of those named here. */
export class StreamClientError extends Error {
  readonly code: StreamError['code'] | 'NO_WEB_SOCKET' | 'CLOSED' | 'REFUSED_BY_GATEWAY'

  constructor(code: StreamClientError['code'], message: string) {
    super(message)
    this.name = 'StreamClientError'
    this.code = code
  }
}
