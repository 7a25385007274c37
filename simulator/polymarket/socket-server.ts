import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { FaultRule, Faults } from '../faults.ts'
import type { Random } from '../model/random.ts'
import type { World } from '../model/types.ts'
import { type ReplayOptions, replayFrames } from '../replay.ts'
import { Connection } from './connection.ts'
import { DelayedSends } from './delayed-sends.ts'
import { Feed } from './feed.ts'
import { parseRequest } from './requests.ts'
import { Subscriptions } from './subscriptions.ts'

/** Above this many assets a connection gets changes but no books. */
const MAX_ASSETS_WITH_DUMP = 500
/** A frame that names more ids than this ends the connection. */
const MAX_IDS_PER_FRAME = 1_000
const OVERLOAD_CLOSE_MS = 100
const UPKEEP_MS = 100
const INVALID_PAYLOAD = 'invalid subscription payload'

export interface SocketServerOptions {
  server: Server
  path: string
  world: World
  faults: Faults
  random: Random
  replay: ReplayOptions | undefined
}

/** The market channel: upgrades, subscriptions, and the faults that act on whole connections. */
export class SocketServer {
  readonly feed: Feed
  readonly counts = {
    framesSent: 0,
    bytesSent: 0,
    framesReceived: 0,
    pongsSent: 0,
    malformed: 0,
    upgrades: 0,
    refused: 0
  }
  readonly #options: SocketServerOptions
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  readonly #connections = new Map<number, Connection>()
  readonly #subscriptions = new Subscriptions()
  readonly #delayed = new DelayedSends()
  readonly #stopping = new AbortController()
  readonly #upkeep: NodeJS.Timeout
  readonly #unlisten: () => void

