import { createHash } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import { type ChainableCommander, Redis } from 'ioredis'
import { RedisUnavailableError } from '../errors.ts'

/** Where the connection to Redis stands. `refused`: it does not take our user, password or database number; it is asked again slowly. */
export type RedisState = 'connecting' | 'ready' | 'waiting' | 'refused' | 'stopped'

export interface RedisStatus {
  state: RedisState
  /** One sentence without what REDIS_URL holds; null while it is ready. */
  lastError: string | null
  /** Times that it was ready. */
  connects: number
}

export interface RedisLinkOptions {
  url: string
  /** Shown by Redis in its list of clients. */
  name: string
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  /** An answer that takes longer counts as none. */
  commandTimeoutMs?: number
  onReady?: () => void
}

/** A Lua script; Redis knows it by its digest once it was loaded. */
export interface Script {
  readonly lua: string
  readonly sha: string
}

export type RedisArgument = string | number | Buffer

export interface ScriptCall {
  script: Script
  keys: readonly string[]
  args: readonly RedisArgument[]
}

export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

const COMMAND_TIMEOUT_MS = 2_000
const CONNECT_TIMEOUT_MS = 3_000
const RETRY_FIRST_MS = 100
const RETRY_CAP_MS = 1_000
const REFUSED_RETRY_MS = 5_000
const STOP_TIMEOUT_MS = 1_000

/**
 * One connection to Redis that comes back by itself. Nothing waits for it: a command while it is away fails at once,
 * and none is sent twice. All of ioredis that we use is used here.
 */
export class RedisLink {
  private readonly client: Redis
  private readonly options: RedisLinkOptions
  private readonly current: RedisStatus = { state: 'connecting', lastError: null, connects: 0 }
  private isRefused = false

  constructor(options: RedisLinkOptions) {
    this.options = options
    this.client = new Redis(options.url, {
      protocol: 2,
      lazyConnect: true,
      connectionName: options.name,
      commandTimeout: options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      // A server that is still reading its file answers with an error, and that is what it is for us.
      enableReadyCheck: true,
      retryStrategy: (times) =>
        this.isRefused ? REFUSED_RETRY_MS : Math.min(RETRY_CAP_MS, RETRY_FIRST_MS * 2 ** Math.min(times, 6))
    })
    this.client.on('connecting', () => {
      this.isRefused = false
    })
    this.client.on('ready', () => void this.ready())
    this.client.on('error', (error) => this.failed(error))
    this.client.on('close', () => this.closed())
  }

  get status(): Readonly<RedisStatus> {
    return this.current
  }

  get isReady(): boolean {
    return this.current.state === 'ready'
  }

  start(): void {
    // Why it failed, the event tells.
    this.client.connect().catch(() => {})
  }

  /** Ends the connection, within a bounded time. */
  async stop(): Promise<void> {
    const wasReady = this.isReady
    this.current.state = 'stopped'
    let timer: NodeJS.Timeout | undefined
    if (wasReady) {
      const timeout = new Promise((resolve) => {
        timer = setTimeout(resolve, STOP_TIMEOUT_MS)
      })
      await Promise.race([this.client.quit().catch(() => {}), timeout])
    }
    clearTimeout(timer)
    this.client.disconnect()
  }

