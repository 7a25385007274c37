import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { freePort } from '../../../faults/process.ts'

const URL_TO_TRY = process.env.TEST_REDIS_URL ?? 'redis://127.0.0.1:6379'
const PATIENCE_MS = 30_000

/** Returns the URL of a Redis that answers; null where none does, and then a test is skipped. */
export async function redisUrl(): Promise<string | null> {
  const redis = new Redis(URL_TO_TRY, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 })
  redis.on('error', () => {})
  const answers = await redis.connect().then(
    () => true,
    () => false
  )
  redis.disconnect()
  return answers ? URL_TO_TRY : null
}

/** Why a test is skipped; false where it is not. */
export const NO_REDIS = (await redisUrl()) === null && 'no Redis answers at TEST_REDIS_URL or 127.0.0.1:6379'
export const REDIS_URL = URL_TO_TRY
/** The same for tests that run a server of their own, whatever else answers. */
export const NO_REDIS_SERVER =
  spawnSync('redis-server', ['--version']).status !== 0 && 'redis-server is not installed'

/** Returns a client to look into Redis with; it is closed when the test ends, and the cluster's keys are gone then. */
export function inspector(t: Test, url: string, cluster?: string): Redis {
  const redis = new Redis(url)
  redis.on('error', () => {})
  t.teardown(async () => {
    if (cluster !== undefined) {
      const keys = await redis.keys(`{${cluster}/*`).catch(() => [])
      if (keys.length > 0) await redis.del(keys).catch(() => 0)
    }
    redis.disconnect()
  })
  return redis
}

/** A name that no other test's cluster has. */
export function ownCluster(): string {
  return `test-${randomBytes(6).toString('hex')}`
}

/** A Redis server of the test's own, which may be killed, frozen and started again. */
export class OwnRedis {
  readonly port: number
  private child: ChildProcess | null = null
  private readonly password: string | null

  private constructor(port: number, password: string | null) {
    this.port = port
    this.password = password
  }

  /** Returns a running server; a test that wants one is skipped with `NO_REDIS_SERVER`. */
  static async start(t: Test, password: string | null = null, port?: number): Promise<OwnRedis> {
    const server = new OwnRedis(port ?? (await freePort()), password)
    t.teardown(() => server.kill())
    if (!(await server.run())) throw new Error('redis-server did not start')
    return server
  }

  get url(): string {
    return `redis://${this.password === null ? '' : `:${this.password}@`}127.0.0.1:${this.port}`
  }

  async run(): Promise<boolean> {
    const args = ['--port', String(this.port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1']
    if (this.password !== null) args.push('--requirepass', this.password)
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const isThere = await Promise.race([
      once(child, 'error').then(() => false),
      (async () => {
        for await (const bytes of child.stdout) if (String(bytes).includes('Ready to accept')) return true
        return false
      })()
    ])
    child.stdout?.resume()
    if (isThere) this.child = child
    return isThere
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal)
  }

  async kill(): Promise<void> {
    const { child } = this
    this.child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
}

/** Resolves once a condition holds; throws when it does not in time. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  while (performance.now() < endMs) {
    if (await condition()) return
    await sleep(10)
  }
  throw new Error(`it did not come to pass: ${what}`)
}
