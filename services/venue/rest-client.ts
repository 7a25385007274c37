import { setMaxListeners } from 'node:events'
import { type Dispatcher, Pool } from 'undici'
import { UpstreamUnavailableError, VenueRestError } from '../errors.ts'
import { backoffMs } from './backoff.ts'
import { Breaker } from './breaker.ts'
import type { RestHostStatus } from './port.ts'
import type { TokenBucket } from './token-bucket.ts'

export interface RestClientOptions {
  /** Scheme, host and path prefix: `https://host/prefix`. */
  base: string
  bucket: TokenBucket
  /** Around the host; shared by all clients of it. */
  breaker?: Breaker
  /** Headers of one request; `path` starts at the host root, without the query. Called for every attempt. */
  headers?: (method: string, path: string) => Record<string, string>
  /** For one attempt, from sending to the last byte. */
  timeoutMs?: number
  /** Attempts after the first, for 425, 429, 5xx, answers that are not JSON, and broken connections. */
  retries?: number
  maxBodyBytes?: number
  /** An answer that took longer slows the pace: it is the first sign that a venue throttles. */
  slowAfterMs?: number
  random?: () => number
  /** For durations: a clock that never jumps, milliseconds. */
  steadyNow?: () => number
}

export interface RestCall {
  query?: Record<string, string | number | boolean | readonly string[] | undefined>
  body?: unknown
  /** Tokens that the call costs; 1 unless the venue counts otherwise. */
  cost?: number
  /** Statuses that are an answer, not a failure: their parsed body is returned. */
  accept?: readonly number[]
}

export interface RestAnswer {
  status: number
  /** Parsed JSON; its shape is for the caller to check. */
  body: unknown
}

type Counts = Pick<RestHostStatus, 'requests' | 'failures' | 'retries' | 'lastError'>

const BACKOFF_BASE_MS = 250
const BACKOFF_CAP_MS = 10_000
const USER_AGENT = 'crossbook'

/**
 * Asks one venue's REST API: keep-alive pool, paced by a token bucket, a time limit for each attempt, and retries
 * with full jitter where trying again can help, all inside a circuit breaker. A venue's HTML, or half an answer, is a
 * failure with a sentence.
 */
export class RestClient {
  private readonly counts: Counts = { requests: 0, failures: 0, retries: 0, lastError: null }
  private readonly name: string
  private readonly pool: Pool
  private readonly prefix: string
  private readonly options: Required<Omit<RestClientOptions, 'base'>>
  private readonly stopping = new AbortController()

  constructor({
    base,
    bucket,
    headers = () => ({}),
    timeoutMs = 10_000,
    retries = 4,
    maxBodyBytes = 64 * 1024 * 1024,
    slowAfterMs = 2_000,
    random = Math.random,
    steadyNow = performance.now.bind(performance),
    breaker
  }: RestClientOptions) {
    const url = new URL(base)
    this.name = breaker?.name ?? url.host
    // Every call listens to it while it waits, and many may.
    setMaxListeners(0, this.stopping.signal)
    this.pool = new Pool(url.origin, {
      connections: 8,
      keepAliveTimeout: 30_000,
      maxResponseSize: maxBodyBytes
    })
    this.prefix = url.pathname.replace(/\/$/, '')
    this.options = {
      bucket,
      headers,
      timeoutMs,
      retries,
      maxBodyBytes,
      slowAfterMs,
      random,
      steadyNow,
      breaker: breaker ?? new Breaker({ name: url.host, isFailure: isOutage, steadyNow })
    }
  }

  get status(): RestHostStatus {
    const { bucket, breaker } = this.options
    return { name: this.name, ...this.counts, breaker: breaker.status(), ...bucket.pace }
  }

  /** True while the host answers, as far as is known, and has room for a call that can wait. */
  get hasRoom(): boolean {
    const { bucket, breaker } = this.options
    return breaker.waitMs === 0 && breaker.state !== 'half_open' && bucket.hasRoom
  }

  get(path: string, call: RestCall = {}): Promise<RestAnswer> {
    return this.ask('GET', path, call)
  }

  post(path: string, body: unknown, call: RestCall = {}): Promise<RestAnswer> {
    return this.ask('POST', path, { ...call, body })
  }

  /** Aborts what is under way and closes the pool. */
  async close(): Promise<void> {
    this.stopping.abort(new VenueRestError('the client is closed', null, false))
    await this.pool.destroy()
  }

  private async ask(method: Dispatcher.HttpMethod, path: string, call: RestCall): Promise<RestAnswer> {
    const { bucket, breaker, retries, random } = this.options
    const { signal } = this.stopping
    for (let attempt = 0; ; attempt++) {
      // Before the wait for tokens, and after it once more.
      breaker.assertPasses()
      await bucket.take(call.cost ?? 1, signal)
      try {
        return await breaker.run(() => this.paced(method, path, call, signal))
      } catch (error) {
        if (error instanceof UpstreamUnavailableError) throw error
        const failure = asRestError(error, method, path)
        if (signal.aborted) throw failure
        this.counts.failures++
        this.counts.lastError = failure.message
        if (failure.status === 429) bucket.slow()
        // The failure that opens the breaker says more than the breaker would.
        if (!failure.retryable || attempt >= retries || breaker.waitMs > 0) throw failure
        const pauseMs = failure.retryAfterMs ?? backoffMs(attempt, BACKOFF_BASE_MS, BACKOFF_CAP_MS, random)
        if (failure.status === 429) bucket.pause(pauseMs)
        await delay(pauseMs, signal)
        this.counts.retries++
      }
    }
  }

