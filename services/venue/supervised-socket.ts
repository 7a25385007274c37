import type { FastifyBaseLogger } from 'fastify'
import WebSocket from 'ws'
import { backoffMs } from './backoff.ts'
import { Breaker, type BreakerLimits } from './breaker.ts'
import { ConnectionTap } from './connection-tap.ts'
import type { DialPacer } from './dial-pacer.ts'
import { FrameTap } from './frame-tap.ts'
import { type KeepAlive, KeepAliveWatch } from './keep-alive-watch.ts'
import type { ConnectionState, ConnectionStatus } from './port.ts'
import type { WireTap } from './wire-tap.ts'

export interface SupervisedSocketOptions {
  name: string
  url: string
  /** Headers of one upgrade request; called anew for each attempt, since signatures age. */
  headers?: () => Record<string, string>
  keepAlive: KeepAlive
  /** Around the dialling. */
  breaker?: BreakerLimits
  /** Spaces the dialling of all connections to this venue; null: dial at once. */
  pacer?: DialPacer | null
  /** Called once a connection: subscribe here. */
  onOpen: () => void
  /**
   * Called for every data frame but keep-alive answers, in order. The frame's memory is written again after the call.
   * Must not throw.
   */
  onFrame: (frame: Buffer, receivedAtMs: number) => void
  /** Called once for each connection that was open and is not any more, and for the final refusal. */
  onDown: (reason: string) => void
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  backoffBaseMs?: number
  backoffCapMs?: number
  /** A connection must have lived this long before the next loss starts from the shortest wait again. */
  provenAfterMs?: number
  openTimeoutMs?: number
  maxFrameBytes?: number
  random?: () => number
  now?: () => number
  /** For durations: a clock that never jumps, milliseconds. */
  steadyNow?: () => number
  /** Answers to the upgrade that are final, since asking again would not help. */
  refusedBy?: readonly number[]
  /** Who hears all that passes, and whether what comes goes into the live books from the start; null: nobody hears. */
  tapped?: { venue: string; wire: WireTap; keepsBooks: boolean } | null
}

const STOP_TIMEOUT_MS = 2_000

/**
 * One connection to a venue that is kept: dials, watches for signs of life, and dials again with full jitter after
 * every loss until it is stopped. Dialling is paced and stands behind a circuit breaker. An upgrade that is answered
 * with one of `refusedBy` is final.
 */
export class SupervisedSocket {
  private readonly options: Required<SupervisedSocketOptions>
  private readonly breaker: Breaker
  private readonly watch: KeepAliveWatch
  private readonly stopping = new AbortController()
  /** Tells the breaker how the dialling under way ended. */
  private dialled: { opened: () => void; failed: (error: Error) => void } | null = null
  private socket: WebSocket | null = null
  private state: ConnectionState = 'idle'
  private attempt = 0
  private retryTimer: NodeJS.Timeout | null = null
  /** By the steady clock. */
  private openedAtMs = 0
  /** When the bytes that are being taken apart were read. */
  private readAtMs = 0
  private connectedAtMs: number | null = null
  private lastMessageAtMs: number | null = null
  private messages = 0
  private opened = 0
  private lastError: string | null = null
  /** Why the connection under way is going down, once that is known. */
  private downReason: string | null = null
  private readonly wire: ConnectionTap | null
  /** By our clock, also when it is closed again. */
  private lastOpenedAtMs: number | null = null

  constructor(options: SupervisedSocketOptions) {
    this.options = {
      headers: () => ({}),
      backoffBaseMs: 250,
      backoffCapMs: 30_000,
      provenAfterMs: 10_000,
      openTimeoutMs: 10_000,
      maxFrameBytes: 64 * 1024 * 1024,
      random: Math.random,
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      refusedBy: [401, 403],
      breaker: { failures: 5, openMs: 10_000 },
      pacer: null,
      tapped: null,
      ...options
    }
    const { name, breaker, keepAlive, now, steadyNow, log, tapped } = this.options
    this.wire = tapped === null ? null : new ConnectionTap({ ...tapped, name, now })
    this.breaker = new Breaker({
      name,
      ...breaker,
      now,
      steadyNow,
      onChange: (state) => log.warn({ connection: name, breaker: state }, 'breaker')
    })
    this.watch = new KeepAliveWatch({
      ...keepAlive,
      ask: () => this.ask(),
      onSilent: () => this.drop(`nothing came for ${keepAlive.timeoutMs} ms, not even an answer to a ping`),
      steadyNow
    })
  }

