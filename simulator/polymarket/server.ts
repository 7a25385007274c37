import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Faults } from '../faults.ts'
import type { Random } from '../model/random.ts'
import type { World } from '../model/types.ts'
import type { ReplayOptions } from '../replay.ts'
import { clobRoutes } from './clob.ts'
import { gammaRoutes } from './gamma.ts'
import { PastBooks } from './past-books.ts'
import { createRestServer } from './rest.ts'
import { SocketServer } from './socket-server.ts'

const HOST = '127.0.0.1'
const SOCKET_PATH = '/ws/market'

export interface PolymarketOptions {
  world: World
  faults: Faults
  /** CLOB and WebSocket; Gamma takes the next port. 0: any free ones. */
  port: number
  /** Epoch milliseconds. */
  clock: () => number
  random: Random
  /** A recording that WebSocket clients get instead of the model. */
  replay?: ReplayOptions
}

export interface PolymarketServer {
  clobBase: string
  gammaBase: string
  wsUrl: string
  stats(): PolymarketStats
  /** The open connections and the condition ids whose books each follows. */
  followers(): { id: number; markets: string[] }[]
  stop(): Promise<void>
}

export interface PolymarketStats {
  connections: { id: number; assets: number; customFeatures: boolean }[]
  framesSent: number
  bytesSent: number
  framesReceived: number
  pongsSent: number
  malformed: number
  upgrades: number
  refused: number
  clobAnswers: number
  gammaAnswers: number
}

/** Starts Polymarket on loopback: two HTTP servers, CLOB with the market channel, and Gamma. */
export async function startPolymarket(options: PolymarketOptions): Promise<PolymarketServer> {
  const { world, faults, port, clock, random } = options
  const clockOffsetMs = () => faults.active('polymarket', 'clock_offset')?.ms ?? 0
  const books = new PastBooks(world, faults, clockOffsetMs)
  const venueNow = () => clock() + clockOffsetMs()
  const clob = createRestServer(faults, clobRoutes({ world, books, random: random.fork(), venueNow }))
  const gamma = createRestServer(faults, gammaRoutes(world))
  const { server } = clob
  const sockets = new SocketServer({
    server,
    path: SOCKET_PATH,
    world,
    faults,
    random,
    replay: options.replay
  })

  const stop = async () => {
    sockets.stop()
    books.stop()
    clob.drop()
    gamma.drop()
    await Promise.all([close(clob.server), close(gamma.server)])
  }

  try {
    const clobPort = await listen(clob.server, port)
    const gammaPort = await listen(gamma.server, port === 0 ? 0 : port + 1)
    return {
      clobBase: `http://${HOST}:${clobPort}`,
      gammaBase: `http://${HOST}:${gammaPort}`,
      wsUrl: `ws://${HOST}:${clobPort}${SOCKET_PATH}`,
      stats: () => ({
        connections: sockets.connections(),
        ...sockets.counts,
        clobAnswers: clob.counts.answers,
        gammaAnswers: gamma.counts.answers
      }),
      followers: () => sockets.followers(),
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) return resolve()
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
