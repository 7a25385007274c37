import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Frame } from './frame.ts'
import type { StreamTransport } from './transport.ts'

const TEXT = { binary: false }
const OPEN = 1

/** Sends to a client over its WebSocket; all messages of one turn leave in one write. */
export class WebSocketTransport implements StreamTransport {
  private readonly socket: WebSocket
  /** The connection below it. */
  private readonly connection: Socket
  private isCorked = false
  private readonly uncork = () => {
    this.isCorked = false
    this.connection.uncork()
  }

  constructor(socket: WebSocket, connection: Socket) {
    this.socket = socket
    this.connection = connection
  }

  get waitingBytes(): number {
    return this.socket.bufferedAmount
  }

  get leftBytes(): number {
    return this.connection.bytesWritten - this.connection.writableLength
  }

  send(_type: string, message: Buffer): void {
    if (this.socket.readyState !== OPEN) return
    if (!this.isCorked) {
      this.isCorked = true
      this.connection.cork()
      process.nextTick(this.uncork)
    }
    this.socket.send(message, TEXT)
  }

  sendFrame({ bytes }: Frame): void {
    this.send('', bytes)
  }

  probe(): void {
    if (this.socket.readyState === OPEN) this.socket.ping()
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason)
  }

  terminate(): void {
    this.socket.terminate()
  }
}
