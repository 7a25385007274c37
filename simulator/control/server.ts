import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Faults } from '../faults.ts'
import type { KalshiStats } from '../kalshi/server.ts'
import type { SimVenue, World } from '../model/types.ts'
import type { PolymarketStats } from '../polymarket/server.ts'
import { BookHistory } from './book-history.ts'
import { BadRequestError, NotFoundError } from './errors.ts'
import { RateMeter } from './rate-meter.ts'
import { handleControl } from './routes.ts'

const HOST = '127.0.0.1'
const MAX_BODY_BYTES = 64 * 1024

/** What the wires have sent and received. */
export interface SimulatorStats {
  kalshi: KalshiStats
  polymarket: PolymarketStats
}

export interface ControlOptions {
  world: World
  faults: Faults
  /** 0: any free one. */
  port: number
  stats: () => SimulatorStats
  /** The open connections of each venue and the markets that each follows. */
  followers: () => Record<SimVenue, { id: number; markets: string[] }[]>
}

export interface ControlServer {
  url: string
  stop(): Promise<void>
}

/** Starts the control port: the truth of the books, the switches of the faults, the life of the markets. */
export async function startControl(options: ControlOptions): Promise<ControlServer> {
  const meter = new RateMeter(options.world)
  const history = new BookHistory(options.world)
  const server = createServer((request, response) => {
    answer(request, options, meter, history)
      .catch((error: unknown) => describe(error))
      .then(({ status, value }) => {
        const body = JSON.stringify(value)
        response.writeHead(status, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body)
        })
        response.end(body)
      })
      .catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, HOST, () => resolve())
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${HOST}:${port}`,
    async stop() {
      meter.stop()
      history.stop()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    }
  }
}

async function answer(
  request: IncomingMessage,
  options: ControlOptions,
  meter: RateMeter,
  history: BookHistory
) {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const body = await readObject(request)
  const value = handleControl({
    ...options,
    history,
    happeningsPerSecond: meter.perSecond(),
    method: request.method ?? 'GET',
    path: url.pathname.split('/').slice(1).map(decodeURIComponent),
    query: url.searchParams,
    body
  })
  return { status: 200, value }
}

function describe(error: unknown): { status: number; value: { error: string } } {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof NotFoundError) return { status: 404, value: { error: message } }
  const isBad = error instanceof BadRequestError || error instanceof RangeError || error instanceof URIError
  return { status: isBad ? 400 : 500, value: { error: message } }
}

async function readObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new BadRequestError('The body is larger than 64 KiB.')
    chunks.push(chunk)
  }
  if (bytes === 0) return {}
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new BadRequestError('The body is no JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadRequestError('The body must be a JSON object.')
  }
  return value as Record<string, unknown>
}
