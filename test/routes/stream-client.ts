import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { StreamMessage } from '../../schemas/stream.ts'
import { HeldStream, readMessage } from '../services/stream/held-stream.ts'

/** Of anything that a test waits for. */
const WAIT_MS = 60_000

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A client over a real socket. */
export class Client {
  readonly held: HeldStream
  readonly messages: StreamMessage[] = []
  closed: [code: number, reason: string] | null = null
  readonly socket: WebSocket
  error: unknown = null

  constructor(address: string, held = new HeldStream(), options: { origin?: string } = {}) {
    this.held = held
    this.socket = new WebSocket(`${address.replace('http', 'ws')}/v1/stream`, options)
    this.socket.on('message', (data) => {
      try {
        const message = readMessage(String(data))
        this.messages.push(message)
        held.take(message)
      } catch (error) {
        this.error ??= error
      }
    })
    this.socket.on('close', (code, reason) => {
      this.closed = [code, String(reason)]
    })
    this.socket.on('error', (error) => {
      this.error ??= error
    })
  }

  async ask(...commands: object[]): Promise<this> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open')
    for (const command of commands) this.socket.send(JSON.stringify(command))
    return this
  }

  async answer(command: object | string): Promise<StreamMessage> {
    const before = this.messages.length
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open')
    this.socket.send(typeof command === 'string' ? command : JSON.stringify(command))
    await until(() => this.messages.length > before || this.closed !== null)
    return this.messages[before] as StreamMessage
  }
}

export const BOOKS = { op: 'subscribe', id: 'books', channel: 'book' }
