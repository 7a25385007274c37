import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import type { Faults } from '../faults.ts'
import type { World } from '../model/types.ts'
import type { ReplayOptions } from '../replay.ts'
import { type Credentials, createVerifier, type Verifier } from './auth.ts'
import { Buckets, type RateLimit } from './bucket.ts'
import { createCombos } from './combos.ts'
import { Connection, type Floor } from './connection.ts'
import { Feed } from './feed.ts'
import type { Stamp } from './frames.ts'
import { Playback } from './playback.ts'
import { Records } from './records.ts'
import { REST_PREFIX, Rest } from './rest.ts'
import type { Shelf } from './routes.ts'
import { strike, strikeLate } from './strikes.ts'

const WS_PATH = '/trade-api/ws/v2'

export interface KalshiOptions {
  world: World
  faults: Faults
  /** 0 takes a free one. */
  port: number
  auth: Credentials
  /** The true time, ms since the epoch; the fault `clock_offset` is added here. */
  clock: () => number
  /** 0 to 1, the seeded chance of everything that the wire leaves open. */
  random: () => number
  /** A recording in place of the model's messages. REST goes on to show the model. */
  replay?: Pick<ReplayOptions, 'file' | 'speed'>
  /** How far a signed timestamp may lie from the clock. Default 5_000. */
  clockToleranceMs?: number
  /** An allowance of each key. Default: none, every request is served. */
  rateLimit?: RateLimit
  /** Multivariate markets from the start, and listed each second after. Default 300 and 0. */
  combos?: { count: number; perSecond: number }
  /** What a connection may owe its reader before error 25. Default 64 MiB. */
  bufferLimitBytes?: number
  /** Between two Ping frames. Default 10_000. */
  heartbeatMs?: number
}

export interface KalshiStats {
  connections: number
  connectionsOpened: number
  upgradesRefused: number
  framesSent: number
  commandsReceived: number
  requests: number
}

export interface KalshiServer {
  httpBase: string
  wsUrl: string
  stats(): KalshiStats
  /** The open connections and the tickers whose books each follows. */
  followers(): { id: number; markets: string[] }[]
  /** Cuts every connection and frees the port. */
  stop(): Promise<void>
}

/**
 * Starts a Kalshi on loopback that shows the markets of a world.
 *
 * @throws if the key is no public key or the port is taken
 */
