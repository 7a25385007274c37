import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import type { StreamMessage } from '../../schemas/stream.ts'
import { HeldStream, readMessage } from '../services/stream/held-stream.ts'
import { until } from './stream-client.ts'

/** A client of server-sent events over a real socket, that can stop reading. */
export class EventClient {
  readonly held: HeldStream
  readonly messages: StreamMessage[] = []
  /** The type and the id of each event. */
  readonly events: { event: string; id: string | null }[] = []
  /** What was said in comments. */
  readonly comments: string[] = []
  /** The newest id: where to resume. */
  lastEventId: string | null = null
  response: IncomingMessage | null = null
  isOver = false
  error: unknown = null
  private readonly request: ClientRequest
  private text = ''

  constructor(address: string, query: string, former?: EventClient) {
    this.held = former?.held ?? new HeldStream()
    this.lastEventId = former?.lastEventId ?? null
    const headers = this.lastEventId === null ? {} : { 'last-event-id': this.lastEventId }
    this.request = get(`${address}/v1/stream/sse?${query}`, { agent: false, headers }, (response) => {
      this.response = response
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => this.read(chunk))
      response.on('error', () => {})
      response.on('close', () => {
        this.isOver = true
      })
    })
    this.request.on('error', () => {
      this.isOver = true
    })
  }

  /** Resolves once an answer began. */
  async begun(): Promise<this> {
    await until(() => this.response !== null)
    return this
  }

  pause(): void {
    this.response?.pause()
  }

  resume(): void {
    this.response?.resume()
  }

  end(): void {
    this.request.destroy()
  }

  private read(chunk: string): void {
    this.text += chunk
    for (let end = this.text.indexOf('\n\n'); end >= 0; end = this.text.indexOf('\n\n')) {
      const block = this.text.slice(0, end)
      this.text = this.text.slice(end + 2)
      try {
        this.take(block)
      } catch (error) {
        this.error ??= error
      }
    }
  }

  private take(block: string): void {
    if (block.startsWith(':')) {
      this.comments.push(block.slice(1).trim())
      return
    }
    const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]))
    const message = readMessage(fields.get('data') as string)
    const id = fields.get('id') ?? null
    this.messages.push(message)
    this.events.push({ event: fields.get('event') ?? '', id })
    this.lastEventId = id ?? this.lastEventId
    this.held.take(message)
  }
}