  /** Sends one command and resolves to its reply, texts as bytes. @throws {RedisUnavailableError} */
  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    this.assertReady()
    try {
      return await this.client.callBuffer(command, args as (string | Buffer)[])
    } catch (error) {
      throw unavailable(error)
    }
  }

  /** Runs a script and resolves to its reply. @throws {RedisUnavailableError} */
  async run({ script: { lua, sha }, keys, args }: ScriptCall): Promise<unknown> {
    this.assertReady()
    const rest = [keys.length, ...keys, ...args] as (string | Buffer)[]
    try {
      return await this.client.callBuffer('EVALSHA', [sha, ...rest]).catch((error) => {
        if (!isUnknownScript(error)) throw error
        return this.client.callBuffer('EVAL', [lua, ...rest])
      })
    } catch (error) {
      throw unavailable(error)
    }
  }

  /**
   * Sends many commands in one go and resolves to their replies, an error in the place of each that failed.
   *
   * @throws {RedisUnavailableError} when there is no connection
   */
  async pipeline(commands: readonly RedisArgument[][]): Promise<unknown[]> {
    this.assertReady()
    const sent: ChainableCommander = this.client.pipeline()
    for (const [name, ...args] of commands) sent.callBuffer(name as string, args as (string | Buffer)[])
    const replies = (await sent.exec()) ?? []
    return replies.map(([error, reply]) => (error === null ? reply : unavailable(error)))
  }

  /** Runs scripts in one go, as `pipeline` does commands; those that Redis did not know are run again. */
  async runAll(calls: readonly ScriptCall[]): Promise<unknown[]> {
    const replies = await this.pipeline(
      calls.map(({ script: { sha }, keys, args }) => ['EVALSHA', sha, keys.length, ...keys, ...args])
    )
    for (const [index, reply] of replies.entries()) {
      if (!isUnknownScript(reply)) continue
      replies[index] = await this.run(calls[index] as ScriptCall).catch((error) => error)
    }
    return replies
  }

  private assertReady(): void {
    if (!this.isReady) throw new RedisUnavailableError(this.current.lastError ?? 'Redis is not connected yet')
  }

  private ready(): void {
    const { log, onReady } = this.options
    if (this.current.state === 'stopped') return
    this.current.state = 'ready'
    this.current.lastError = null
    this.current.connects++
    log.info({ connects: this.current.connects }, 'Redis is there')
    onReady?.()
  }

  private failed(error: Error): void {
    // Once it was refused, a connection says of what else was asked of it only that it has ended.
    if (this.current.state === 'stopped' || this.isRefused) return
    const sentence = sentenceOf(error)
    this.isRefused = isRefusal(error)
    const isNew = sentence !== this.current.lastError
    this.current.lastError = sentence
    this.current.state = this.isRefused ? 'refused' : 'waiting'
    if (isNew) this.options.log.warn({ reason: sentence }, 'Redis is not there')
    // It would go on without a user, or in another database than it was told.
    if (this.isRefused) this.client.disconnect(true)
  }

  private closed(): void {
    if (this.current.state !== 'ready') return
    this.current.state = 'waiting'
    this.current.lastError = 'the connection to Redis was lost'
    this.options.log.warn({}, this.current.lastError)
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && /NOSCRIPT/.test(error.message)
}

const OTHER_DATABASE = /DB index is out of range|invalid DB index/i

function isRefusal({ message }: Error): boolean {
  return (
    /WRONGPASS|NOAUTH|NOPERM|invalid username-password|without any password/i.test(message) ||
    OTHER_DATABASE.test(message)
  )
}

/** Says what is wrong without the address, which may hold a password. */
function sentenceOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  if (OTHER_DATABASE.test(error.message)) return 'Redis has no database of the number in REDIS_URL'
  if (isRefusal(error)) return 'Redis refused the user or the password of REDIS_URL'
  if (code === 'ECONNREFUSED') return 'nobody answers at REDIS_URL'
  if (code === 'ENOTFOUND') return 'the host of REDIS_URL is not known'
  if (/LOADING/.test(error.message)) return 'Redis is loading its data'
  if (/timed out|ETIMEDOUT/i.test(error.message)) return 'Redis took too long to answer'
  return code === undefined ? 'the connection to Redis failed' : `the connection to Redis failed (${code})`
}

function unavailable(error: unknown): RedisUnavailableError {
  if (error instanceof RedisUnavailableError) return error
  const { message = 'no reply' } = error as Partial<Error>
  return new RedisUnavailableError(/^[A-Z]+ /.test(message) ? message : sentenceOf(error as Error))
}
