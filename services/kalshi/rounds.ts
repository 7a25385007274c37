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
  /** Those who wait for a round that begins after they asked; each is told why it failed, or null. */
  private waiters: ((failure: string | null) => void)[] = []

  constructor(options: RoundsOptions) {
    this.options = options
  }

  start(): void {
    this.after(0)
  }

  stop(): void {
    this.isStopped = true
    if (this.timer !== null) clearTimeout(this.timer)
    for (const told of this.waiters.splice(0)) told('stopped')
  }

  /** Runs a round that begins after this call; returns why it failed, null when it did not. */
  once(): Promise<string | null> {
    return new Promise((resolve) => {
      if (this.isStopped) return resolve('stopped')
      this.waiters.push(resolve)
      if (this.isRunning) this.isWanted = true
      else this.after(0)
    })
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
    const waiters = this.waiters.splice(0)
    let waitMs = intervalMs
    let reason: string | null = null
    try {
      await run()
      this.failures = 0
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
      if (this.isStopped) return
      waitMs = RETRY_BASE_MS + backoffMs(this.failures++, RETRY_BASE_MS, RETRY_CAP_MS, random)
      log.warn({ reason, waitMs: Math.round(waitMs) }, 'discovery failed')
      onFailure(reason)
    } finally {
      for (const told of waiters) told(reason)
    }
    this.isRunning = false
    this.after(Math.min(intervalMs, this.isWanted ? RETRY_BASE_MS : waitMs))
  }
}
