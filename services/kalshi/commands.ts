import { TokenBucket } from '../venue/token-bucket.ts'

/** A command to the venue, and what is done when it was answered or had its time. */
export interface Command {
  readonly cmd: 'subscribe' | 'unsubscribe' | 'update_subscription'
  readonly params: Record<string, unknown>
  readonly purpose: 'books' | 'lifecycle' | 'trades' | 'other'
  /** The markets that it adds. */
  readonly tickers?: readonly string[]
  readonly onAnswer?: () => void
}

export interface CommandsOptions {
  send: (text: string) => boolean
  /** Never jumps: for durations only. */
  steadyNow?: () => number
}

/** The venue takes 10,000 a second on a session; the limit on one subscription is not published. */
const COMMANDS_PER_SECOND = 100
const MAX_WAITING = 10_000
const ANSWER_TIMEOUT_MS = 10_000
/** How long nothing is sent after the venue said that we are too fast. */
const PAUSE_MS = 1_000

/**
 * Sends commands at a steady pace and remembers what each id stood for: answers come in any order, and some never.
 */
export class Commands {
  private readonly options: Required<CommandsOptions>
  private readonly bucket: TokenBucket
  private readonly sent = new Map<number, { command: Command; atMs: number }>()
  private closing = new AbortController()
  /** 0 counts as absent on the wire. */
  private lastId = 0

  constructor(options: CommandsOptions) {
    this.options = { steadyNow: performance.now.bind(performance), ...options }
    this.bucket = new TokenBucket({
      ratePerSecond: COMMANDS_PER_SECOND,
      capacity: COMMANDS_PER_SECOND,
      maxWaiting: MAX_WAITING
    })
  }

  /** Begins with a new connection. */
  open(): void {
    this.close()
    this.closing = new AbortController()
  }

  /** Forgets what was sent and what waits: commands in flight are lost with their connection. */
  close(): void {
    this.closing.abort()
    this.sent.clear()
  }

  run(command: Command): void {
    const { signal } = this.closing
    this.bucket.take(1, signal).then(
      () => {
        if (!signal.aborted) this.transmit(command)
      },
      // Closed, or more waiting than makes sense; the snapshot timers see what is missing.
      () => {}
    )
  }

  /** Returns the command that an answer belongs to, once. */
  answered(id: number | null): Command | null {
    const entry = id === null ? undefined : this.sent.get(id)
    if (id === null || entry === undefined) return null
    this.sent.delete(id)
    return entry.command
  }

  /** Takes commands that got no answer as answered: `get_snapshot` never gets one. */
  expire(): void {
    const before = this.options.steadyNow() - ANSWER_TIMEOUT_MS
    for (const [id, { command, atMs }] of this.sent) {
      if (atMs > before) break
      this.sent.delete(id)
      command.onAnswer?.()
    }
  }

  pause(): void {
    this.bucket.pause(PAUSE_MS)
  }

  private transmit(command: Command): void {
    const { cmd, params } = command
    const id = ++this.lastId
    this.sent.set(id, { command, atMs: this.options.steadyNow() })
    this.options.send(JSON.stringify({ id, cmd, params }))
  }
}
