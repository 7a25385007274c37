import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { clientFrame, FrameReader } from './frame-reader.ts'
import type { Flush } from './gateway.ts'
import { nowMicros, timeOfStamp } from './stamp.ts'

/** Clients that ask for the same. */
export interface ClientGroup {
  clients: number
  commands: object[]
  /** How late its messages come is noted. */
  isTimed: boolean
}

export interface Latency {
  count: number
  p50Ms: number
  p99Ms: number
}

/** What a pool of clients read between `watch` and now. */
export interface PoolReading {
  /** Live messages. */
  frames: number
  /** On the wire. */
  bytes: number
  tickers: number
  /** `lag` and `resync` messages since the beginning. */
  lags: number
  /** From a venue's frame being sent to a client. */
  live: Latency
  /** From a message of tickers being put together to a client. */
  flush: Latency
  /** Bytes that each group read. */
  groupBytes: number[]
}

interface Client {
  socket: Socket
  reader: FrameReader
  group: number
  isTimed: boolean
  /** Subscriptions whose state is whole. */
  whole: number
  bytes: number
}

/** Every socket reads into it: what was read is looked at before the next one reads. */
const readBuffer = Buffer.allocUnsafeSlow(256 << 10)
const CONNECTING_AT_ONCE = 50
const HEADER_END = '\r\n\r\n'
const SIZE = Buffer.from('"size":"')
const QUOTE = 0x22
const A_TICKER = Buffer.from('{"id":"')
const WHOLE = Buffer.from('"remaining":0,')
const WHOLE_WITHIN = 120
/** The second letter of its type tells a message from every other. */
const LETTER_AT = '{"type":"'.length + 1
const NAIVE_TICKER = '{"type":"ticker","at":'

/** Many clients of one gateway, over raw sockets: what they read costs little more than the read itself. */
export class ClientPool {
  private readonly clients: Client[] = []
  private readonly live: number[] = []
  private readonly naive: number[] = []
  private readonly received: Flush[] = []
  private readonly groups: readonly ClientGroup[]
  private frames = 0
  private bytes = 0
  private tickers = 0
  private lags = 0
  private problem: string | null = null
  private isClosing = false

  constructor(groups: readonly ClientGroup[]) {
    this.groups = groups
  }

  /** Connects and subscribes all, and resolves when each has the whole state of what it asked for. */
  async connect(port: number, path: string): Promise<void> {
    const waiting = this.groups.flatMap((group, index) =>
      Array.from({ length: group.clients }, () => () => this.join(port, path, group, index))
    )
    while (waiting.length > 0) await Promise.all(waiting.splice(0, CONNECTING_AT_ONCE).map((join) => join()))
  }

  /** Counts from here on. */
  watch(): void {
    this.live.length = 0
    this.naive.length = 0
    this.received.length = 0
    this.frames = 0
    this.bytes = 0
    this.tickers = 0
    for (const client of this.clients) client.bytes = 0
  }

  read(flushes: readonly Flush[]): PoolReading {
    if (this.problem !== null) throw new Error(this.problem)
    const { frames, bytes, tickers, lags } = this
    const flushedAt = new Map(flushes.map(([topic, seq, at]) => [`${topic} ${seq}`, at]))
    const flush = this.received.flatMap(([topic, seq, at]) => {
      const from = flushedAt.get(`${topic} ${seq}`)
      return from === undefined ? [] : [at - from]
    })
    const groupBytes = this.groups.map((_, index) =>
      this.clients.reduce((sum, client) => sum + (client.group === index ? client.bytes : 0), 0)
    )
    return {
      frames,
      bytes,
      tickers,
      lags,
      live: latencyOf(this.live),
      flush: latencyOf(flush.length > 0 ? flush : this.naive),
      groupBytes
    }
  }

  /** Has a group read nothing, or go on reading. */
  hold(group: number, isHeld: boolean): void {
    for (const client of this.clients) {
      if (client.group !== group) continue
      if (isHeld) client.socket.pause()
      else client.socket.resume()
    }
  }

