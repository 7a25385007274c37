/**
 * How we ask a connection for a sign of life every `everyMs`. Whatever comes is one: data, a ping or the answer. None
 * for `timeoutMs` means that the connection is gone.
 */
export type KeepAlive = { everyMs: number; timeoutMs: number } & (
  | { kind: 'ping' }
  /** A text, once `startKeepAlive` was called; the server answers with another. */
  | { kind: 'text'; send: string; expect: string }
)

export interface KeepAliveWatchOptions {
  /** Between two times that the other side is asked for a sign of life. */
  everyMs: number
  /** Without one for this long the connection is silent. */
  timeoutMs: number
  /** Asks for a sign of life. */
  ask: () => void
  onSilent: () => void
  /** Never jumps, milliseconds. */
  steadyNow: () => number
}

/** Silence is seen at the latest this much, or a twelfth of the limit, after its time. */
const LOOK_EVERY_MS = 1_000

/**
 * Watches one connection for signs of life. Reading sets a flag, which costs nothing; a timer looks at it, asks the
 * other side now and then, and adds up the silence. A process that stood still for a while does not take its own
 * absence for the other's: each look adds little, however late it comes.
 */
export class KeepAliveWatch {
  /** Set by whoever reads from the connection, at every read. */
  heard = false
  private readonly options: KeepAliveWatchOptions
  private readonly lookEveryMs: number
  private timer: NodeJS.Timeout | null = null
  private lookedAtMs = 0
  private silentMs = 0
  private unaskedMs = 0

  constructor(options: KeepAliveWatchOptions) {
    this.options = options
    this.lookEveryMs = Math.min(LOOK_EVERY_MS, options.everyMs, options.timeoutMs / 12)
  }

  /** Starts to watch, unless it does. */
  start(): void {
    if (this.timer !== null) return
    this.heard = false
    this.silentMs = 0
    this.unaskedMs = 0
    this.lookedAtMs = this.options.steadyNow()
    this.timer = setInterval(() => this.look(), this.lookEveryMs)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  private look(): void {
    const { everyMs, timeoutMs, ask, onSilent, steadyNow } = this.options
    const nowMs = steadyNow()
    const elapsedMs = Math.min(nowMs - this.lookedAtMs, 2 * this.lookEveryMs)
    this.lookedAtMs = nowMs
    this.silentMs = this.heard ? 0 : this.silentMs + elapsedMs
    this.heard = false
    if (this.silentMs >= timeoutMs) {
      this.stop()
      onSilent()
      return
    }
    this.unaskedMs += elapsedMs
    if (this.unaskedMs < everyMs) return
    this.unaskedMs = 0
    ask()
  }
}
