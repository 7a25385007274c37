import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { answer, startOptions } from '../harness/answer.ts'
import { FIRST_TURN, type FrameCycle } from '../synthetic/frame-cycle.ts'
import { kalshiDeltas } from '../synthetic/kalshi.ts'
import { polymarketBooks, polymarketChanges } from '../synthetic/polymarket.ts'

/** What a stand-in for a venue sends. */
export interface StandInOptions {
  stream: StreamName
  frames: number
  markets: number
}

const STREAMS = {
  'kalshi-deltas': kalshiDeltas,
  'polymarket-books': polymarketBooks,
  'polymarket-changes': polymarketChanges
}
export type StreamName = keyof typeof STREAMS

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const SLICE_BYTES = 64 << 10
/** Slices handed to the kernel at a time: enough to keep a reader busy, and far less than a cycle. */
const SLICES_MAX = 4

/** Sends a cycle to one connection, at full speed or so many frames a second, and remembers where it stopped. */
class Sender {
  sent = 0
  private readonly socket: Socket
  private readonly cycle: FrameCycle
  private next = 0
  private turn = FIRST_TURN
  private wanted = 0
  private writing = 0
  private timer: NodeJS.Timeout | undefined

  constructor(socket: Socket, cycle: FrameCycle) {
    this.socket = socket
    this.cycle = cycle
  }

  /** Sends `frames` frames, at once or, with a rate, as many each millisecond as are due. */
  run(frames: number, perSecond: number | null): void {
    if (perSecond === null) {
      this.wanted = this.sent + frames
      this.fill()
      return
    }
    const first = this.sent
    const startedAt = performance.now()
    this.timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) * perSecond) / 1_000)
      this.wanted = first + Math.min(frames, due)
      this.fill()
    }, 1)
  }

  stop(): void {
    clearInterval(this.timer)
    this.wanted = this.sent
  }

  private fill(): void {
    while (this.writing < SLICES_MAX && this.sent < this.wanted) {
      this.writing++
      this.socket.write(this.slice(), () => {
        this.writing--
        this.fill()
      })
    }
  }

  private slice(): Buffer {
    const { bytes, ends, turnAt } = this.cycle
    const first = this.next
    const start = first === 0 ? 0 : (ends[first - 1] as number)
    const digits = String(this.turn)
    let end = start
    while (this.next < ends.length && end - start < SLICE_BYTES && this.sent < this.wanted) {
      if (turnAt !== null) bytes.write(digits, turnAt[this.next] as number, 'latin1')
      end = ends[this.next] as number
      this.next++
      this.sent++
    }
    if (this.next === ends.length) {
      this.next = 0
      this.turn++
    }
    return bytes.subarray(start, end)
  }
}

const { stream, frames, markets } = startOptions<StandInOptions>()
const cycle = STREAMS[stream](frames, markets)
const senders = new Map<string, Sender>()

const server = createServer((socket) => {
  let head = ''
  const handshake = (chunk: Buffer) => {
    head += chunk.toString('latin1')
    if (!head.includes('\r\n\r\n')) return
    socket.off('data', handshake)
    socket.resume()
    const path = /^GET (\S+)/.exec(head)?.[1] ?? ''
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? ''
    const accept = createHash('sha1')
      .update(key + WEBSOCKET_GUID)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
    )
    senders.set(path, new Sender(socket, cycle))
  }
  socket.on('data', handshake)
  socket.on('error', () => socket.destroy())
  socket.setNoDelay(true)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

answer(({ run, stop, limit, perSecond }) => {
  const path = (run ?? stop) as string | undefined
  if (path === undefined) return (server.address() as AddressInfo).port
  const sender = senders.get(path)
  if (sender === undefined) throw new Error(`nobody is connected to ${path}`)
  if (stop !== undefined) sender.stop()
  else sender.run((limit as number | null) ?? Number.POSITIVE_INFINITY, (perSecond as number | null) ?? null)
  return sender.sent
})
