import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRandom } from '../../simulator/model/random.ts'
import { answer } from '../harness/answer.ts'

/** What a load process is asked to do. */
export interface LoadPlan {
  port: number
  /** Asked for in random order. */
  paths: string[]
  gzip: boolean
  connections: number
  /** How long new requests are sent. */
  ms: number
  /** Requests a second, whether the server keeps up or not; null for a closed loop, one a connection at a time. */
  perSecond: number | null
  /** Stop after so many requests. */
  limit: number | null
}

export interface LoadReading {
  requests: number
  bytes: number
  p50Ms: number
  p99Ms: number
  wallMs: number
}

const READ_BYTES = 256 << 10
const HEADER_END = Buffer.from('\r\n\r\n')
const CHUNKS_END = Buffer.from('0\r\n\r\n')

/**
 * One keep-alive connection that asks and reads one answer at a time. It looks at no more of an answer than where it
 * ends, into a buffer that is used again and again: a client that reads all would be slower than the server.
 */
class Connection {
  readonly socket: Socket
  bytes = 0
  private head: Buffer = Buffer.alloc(0)
  private tail: Buffer = Buffer.alloc(0)
  /** Bytes of the body to come; -1 while the head is read, -2 for a body in chunks. */
  private left = -1
  private readonly done: () => void

  constructor(port: number, done: () => void) {
    this.done = done
    this.socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (length, buffer) => {
          this.read((buffer as Buffer).subarray(0, length))
          return true
        }
      }
    })
  }

  private read(chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.left === -1) this.readHead(chunk)
    else if (this.left >= 0) this.end(chunk.length)
    else this.endChunks(chunk)
  }

  private readHead(chunk: Buffer): void {
    this.head = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk])
    const end = this.head.indexOf(HEADER_END)
    if (end < 0) {
      this.head = Buffer.from(this.head)
      return
    }
    const text = this.head.toString('latin1', 0, end)
    const rest = this.head.subarray(end + HEADER_END.length)
    this.head = Buffer.alloc(0)
    if (!text.startsWith('HTTP/1.1 200')) throw new Error(`the server answered ${text.slice(0, 60)}`)
    const length = /content-length: (\d+)/i.exec(text)?.[1]
    if (length !== undefined) {
      this.left = Number(length)
      this.end(rest.length)
    } else {
      this.left = -2
      this.endChunks(rest)
    }
  }

  private end(read: number): void {
    this.left -= read
    if (this.left > 0) return
    this.left = -1
    this.done()
  }

  /** Nothing follows an answer before the next question, so the last chunk ends what was read. */
  private endChunks(chunk: Buffer): void {
    this.tail = Buffer.concat([this.tail, chunk.subarray(-CHUNKS_END.length)]).subarray(-CHUNKS_END.length)
    if (!this.tail.equals(CHUNKS_END)) return
    this.tail = Buffer.alloc(0)
    this.left = -1
    this.done()
  }
}

answer((question) => run(question as unknown as LoadPlan))

async function run({ port, paths, gzip, connections, ms, perSecond, limit }: LoadPlan): Promise<LoadReading> {
  const random = createRandom(port)
  const requests = paths.map((path) =>
    Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${gzip ? 'accept-encoding: gzip\r\n' : ''}\r\n`)
  )
  const pick = () => requests[random.int(requests.length)] as Buffer
  const latencies: number[] = []
  const askedAt: number[] = []
  const pool: Connection[] = []
  const free: number[] = []
  const waiting: number[] = []
  let open = 0
  let sent = 0
  let isOver = false

  const ask = (index: number, dueAt: number) => {
    askedAt[index] = dueAt
    open++
    sent++
    ;(pool[index] as Connection).socket.write(pick())
  }
  const answered = (index: number) => {
    const now = performance.now()
    latencies.push(now - (askedAt[index] as number))
    open--
    if (limit !== null && sent >= limit) isOver = true
    if (perSecond !== null) {
      const dueAt = waiting.shift()
      if (dueAt === undefined) free.push(index)
      else ask(index, dueAt)
    } else if (!isOver) ask(index, now)
  }
  for (let i = 0; i < connections; i++) {
    const connection = new Connection(port, () => answered(i))
    await once(connection.socket, 'connect')
    pool.push(connection)
    free.push(i)
  }

  const startedAt = performance.now()
  let timer: NodeJS.Timeout | undefined
  if (perSecond === null) for (let i = 0; i < connections; i++) ask(i, performance.now())
  else {
    let due = 0
    timer = setInterval(() => {
      const now = performance.now()
      for (; due < Math.floor(((now - startedAt) * perSecond) / 1_000); due++) {
        const dueAt = startedAt + (due * 1_000) / perSecond
        const index = free.pop()
        if (index === undefined) waiting.push(dueAt)
        else ask(index, dueAt)
      }
    }, 1)
  }
  while (!isOver && performance.now() - startedAt < ms) await sleep(Math.min(5, ms))
  isOver = true
  clearInterval(timer)
  waiting.length = 0
  while (open > 0) await sleep(1)
  const wallMs = performance.now() - startedAt
  for (const { socket } of pool) socket.destroy()
  latencies.sort((a, b) => a - b)
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  const bytes = pool.reduce((sum, connection) => sum + connection.bytes, 0)
  return { requests: latencies.length, bytes, p50Ms: at(0.5), p99Ms: at(0.99), wallMs }
}