  async close(): Promise<void> {
    this.isClosing = true
    const gone = this.clients.map(({ socket }) => (socket.closed ? null : once(socket, 'close')))
    for (const { socket } of this.clients) socket.destroy()
    await Promise.all(gone)
  }

  private async join(port: number, path: string, group: ClientGroup, index: number): Promise<void> {
    let head = ''
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: Buffer) => {
        if (head.endsWith(HEADER_END)) {
          client.bytes += chunk.length
          this.bytes += chunk.length
          client.reader.read(chunk)
          if (client.reader.closeCode !== null)
            this.problem = `a client was closed with ${client.reader.closeCode}`
          if (client.whole === group.commands.length) resolve()
          return
        }
        // Nothing follows the answer before the first command.
        head += chunk.toString('latin1')
        if (!head.endsWith(HEADER_END)) return
        if (!head.startsWith('HTTP/1.1 101')) reject(new Error(`no upgrade but ${head.slice(0, 80)}`))
        for (const command of group.commands) socket.write(clientFrame(JSON.stringify(command)))
        if (group.commands.length === 0) resolve()
      }
      const socket = connect({
        host: '127.0.0.1',
        port,
        noDelay: true,
        onread: {
          buffer: readBuffer,
          callback: (length) => {
            take(readBuffer.subarray(0, length))
            return true
          }
        }
      })
      const client: Client = {
        socket,
        reader: new FrameReader((payload) => this.message(client, payload)),
        group: index,
        isTimed: group.isTimed,
        whole: 0,
        bytes: 0
      }
      this.clients.push(client)
      socket.on('error', reject)
      socket.on('close', () => {
        if (!this.isClosing) this.problem ??= 'a client was cut off'
      })
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
      )
    })
  }

  private message(client: Client, payload: Buffer): void {
    const letter = payload[LETTER_AT]
    if (letter === CHANGE) {
      this.frames++
      if (client.isTimed) this.timeChange(payload)
    } else if (letter === TICKERS) {
      this.frames++
      this.tickers += countOf(payload, A_TICKER)
      if (client.isTimed) this.timeTickers(payload)
    } else if (letter === SNAPSHOT) {
      if (payload.subarray(0, WHOLE_WITHIN).includes(WHOLE)) client.whole++
    } else if (letter === LAG || letter === RESYNC) this.lags++
    else if (letter === ERROR) this.problem = payload.toString()
  }

  /** Notes how old each level is that the change tells. */
  private timeChange(payload: Buffer): void {
    const now = nowMicros()
    for (let at = payload.indexOf(SIZE); at >= 0; at = payload.indexOf(SIZE, at)) {
      at += SIZE.length
      const end = payload.indexOf(QUOTE, at)
      const stamp = timeOfStamp(payload.toString('latin1', at, end))
      if (stamp !== null) this.live.push(now - stamp)
      at = end
    }
  }

  private timeTickers(payload: Buffer): void {
    const head = payload.toString('latin1', 0, 60)
    if (head.startsWith(NAIVE_TICKER)) {
      this.naive.push(nowMicros() - Number.parseInt(head.slice(NAIVE_TICKER.length), 10))
      return
    }
    const [, topic, seq] = /"topic":(\d+),"seq":(\d+)/.exec(head) ?? []
    this.received.push([Number(topic), Number(seq), nowMicros()])
  }
}

const [CHANGE, TICKERS, SNAPSHOT, LAG, RESYNC, ERROR] = ['h', 'i', 'n', 'a', 'e', 'r'].map((letter) =>
  letter.charCodeAt(0)
)

function countOf(payload: Buffer, what: Buffer): number {
  let count = 0
  for (let at = payload.indexOf(what); at >= 0; at = payload.indexOf(what, at + what.length)) count++
  return count
}

function latencyOf(micros: number[]): Latency {
  const sorted = micros.sort((a, b) => a - b)
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1_000
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) }
}