  get isOpen(): boolean {
    return this.state === 'open'
  }

  /** Our clock at the last message, or at the opening where none came since; null before the first opening. */
  get heardAtMs(): number | null {
    const { lastMessageAtMs, lastOpenedAtMs } = this
    return lastMessageAtMs === null || lastOpenedAtMs === null
      ? lastOpenedAtMs
      : Math.max(lastMessageAtMs, lastOpenedAtMs)
  }

  /** The status of the connection; the feed knows how many markets are on it. */
  status(markets: number): ConnectionStatus {
    const { state, connectedAtMs, lastMessageAtMs, messages, lastError } = this
    const reconnects = Math.max(0, this.opened - 1)
    return {
      name: this.options.name,
      state,
      markets,
      connectedAtMs,
      lastMessageAtMs,
      messages,
      reconnects,
      lastError,
      breaker: this.breaker.status()
    }
  }

  start(): void {
    if (this.state === 'idle') this.dial()
  }

  /** Sends a text frame; false when the connection is not open. */
  send(text: string): boolean {
    if (this.state !== 'open' || this.socket === null) return false
    this.wire?.command(text)
    this.socket.send(text)
    return true
  }

  /** From now on what comes goes into the live books, in place of what came on another connection. */
  adopt(): void {
    this.wire?.adopt()
  }

  /** Starts our own keep-alive texts: some venues refuse them before the first subscription. */
  startKeepAlive(): void {
    if (this.options.keepAlive.kind === 'text') this.watch.start()
  }

  /** Cuts the connection and dials again. */
  drop(reason: string): void {
    if (this.socket === null) return
    this.downReason = reason
    this.socket.terminate()
  }

  /** Gives up for good: the venue refused us, and asking again would not help. */
  refuse(reason: string): void {
    this.lastError = reason
    this.state = 'refused'
    this.stopping.abort()
    this.clearTimers()
    this.wire?.closed(reason)
    this.options.log.warn({ connection: this.options.name, reason }, 'venue refused the connection')
    this.options.onDown(reason)
    this.socket?.terminate()
  }