  constructor(options: SocketServerOptions) {
    this.#options = options
    const { world, faults, random } = options
    this.feed = new Feed({
      world,
      faults,
      random: random.fork(),
      subscriptions: this.#subscriptions,
      connections: () => this.#connections.values()
    })
    this.#unlisten = faults.onSet((rule) => this.#fireNow(rule))
    this.#upkeep = setInterval(() => this.#keepUp(), UPKEEP_MS)
    options.server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  /** The open connections, for the control port. */
  connections(): { id: number; assets: number; customFeatures: boolean }[] {
    return [...this.#connections.values()].map(({ id, assets, customFeatures }) => ({
      id,
      assets: assets.size,
      customFeatures
    }))
  }

  /** The open connections and the condition ids of the assets of each. */
  followers(): { id: number; markets: string[] }[] {
    const { world } = this.#options
    return [...this.#connections.values()].map(({ id, assets }) => ({
      id,
      markets: [...new Set([...assets].map((asset) => world.token(asset)?.market.id ?? ''))]
    }))
  }

  stop(): void {
    this.#stopping.abort()
    clearInterval(this.#upkeep)
    this.#unlisten()
    this.feed.stop()
    this.#delayed.stop()
    for (const connection of this.#connections.values()) connection.terminate()
    this.#sockets.close()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const refusal = this.#options.faults.consume('polymarket', 'refuse_upgrade')
    const isKnownPath = request.url?.split('?')[0] === this.#options.path
    if (refusal !== undefined || !isKnownPath) {
      this.counts.refused += 1
      const status = isKnownPath ? (refusal?.status ?? 503) : 404
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => this.#open(client, request.socket))
  }

  #open(client: WebSocket, stream: Socket): void {
    this.counts.upgrades += 1
    const connection = new Connection(this.counts.upgrades, client, stream, this.#options.faults, this.counts)
    this.#connections.set(connection.id, connection)
    client.on('message', (data) => this.#receive(connection, String(data)))
    client.on('error', () => client.terminate())
    client.on('close', () => {
      this.#connections.delete(connection.id)
      this.#subscriptions.removeAll(connection)
    })
  }

  #receive(connection: Connection, text: string): void {
    this.counts.framesReceived += 1
    const request = parseRequest(text)
    const isFirst = !connection.subscribed
    if (isFirst && (request.kind !== 'subscribe' || !request.isInitial)) {
      connection.close(1008, INVALID_PAYLOAD)
      return
    }
    if (request.kind === 'ping') {
      this.counts.pongsSent += 1
      connection.sendText('PONG')
    } else if (request.kind === 'malformed') this.counts.malformed += 1
    else if (request.kind === 'unsubscribe') {
      for (const id of request.assets) this.#subscriptions.remove(connection, id)
    } else this.#subscribe(connection, request, isFirst)
  }

  #subscribe(
    connection: Connection,
    request: { assets: string[]; customFeatures: boolean | undefined; initialDump: boolean },
    isFirst: boolean
  ): void {
    const { world, faults, replay } = this.#options
    connection.subscribed = true
    if (request.customFeatures !== undefined) connection.customFeatures = request.customFeatures
    if (request.assets.length > MAX_IDS_PER_FRAME) {
      this.#delayed.send(OVERLOAD_CLOSE_MS, () => connection.close(1001, ''))
      return
    }
    if (isFirst) this.#fireArmed(connection)
    if (replay !== undefined) {
      if (isFirst) this.#replay(connection, replay)
      return
    }
    const known = new Set(request.assets.filter((id) => world.token(id) !== undefined))
    const added = [...known].filter((id) => !connection.assets.has(id))
    for (const id of added) this.#subscriptions.add(connection, id)
    if (!isFirst && known.size === request.assets.length && added.length === 0) {
      connection.sendText('NO NEW ASSETS')
      return
    }
    const limit = faults.active('polymarket', 'no_dump_above', { connection: connection.id })?.assets
    if (limit !== undefined && connection.assets.size > limit) {
      faults.consume('polymarket', 'no_dump_above', { connection: connection.id })
      return
    }
    if (!request.initialDump || connection.assets.size > MAX_ASSETS_WITH_DUMP) return
    this.#sendDump(connection, added)
  }

  #replay(connection: Connection, replay: ReplayOptions): void {
    replayFrames(replay, (frame) => connection.sendText(frame), this.#stopping.signal).catch(() =>
      connection.close(1011, 'the recording cannot be read')
    )
  }

  #sendDump(connection: Connection, tokenIds: string[]): void {
    const { faults, world } = this.#options
    const placeOf = (id: string) => ({ market: world.token(id)?.market.id ?? '', connection: connection.id })
    const late = tokenIds.filter((id) => faults.active('polymarket', 'delta_before_snapshot', placeOf(id)))
    this.#sendBooks(connection, late.length === 0 ? tokenIds : tokenIds.filter((id) => !late.includes(id)))
    const [first] = late
    if (first === undefined) return
    const parameters = faults.consume('polymarket', 'delta_before_snapshot', placeOf(first))
    this.#delayed.send(parameters?.ms ?? 200, () => this.#sendBooks(connection, late))
  }

  #sendBooks(connection: Connection, tokenIds: string[]): void {
    const wanted = tokenIds.filter((id) => connection.assets.has(id))
    const text = this.feed.dump(connection, wanted)
    if (text !== null) connection.sendData(text, null)
  }

  /** Fires a fault that acts at once, on every connection that it names; with none open it stays armed. */
  #fireNow(rule: FaultRule): void {
    if (rule.venue !== 'polymarket') return
    const named = rule.parameters.connection
    const targets = [...this.#connections.values()].filter((one) => named === undefined || one.id === named)
    if (rule.name === 'half_open') for (const one of targets) one.freezeOrThaw()
    const action = connectionAction(rule)
    if (action === undefined || targets.length === 0) return
    this.#options.faults.consume('polymarket', rule.name, named === undefined ? {} : { connection: named })
    for (const connection of targets) action(connection)
  }

  /** Fires the faults that act at once and found no connection when they were set, or have count left. */
  #fireArmed(connection: Connection): void {
    const { faults } = this.#options
    for (const rule of faults.rules()) {
      const action = rule.venue === 'polymarket' ? connectionAction(rule) : undefined
      if (action !== undefined && faults.consume('polymarket', rule.name, { connection: connection.id })) {
        action(connection)
      }
    }
  }

  #keepUp(): void {
    for (const connection of this.#connections.values()) {
      connection.freezeOrThaw()
      connection.releaseHeld()
    }
  }
}

/** Returns what a fault does to a connection at once, or undefined for a fault of another kind. */
function connectionAction(rule: FaultRule): ((connection: Connection) => void) | undefined {
  const { code, text } = rule.parameters
  switch (rule.name) {
    case 'cut_socket':
      return (connection) => connection.reset()
    case 'close_socket':
      return (connection) => connection.close(code ?? 1001, '')
    case 'unknown_type':
      return (connection) =>
        connection.sendText('{"market":"0x00", "signal":"1", "timestamp":"0", "event_type":"market_mood"}')
    case 'nonjson_text':
      return (connection) => connection.sendText(text ?? 'SERVICE NOTICE: maintenance ahead')
    default:
      return undefined
  }
}
