import { backoffMs } from './backoff.ts'
import { StreamClientError } from './errors.ts'
import type { StreamPing, StreamSubscribe, StreamUnsubscribe } from './messages.gen.ts'
import { findWebSocket, type WebSocketConstructor, type WebSocketLike } from './web-socket.ts'

/** idle: nothing is asked for; waiting: before the next attempt. */
export type LineState = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed'

export interface LineOptions {
  url: string
  webSocket?: WebSocketConstructor | undefined
  retryMinMs: number
  retryMaxMs: number
  connectTimeoutMs: number
  pingIntervalMs: number
  random: () => number
}

export interface LineEvents {
  opened: () => void
  message: (data: unknown) => void
  /** A connection that was open is no more. Returns whether another is needed. */
  lost: (code: number, reason: string) => boolean
  /** There will be no other connection. */
  failed: (error: unknown) => void
  changed: (state: LineState) => void
}

/** With these the gateway says that trying again leads nowhere. */
const FINAL_CODES = new Map([
  [1009, 'a message was larger than the gateway reads: ask for fewer markets by name'],
  [4002, 'the gateway did not understand what it was sent']
])
/** A connection that held this long was a good one: waiting starts small again. */
const GOOD_MS = 2_000
/** What browsers and ws report for a connection that ended without a word. */
const NO_WORD = 1006

/** Keeps one connection to the gateway, made anew whenever it is lost. Knows nothing of what is said on it. */
export class Line {
  state: LineState = 'idle'
  private readonly options: LineOptions
  private readonly events: LineEvents
  private socket: WebSocketLike | null = null
  private attempt = 0
  private openedAtMs = 0
  private heardAtMs = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private keepAlive: ReturnType<typeof setInterval> | undefined

  constructor(options: LineOptions, events: LineEvents) {
    this.options = options
    this.events = events
  }

  /** Sees to it that there is a connection, or will be. */
  open(): void {
    if (this.state === 'idle') void this.dial()
  }

  /** Sends, if the connection is open: who needs it said says it again when one opens. */
  send(message: StreamSubscribe | StreamUnsubscribe | StreamPing): void {
    if (this.state === 'open') this.socket?.send(JSON.stringify(message))
  }

  /** Gives this connection up for another one. */
  renew(why: string): void {
    this.abandon(why)
    this.ended(NO_WORD, why)
  }

  close(): void {
    if (this.state === 'closed') return
    this.become('closed')
    this.release()?.close(1000)
  }

  private async dial(): Promise<void> {
    this.become('connecting')
    this.attempt++
    try {
      const WebSocket = this.options.webSocket ?? (await findWebSocket())
      if (this.state !== 'connecting') return
      const socket = new WebSocket(this.options.url)
      this.socket = socket
      this.timer = setTimeout(() => this.renew('connecting took too long'), this.options.connectTimeoutMs)
      const ifOurs = (act: () => void) => {
        if (this.socket === socket) act()
      }
      socket.addEventListener('open', () => ifOurs(() => this.opened()))
      socket.addEventListener('message', ({ data }) => ifOurs(() => this.received(data)))
      // `close` follows and is what counts; unheard, ws would throw it.
      socket.addEventListener('error', () => {})
      socket.addEventListener('close', ({ code, reason }) => ifOurs(() => this.ended(code, reason)))
    } catch (error) {
      // No WebSocket, or an address that is none: the next attempt would be no better.
      this.close()
      this.events.failed(error)
    }
  }

  private opened(): void {
    clearTimeout(this.timer)
    const nowMs = performance.now()
    this.openedAtMs = nowMs
    this.heardAtMs = nowMs
    this.keepAlive = setInterval(() => this.lookAlive(), this.options.pingIntervalMs)
    this.become('open')
    this.events.opened()
  }

  private received(data: unknown): void {
    this.heardAtMs = performance.now()
    this.events.message(data)
  }

  /** Asks for a sign of life after one interval of silence; after two, the gateway is gone without a word. */
  private lookAlive(): void {
    const { pingIntervalMs } = this.options
    const silentMs = performance.now() - this.heardAtMs
    if (silentMs > 2 * pingIntervalMs) this.renew('nothing was heard for too long')
    else if (silentMs > pingIntervalMs / 2) this.send({ op: 'ping' })
  }

  private ended(code: number, reason: string): void {
    const wasOpen = this.state === 'open'
    this.release()
    if (wasOpen && performance.now() - this.openedAtMs > GOOD_MS) this.attempt = 0
    const isNeeded = this.events.lost(code, reason)
    const final = FINAL_CODES.get(code)
    if (final !== undefined) {
      this.become('closed')
      this.events.failed(new StreamClientError('REFUSED_BY_GATEWAY', `${final} (${code} ${reason})`))
    } else if (this.state !== 'closed') {
      if (isNeeded) this.retry()
      else this.become('idle')
    }
  }

  private retry(): void {
    const { retryMinMs, retryMaxMs, random } = this.options
    this.become('waiting')
    const delayMs = backoffMs(Math.max(1, this.attempt), retryMinMs, retryMaxMs, random)
    this.timer = setTimeout(() => void this.dial(), delayMs)
  }

  /** Ends a connection whose peer may be unable to answer. */
  private abandon(why: string): void {
    const { socket } = this
    this.socket = null
    if (socket?.terminate !== undefined) socket.terminate()
    // A reason has room for 123 bytes.
    else socket?.close(4000, why.slice(0, 100))
  }

  private release(): WebSocketLike | null {
    clearTimeout(this.timer)
    clearInterval(this.keepAlive)
    const { socket } = this
    this.socket = null
    return socket
  }

  private become(state: LineState): void {
    this.state = state
    this.events.changed(state)
  }
}
