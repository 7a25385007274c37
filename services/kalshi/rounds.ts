import type { FastifyBaseLogger } from 'fastify'
import { backoffMs } from '../venue/backoff.ts'

export interface RoundsOptions {
  /** What is done in a round; it may fail. */
  run: () => Promise<void>
  onFailure: (reason: string) => void
  intervalMs: number
  log: Pick<FastifyBaseLogger, 'warn'>
  random: () => number
}

const RETRY_BASE_MS = 1_000
const RETRY_CAP_MS = 60_000

/** Discovers again and again: on an interval, sooner after a failure, and soon when it is asked to. */
export class Rounds {
  private readonly options: RoundsOptions
  private timer: NodeJS.Timeout | null = null
  private isRunning = false
  private isStopped = false
  /** Asked for while a round was under way, which may have read the changed page already. */
  private isWanted = false
  private failures = 0

  constructor(options: RoundsOptions) {
    this.options = options
  }

  start(): void {
    this.after(0)
  }

  stop(): void {
    this.isStopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  /** Brings the next round forward. */
  soon(): void {
    if (this.isRunning) this.isWanted = true
    else this.after(RETRY_BASE_MS)
  }

  private after(waitMs: number): void {
    if (this.isStopped) return
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.round(), waitMs)
  }

  /** Never rejects: a venue that is down is asked again. */
  private async round(): Promise<void> {
    const { run, intervalMs, random, log, onFailure } = this.options
    this.isRunning = true
    this.isWanted = false
    let waitMs = intervalMs
    try {
      await run()
      this.failures = 0
    } catch (error) {
      if (this.isStopped) return
      const reason = error instanceof Error ? error.message : String(error)
      waitMs = RETRY_BASE_MS + backoffMs(this.failures++, RETRY_BASE_MS, RETRY_CAP_MS, random)
      log.warn({ reason, waitMs: Math.round(waitMs) }, 'discovery failed')
      onFailure(reason)
    }
    this.isRunning = false
    this.after(Math.min(intervalMs, this.isWanted ? RETRY_BASE_MS : waitMs))
  }
}
