import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { type ClientOptions, connect, type StreamClient } from '../../client/src/index.ts'
import type { StreamCommand, StreamMessage, StreamSubscribe } from '../../schemas/stream.ts'
import { STREAM_EXAMPLES } from '../../schemas/stream-examples.ts'
import type { StreamBook } from '../../schemas/stream-payloads.ts'

/** A gateway that says exactly what a test has it say: for what a sound one never does. */
export class ScriptedGateway {
  readonly commands: StreamCommand[] = []
  connections = 0
  private readonly server: WebSocketServer
  private socket: WebSocket | null = null
  private readonly listeners = new Set<() => void>()

  private constructor(server: WebSocketServer) {
    this.server = server
    server.on('connection', (socket) => {
      this.connections++
      this.socket = socket
      socket.on('message', (data) => {
        this.commands.push(JSON.parse(String(data)))
        for (const listener of this.listeners) listener()
      })
      for (const listener of this.listeners) listener()
    })
  }

  static async start(t: Test): Promise<ScriptedGateway> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    const gateway = new ScriptedGateway(server)
    t.teardown(() => {
      gateway.cut()
      server.close()
    })
    return gateway
  }

  /** Returns a client of it, which comes back at once when it is cut, and ends with the test. */
  client(t: Test, options: ClientOptions = {}): StreamClient {
    const { port } = this.server.address() as AddressInfo
    const client = connect(`http://127.0.0.1:${port}`, { retryMinMs: 1, retryMaxMs: 10, ...options })
    t.teardown(() => client.close())
    return client
  }

  say(...messages: StreamMessage[]): void {
    for (const message of messages) this.socket?.send(JSON.stringify(message))
  }

  sayText(text: string): void {
    this.socket?.send(text)
  }

  cut(): void {
    this.socket?.terminate()
  }

  close(code: number): void {
    this.socket?.close(code)
  }

  /** Waits for the next command that was not waited for yet. */
  async command(): Promise<StreamCommand> {
    await this.until(() => this.commands.length > 0)
    return this.commands.shift() as StreamCommand
  }

  async subscribe(): Promise<StreamSubscribe> {
    const command = await this.command()
    if (command.op !== 'subscribe') throw new Error(`not a subscribe: ${JSON.stringify(command)}`)
    return command
  }

  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo()) return
        this.listeners.delete(look)
        resolve()
      }
      this.listeners.add(look)
      look()
    })
  }
}

export const EPOCH = 'run.1'
export const TOPIC = 3
const [example] = STREAM_EXAMPLES.StreamBook as StreamBook[]
const { verdict } = example as StreamBook

/** A book of one level a side, or a change of its best bid. */
export function told(id: string, version: number, previous: number | null, bidSize: string): StreamBook {
  const asks = previous === null ? [{ price: '0.6', size: '5' }] : []
  return { id, version, previous, bids: [{ price: '0.4', size: bidSize }], asks, verdict }
}

export function subscribed(id: string, seq: number, resumed = false, epoch = EPOCH): StreamMessage {
  return { type: 'subscribed', id, topic: TOPIC, channel: 'book', epoch, seq, resumed, markets: 1 }
}

export function snapshot(seq: number, remaining: number, ...books: StreamBook[]): StreamMessage {
  return { type: 'snapshot', topic: TOPIC, seq, remaining, books }
}

export function change(seq: number, ...books: StreamBook[]): StreamMessage {
  return { type: 'change', topic: TOPIC, seq, books }
}