  /** Closes the connection, hands over nothing more, and dials no more; resolves when closed, at the latest after 2 s. */
  async stop(): Promise<void> {
    const { socket } = this
    this.state = 'stopped'
    this.stopping.abort()
    this.clearTimers()
    this.wire?.closed('closed by us')
    if (socket === null) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.terminate(), STOP_TIMEOUT_MS)
      socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      if (socket.readyState === WebSocket.CONNECTING) socket.terminate()
      else socket.close(1000)
    })
  }

  /** Dials when the breaker lets it and its turn has come. */
  private dial(): void {
    const { pacer } = this.options
    const { signal } = this.stopping
    this.retryTimer = null
    if (this.state === 'idle') this.state = 'connecting'
    const { waitMs } = this.breaker
    if (waitMs > 0) this.retryTimer = setTimeout(() => this.dial(), waitMs)
    else if (pacer === null) this.connect()
    else
      pacer.turn(signal).then(
        () => {
          if (!signal.aborted) this.connect()
        },
        () => {}
      )
  }

  private connect(): void {
    this.state = 'connecting'
    this.downReason = null
    const dialling = () =>
      new Promise<void>((opened, failed) => {
        this.dialled = { opened, failed }
        this.open()
      })
    // How it ended is dealt with by the socket's events; here it only counts.
    this.breaker.run(dialling).catch(() => {})
  }

  private open(): void {
    const { url, headers, openTimeoutMs, maxFrameBytes, now } = this.options
    const tap = new FrameTap({
      maxFrameBytes,
      // The frames of one read came together: one look at the clock for all.
      onRead: () => {
        this.readAtMs = now()
        this.watch.heard = true
      },
      onFrame: (frame) => this.message(frame)
    })
    const socket = new WebSocket(url, {
      createConnection: tap.connector(url),
      headers: headers(),
      handshakeTimeout: openTimeoutMs,
      maxPayload: maxFrameBytes,
      perMessageDeflate: false,
      // Safe, for whoever reads frames checks them where it costs nothing more: a scanner accepts plain ASCII only, and
      // the generic path asks `isUtf8` before it makes a string and counts what is none as `not_utf8`.
      skipUTF8Validation: true
    })
    this.socket = socket
    socket.on('open', () => {
      tap.open()
      this.opening()
    })
    socket.on('message', (data) => this.message(data as Buffer))
    socket.on('unexpected-response', (_request, response) => {
      response.resume()
      const { statusCode = 0 } = response
      this.downReason = `upgrade answered ${statusCode}`
      if (this.options.refusedBy.includes(statusCode)) this.refuse(this.downReason)
      else socket.terminate()
    })
    socket.on('error', (error) => {
      this.downReason ??= error.message
    })
    socket.on('close', (code, reason) => this.closed(code, reason.toString()))
  }

  private opening(): void {
    const { keepAlive, now, steadyNow, onOpen, log, name } = this.options
    this.state = 'open'
    this.dialled?.opened()
    this.opened++
    this.connectedAtMs = now()
    this.lastOpenedAtMs = this.connectedAtMs
    this.openedAtMs = steadyNow()
    this.lastError = null
    this.wire?.opened()
    if (keepAlive.kind === 'ping') this.watch.start()
    log.info({ connection: name, opened: this.opened }, 'connected')
    onOpen()
  }

  private message(frame: Buffer): void {
    // What comes while we close is told to nobody, so that what was tapped is what was applied.
    if (this.state !== 'open') return
    const receivedAtMs = this.readAtMs
    const { keepAlive } = this.options
    this.lastMessageAtMs = receivedAtMs
    if (
      keepAlive.kind === 'text' &&
      frame.length === keepAlive.expect.length &&
      frame.toString() === keepAlive.expect
    )
      return
    this.messages++
    if (this.wire !== null) this.wire.frame(frame, receivedAtMs)
    this.options.onFrame(frame, receivedAtMs)
  }

  private ask(): void {
    const { keepAlive } = this.options
    if (keepAlive.kind === 'text') this.send(keepAlive.send)
    else if (this.state === 'open') this.socket?.ping()
  }

  private closed(code: number, reason: string): void {
    const { steadyNow, provenAfterMs, backoffBaseMs, backoffCapMs, random, onDown, log, name } = this.options
    const wasOpen = this.state === 'open'
    this.socket = null
    this.clearTimers()
    // After `opened` this changes nothing.
    this.dialled?.failed(new Error(this.downReason ?? `closed with ${code}`))
    if (this.state === 'stopped' || this.state === 'refused') return
    if (wasOpen && steadyNow() - this.openedAtMs >= provenAfterMs) this.attempt = 0
    this.connectedAtMs = null
    this.state = 'waiting'
    const waitMs = backoffMs(this.attempt++, backoffBaseMs, backoffCapMs, random)
    const why = this.downReason ?? `closed with ${code}${reason === '' ? '' : ` ${reason}`}`
    this.lastError = why
    log.warn({ connection: name, reason: why, waitMs: Math.round(waitMs) }, 'connection lost')
    this.wire?.closed(why)
    this.retryTimer = setTimeout(() => this.dial(), waitMs)
    if (wasOpen) onDown(why)
  }

  private clearTimers(): void {
    if (this.retryTimer !== null) clearTimeout(this.retryTimer)
    this.retryTimer = null
    this.watch.stop()
  }
}