export async function startKalshi(options: KalshiOptions): Promise<KalshiServer> {
  const { world, faults, random } = options
  const offsetMs = (): number => faults.active('kalshi', 'clock_offset')?.ms ?? 0
  const clock = (): number => options.clock() + offsetMs()
  const stampOf = (atMs: number): Stamp => ({ ms: atMs + offsetMs(), micros: Math.floor(random() * 1000) })
  const verify = refusable(createVerifier(options.auth, clock, options.clockToleranceMs), faults)
  const records = new Records(world)
  const { count, perSecond } = options.combos ?? { count: 300, perSecond: 0 }
  const combos = createCombos(count, clock, random)
  const market = (ticker: string) => world.market('kalshi', ticker) ?? combos.get(ticker)

  const shelf: Shelf = {
    world,
    combos,
    records,
    clock,
    market,
    bookOf(one) {
      const lag = faults.consume('kalshi', 'rest_lag', { market: one.id })
      return lag ? records.bookAt(one, options.clock() - (lag.ms ?? 1_000)) : one.book
    },
    isPageShort: () => random() < 0.2
  }
  const buckets = options.rateLimit ? new Buckets(options.rateLimit, options.clock) : null
  const rest = new Rest(shelf, verify, faults, buckets)

  const connections = new Set<Connection>()
  const playbacks = new Map<Connection, Playback>()
  const feed = new Feed(connections, stampOf)
  const { replay } = options
  const floor: Floor = {
    faults,
    clock,
    random,
    market,
    marketByUid: (uid) => world.markets('kalshi').find((one) => one.uid === uid),
    isReplay: replay !== undefined,
    onSubscribed(connection) {
      strikeLate(connection, faults)
      if (replay && !playbacks.has(connection)) playbacks.set(connection, new Playback(connection, replay))
    },
    bufferLimitBytes: options.bufferLimitBytes ?? 64 * 1024 * 1024,
    sent: { frames: 0, commands: 0 }
  }
  let opened = 0
  let refused = 0

  const http = createServer((request, response) => rest.handle(request, response))
  const sockets = new WebSocketServer({
    noServer: true,
    autoPong: false,
    // The venue compresses for those who offer it; only what is long, here: a delta would cost more than it
    // saves.
    perMessageDeflate: { threshold: 1024, serverNoContextTakeover: true, zlibDeflateOptions: { level: 1 } }
  })

  http.on('upgrade', (request: IncomingMessage, socket, head) => {
    socket.on('error', () => socket.destroy())
    const status = upgradeStatus(request, verify, faults)
    if (status !== 101 || !(socket instanceof Socket)) {
      refused++
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const connection = new Connection(ws, socket, ++opened, floor, () => {
        connections.delete(connection)
        playbacks.get(connection)?.stop()
        playbacks.delete(connection)
      })
      connections.add(connection)
    })
  })

  const stopListening = world.onHappening((happening) => {
    if (happening.market.venue !== 'kalshi') return
    records.note(
      happening,
      faults.active('kalshi', 'rest_lag', { market: happening.market.id }) !== undefined
    )
    if (!replay) feed.tell(happening)
  })
  const stopStriking = faults.onSet((rule) =>
    strike(rule, faults, connections, () => stampOf(options.clock()))
  )
  const heartbeat = setInterval(() => {
    for (const connection of connections) connection.heartbeat()
  }, options.heartbeatMs ?? 10_000)
  const listing =
    perSecond > 0
      ? setInterval(() => {
          const combo = combos.create()
          if (!replay) feed.tell({ kind: 'listed', market: combo, atMs: options.clock() })
        }, 1000 / perSecond)
      : undefined

  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(options.port, '127.0.0.1', () => {
      http.off('error', reject)
      resolve()
    })
  })
  const { port } = http.address() as AddressInfo

  return {
    httpBase: `http://127.0.0.1:${port}${REST_PREFIX}`,
    wsUrl: `ws://127.0.0.1:${port}${WS_PATH}`,
    stats: () => ({
      connections: connections.size,
      connectionsOpened: opened,
      upgradesRefused: refused,
      framesSent: floor.sent.frames,
      commandsReceived: floor.sent.commands,
      requests: rest.requests
    }),
    followers: () =>
      [...connections].map(({ number, subscriptions }) => ({
        id: number,
        markets: [...(subscriptions.on('orderbook_delta')?.tickers ?? [])]
      })),
    async stop() {
      clearInterval(heartbeat)
      clearInterval(listing)
      stopListening()
      stopStriking()
      rest.stop()
      for (const connection of connections) connection.terminate()
      await new Promise<void>((resolve) => {
        http.close(() => resolve())
        http.closeAllConnections()
      })
    }
  }
}

/** Wraps a verifier so that the fault can refuse what is genuine. */
function refusable(verify: Verifier, faults: Faults): Verifier {
  return (headers, method, path) => {
    const verdict = verify(headers, method, path)
    if (verdict !== 'absent' && faults.consume('kalshi', 'credentials_refused')) return 'refused'
    if (verdict === 'skewed') faults.consume('kalshi', 'clock_offset')
    return verdict
  }
}

/** Returns the HTTP status that an upgrade is answered with; 101 where it may go on. */
function upgradeStatus(request: IncomingMessage, verify: Verifier, faults: Faults): number {
  const refusal = faults.consume('kalshi', 'refuse_upgrade')
  if (refusal) return refusal.status ?? 503
  const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1')
  if (pathname !== WS_PATH) return 404
  return verify(request.headers, 'GET', pathname) === 'accepted' ? 101 : 401
}