  /** Makes an attempt, and takes from how long it took whether the pace is right. */
  private async paced(
    method: Dispatcher.HttpMethod,
    path: string,
    call: RestCall,
    signal: AbortSignal
  ): Promise<RestAnswer> {
    const { bucket, steadyNow, slowAfterMs } = this.options
    const startedAtMs = steadyNow()
    this.counts.requests++
    try {
      const answer = await this.withinTime(signal, (attemptSignal) =>
        this.attempt(method, path, call, attemptSignal)
      )
      if (steadyNow() - startedAtMs < slowAfterMs) bucket.quicken()
      this.counts.lastError = null
      return answer
    } finally {
      if (steadyNow() - startedAtMs >= slowAfterMs) bucket.slow()
    }
  }

  /**
   * Gives an attempt its time limit. By hand rather than by `AbortSignal.any`: that leaves a trace on the client's
   * own signal, which lives as long as the process, for every call.
   */
  private async withinTime<T>(stop: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const abort = () => controller.abort(stop.reason)
    const timer = setTimeout(
      () => controller.abort(new DOMException('the time limit is over', 'TimeoutError')),
      this.options.timeoutMs
    )
    stop.addEventListener('abort', abort, { once: true })
    try {
      return await work(controller.signal)
    } finally {
      clearTimeout(timer)
      stop.removeEventListener('abort', abort)
    }
  }

  private async attempt(
    method: Dispatcher.HttpMethod,
    path: string,
    { query, body, accept }: RestCall,
    signal: AbortSignal
  ): Promise<RestAnswer> {
    const fullPath = `${this.prefix}${path}`
    const answer = await this.pool.request({
      method,
      path: `${fullPath}${searchOf(query)}`,
      headers: {
        accept: 'application/json',
        'user-agent': USER_AGENT,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.options.headers(method, fullPath)
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal
    })
    const { statusCode: status } = answer
    const text = await answer.body.text()
    const ok = (status >= 200 && status < 300) || accept?.includes(status) === true
    const type = String(answer.headers['content-type'] ?? '')
    const isHtml = type.includes('html')
    if (!ok) {
      const again = retryable(status)
      throw new AttemptError(describe(method, path, status, text), status, again, {
        isOutage: again || isHtml,
        retryAfterMs: retryAfter(answer)
      })
    }
    if (isHtml) throw new AttemptError(`${method} ${path} answered HTML with ${status}`, status, true)
    try {
      return { status, body: JSON.parse(text) }
    } catch (cause) {
      const sentence = `${method} ${path} answered ${status} with a body that is not JSON`
      throw new AttemptError(sentence, status, true, { cause })
    }
  }
}

/** Whether an error says that the host is down or wants us to stop; a 404 is an answer like any other. */
export function isOutage(error: unknown): boolean {
  return error instanceof AttemptError ? error.isOutage : !(error instanceof VenueRestError)
}

interface AttemptDetails extends ErrorOptions {
  isOutage?: boolean
  retryAfterMs?: number | null
}

/** What one attempt failed with, and how long the venue asks us to wait. */
class AttemptError extends VenueRestError {
  readonly isOutage: boolean
  readonly retryAfterMs: number | null

  constructor(message: string, status: number | null, again: boolean, details: AttemptDetails = {}) {
    const { isOutage = true, retryAfterMs = null, ...options } = details
    super(message, status, again, options)
    this.name = 'VenueRestError'
    this.isOutage = isOutage
    this.retryAfterMs = retryAfterMs
  }
}

function asRestError(error: unknown, method: string, path: string): AttemptError {
  if (error instanceof AttemptError) return error
  const timedOut = error instanceof DOMException && error.name === 'TimeoutError'
  const why = timedOut
    ? 'did not answer in time'
    : `failed: ${error instanceof Error ? error.message : String(error)}`
  return new AttemptError(`${method} ${path} ${why}`, null, true, { cause: error })
}

function retryable(status: number): boolean {
  return status === 425 || status === 429 || status >= 500
}

function retryAfter({ headers }: Dispatcher.ResponseData): number | null {
  const seconds = Number(headers['retry-after'])
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 120) * 1_000 : null
}

function describe(method: string, path: string, status: number, text: string): string {
  const start = text.slice(0, 200).replace(/\s+/g, ' ').trim()
  return `${method} ${path} answered ${status}${start === '' ? '' : `: ${start}`}`
}

function searchOf(query: RestCall['query']): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue
    if (Array.isArray(value)) for (const one of value) search.append(name, one)
    else search.append(name, String(value))
  }
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const abort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal.addEventListener('abort', abort, { once: true })
  })
}
