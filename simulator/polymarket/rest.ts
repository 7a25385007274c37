import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Faults } from '../faults.ts'
import { DelayedSends } from './delayed-sends.ts'

/** What a route answers. */
export interface Answer {
  status: number
  /** JSON text. */
  body: string
}

export type Route = (request: { method: string; url: URL; body: string }) => Answer

const MAX_BODY_BYTES = 1024 * 1024
const HTML = '<!DOCTYPE html><html><head><title>Access limited</title></head><body>Error 1015</body></html>'

/** Returns an answer whose body is the JSON of a value. */
export function answer(status: number, value: unknown): Answer {
  return { status, body: JSON.stringify(value) }
}

/** A JSON server of the venue, through the faults that spoil an answer; closing it drops late answers. */
export function createRestServer(
  faults: Faults,
  route: Route
): { server: Server; counts: { answers: number }; drop(): void } {
  const delayed = new DelayedSends()
  const counts = { answers: 0 }
  const server = createServer((request, response) => {
    readBody(request)
      .then((body) => {
        counts.answers += 1
        const late = faults.consume('polymarket', 'rest_slow')
        delayed.send(late === undefined ? 0 : (late.ms ?? 3_000), () => reply(request, response, body))
      })
      .catch(() => response.destroy())
  })
  const reply = (request: IncomingMessage, response: ServerResponse, body: string) => {
    const html = faults.consume('polymarket', 'rest_html')
    if (html !== undefined) return send(response, html.status ?? 429, 'text/html; charset=UTF-8', HTML)
    const refused = faults.consume('polymarket', 'rest_status')
    if (refused !== undefined) return refuse(response, refused.status ?? 503)
    const url = new URL(request.url ?? '/', 'http://localhost')
    const { status, body: text } = route({ method: request.method ?? 'GET', url, body })
    send(response, status, 'application/json', text)
  }
  return { server, counts, drop: () => delayed.stop() }
}

function refuse(response: ServerResponse, status: number): void {
  if (status === 429 || status === 503) response.setHeader('Retry-After', '1')
  send(response, status, 'application/json', JSON.stringify({ error: `could not answer: ${status}` }))
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new RangeError('the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
