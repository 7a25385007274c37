import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Faults } from '../faults.ts'
import type { Verifier } from './auth.ts'
import type { Buckets } from './bucket.ts'
import { HttpError, notFound, TOO_MANY_REQUESTS, unauthorized } from './errors.ts'
import { exchangeStatus } from './exchange.ts'
import { Query } from './query.ts'
import { ROUTES, type Shelf } from './routes.ts'

export const REST_PREFIX = '/trade-api/v2'

const ORDERBOOK_PATH = /^\/markets(?:\/([^/]+)\/orderbook|\/orderbooks)$/
const MAX_CACHED = 1_000

interface Answer {
  status: number
  type: 'application/json' | 'text/html'
  body: string
  /** Answers of the cache in front of the venue say so. */
  cacheHits?: number
}

/** The REST side of the venue: faults first, then credentials, allowance, and the routes. */
export class Rest {
  readonly #shelf: Shelf
  readonly #verify: Verifier
  readonly #faults: Faults
  readonly #buckets: Buckets | null
  readonly #cache = new Map<string, { body: string; atMs: number; hits: number }>()
  readonly #timers = new Set<NodeJS.Timeout>()
  requests = 0

  constructor(shelf: Shelf, verify: Verifier, faults: Faults, buckets: Buckets | null) {
    this.#shelf = shelf
    this.#verify = verify
    this.#faults = faults
    this.#buckets = buckets
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.requests++
    request.resume()
    const slow = this.#faults.consume('kalshi', 'rest_slow')
    if (slow === undefined) {
      this.#reply(request, response)
      return
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#reply(request, response)
    }, slow.ms ?? 3_000)
    this.#timers.add(timer)
  }

  /** Forgets the answers that are still waiting. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #reply(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const verdict = this.#verify(request.headers, request.method ?? '', url.pathname)
    const answer = this.#faultyAnswer() ?? this.#answer(request, url, verdict)
    response.statusCode = answer.status
    response.setHeader(
      'content-type',
      answer.type === 'text/html' ? answer.type : 'application/json; charset=utf-8'
    )
    if (answer.status === 200 && verdict === 'absent') {
      response.setHeader('cache-control', 'public, max-age=15')
      response.setHeader('x-kalshi-cache-hits', String(answer.cacheHits ?? 0))
    }
    response.end(answer.body)
  }

  #faultyAnswer(): Answer | null {
    const html = this.#faults.consume('kalshi', 'rest_html')
    if (html) {
      const body = '<!DOCTYPE html><html><head><title>Just a moment</title></head><body></body></html>'
      return { status: html.status ?? 429, type: 'text/html', body }
    }
    const fault = this.#faults.consume('kalshi', 'rest_status')
    if (!fault) return null
    const status = fault.status ?? 503
    const outage = { status, type: 'application/json', body: JSON.stringify(exchangeStatus(false)) } as const
    if (status === 429) return { ...outage, body: TOO_MANY_REQUESTS }
    if (status === 500 || status === 503) return outage
    return json(new HttpError(status, 'service_error', 'service error'))
  }

  #answer(request: IncomingMessage, url: URL, verdict: ReturnType<Verifier>): Answer {
    try {
      if (verdict !== 'absent' && verdict !== 'accepted') throw unauthorized(verdict)
      if (request.method !== 'GET') throw new HttpError(405, 'method_not_allowed', 'method not allowed')
      const caller = request.headers['kalshi-access-key']
      if (verdict === 'accepted' && this.#buckets?.take(String(caller)) === false) {
        return { status: 429, type: 'application/json', body: TOO_MANY_REQUESTS }
      }
      if (!url.pathname.startsWith(`${REST_PREFIX}/`)) throw notFound()
      return this.#routed(url, verdict === 'accepted')
    } catch (error) {
      if (error instanceof HttpError) return json(error)
      throw error
    }
  }

  #routed(url: URL, isSigned: boolean): Answer {
    const path = url.pathname.slice(REST_PREFIX.length)
    for (const [pattern, route] of ROUTES) {
      const match = pattern.exec(path)
      if (match === null) continue
      const parts = match.slice(1).map(decodeURIComponent)
      const make = (): string =>
        JSON.stringify(route(this.#shelf, { parts, query: new Query(url.searchParams), isSigned }))
      const book = ORDERBOOK_PATH.exec(path)
      const stale = book && this.#faults.active('kalshi', 'rest_stale', book[1] ? { market: book[1] } : {})
      if (!stale) return { status: 200, type: 'application/json', body: make() }
      return this.#cached(url.pathname + url.search, stale.ms ?? 15_000, book[1], make)
    }
    throw notFound()
  }

  #cached(key: string, forMs: number, market: string | undefined, make: () => string): Answer {
    const now = performance.now()
    let entry = this.#cache.get(key)
    if (entry === undefined || now - entry.atMs > forMs) {
      if (this.#cache.size >= MAX_CACHED) this.#cache.clear()
      entry = { body: make(), atMs: now, hits: 0 }
      this.#cache.set(key, entry)
    } else {
      entry.hits++
      this.#faults.consume('kalshi', 'rest_stale', market ? { market } : {})
    }
    return { status: 200, type: 'application/json', body: entry.body, cacheHits: entry.hits }
  }
}

function json(error: HttpError): Answer {
  return { status: error.status, type: 'application/json', body: error.body }
}
