import type { FastifyBaseLogger } from 'fastify'
import { ConfigError, HistoryUnavailableError } from '../errors.ts'
import type { HistoryStore } from './records.ts'

export interface OpeningOptions {
  /** See `openHistory`. */
  databaseUrl: string
  dataDir: string
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>
  now: () => number
  steadyNow: () => number
  readsOnly?: boolean
}

const REOPEN_AFTER_MS = 5_000
/** So long a start waits for the database; books need none, and to hold them back for longer would help nobody. */
const WAITED_FOR_MS = 30_000
/** An attempt under way ends within this time when we stop. */
const ENDS_WITHIN_MS = 5_000

/**
 * Opens the database in the background, over and over until it is: it may be on its way, as the gateway is. Who reads only
 * gives up where it is refused, and gets in nobody's way later.
 */
export class Opening {
  /** Rejects when we stop before, or give up. */
  readonly store: Promise<HistoryStore>
  private readonly options: OpeningOptions
  private readonly stopping = new AbortController()
  private settle: { opened: (store: HistoryStore) => void; given: (why: Error) => void } | null = null
  private found: HistoryStore | null = null
  private lastError: string | null = 'it is being opened'
  private hasTried = false
  private gaveUp = false
  private attempt: Promise<void> = Promise.resolve()
  private timer: NodeJS.Timeout | null = null
  private startedAt: number | null = null

  constructor(options: OpeningOptions) {
    this.options = options
    this.store = new Promise<HistoryStore>((opened, given) => {
      this.settle = { opened, given }
    })
    // Whoever waits for it hears of it; when nobody does, the stop is no news.
    this.store.catch(() => {})
  }

  /** Null until it is open. */
  get opened(): HistoryStore | null {
    return this.found
  }

  /** Why it is not open; null once it is. */
  get error(): string | null {
    return this.lastError
  }

  /** True once it is not tried again. */
  get hasGivenUp(): boolean {
    return this.gaveUp
  }

  /** True until the first attempt ends, one way or the other. */
  get isUnderWay(): boolean {
    return !this.hasTried
  }

  /** False until it is open, or has been waited for long enough. */
  get isReady(): boolean {
    if (this.found !== null) return true
    return this.startedAt !== null && this.options.steadyNow() - this.startedAt >= WAITED_FOR_MS
  }

  start(): void {
    this.startedAt = this.options.steadyNow()
    this.attempt = this.open()
  }

  /** Gives up what is not open yet: nobody waits for it any more. */
  abandon(): void {
    this.stopping.abort()
    if (this.timer !== null) clearTimeout(this.timer)
    this.settle?.given(new HistoryUnavailableError('the gateway stops'))
  }

  /** Abandons it, and closes the database. */
  async close(): Promise<void> {
    this.abandon()
    let limit: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, ENDS_WITHIN_MS)
    })
    await Promise.race([this.attempt, late])
    clearTimeout(limit)
    await this.found?.close()
  }

  /** Never rejects. */
  private async open(): Promise<void> {
    const { databaseUrl, dataDir, log, now, readsOnly = false } = this.options
    const { signal } = this.stopping
    try {
      // Only now: books are served before the database's client is read.
      const { openHistory } = await import('./storage/open-history.ts')
      signal.throwIfAborted()
      const store = await openHistory({
        databaseUrl,
        dataDir,
        log,
        now,
        signal,
        readsOnly,
        keepsGatewaysOut: readsOnly
      })
      if (signal.aborted) {
        await store.close()
        return
      }
      this.found = store
      this.hasTried = true
      this.lastError = null
      this.settle?.opened(store)
    } catch (error) {
      if (signal.aborted) return
      this.hasTried = true
      this.lastError = error instanceof Error ? error.message : String(error)
      if (readsOnly && error instanceof ConfigError) {
        this.gaveUp = true
        this.settle?.given(error)
        log.error(
          { error: this.lastError },
          'the database of the history cannot be opened, and is not tried again'
        )
        return
      }
      log.error({ error: this.lastError }, 'the database of the history cannot be opened: it is tried again')
      this.timer = setTimeout(() => {
        this.attempt = this.open()
      }, REOPEN_AFTER_MS)
    }
  }
}
