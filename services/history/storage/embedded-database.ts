import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { FastifyBaseLogger } from 'fastify'

const START_LIMIT_MS = 60_000
const STOP_LIMIT_MS = 5_000
const RESTART_DELAYS_MS = [100, 1_000, 5_000, 15_000]
/** The name that clients of PostgreSQL look for in a folder. */
const SOCKET_NAME = '.s.PGSQL.5432'
/** Longer paths are cut silently by Linux; macOS takes 103 bytes. */
const MAX_SOCKET_PATH = 100

/** Where a client of PostgreSQL connects: a folder with a socket, or a loopback port. */
export interface EmbeddedAddress {
  host: string
  port: number
}

/**
 * PGlite in a worker thread, so that its queries never hold up the event loop, behind a socket that speaks the
 * protocol of PostgreSQL. A worker that dies is started again at the same address.
 */
export class EmbeddedDatabase {
  private readonly folder: string
  private readonly log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  private readonly socketFolder: string | null
  private worker: Worker | null = null
  private port = 5432
  private stopping = false

  private constructor(folder: string, log: Pick<FastifyBaseLogger, 'info' | 'warn'>) {
    this.folder = folder
    this.log = log
    this.socketFolder = process.platform === 'win32' ? null : createSocketFolder()
  }

  /** `signal` ends the start where it is. @throws what PGlite says of a folder that it cannot open */
  static async start(
    folder: string,
    log: Pick<FastifyBaseLogger, 'info' | 'warn'>,
    signal?: AbortSignal
  ): Promise<EmbeddedDatabase> {
    const database = new EmbeddedDatabase(folder, log)
    if (database.socketFolder === null) database.port = 0
    const end = () => void database.worker?.terminate()
    signal?.addEventListener('abort', end)
    try {
      await database.spawn()
    } catch (error) {
      await database.stop()
      throw error
    } finally {
      signal?.removeEventListener('abort', end)
    }
    return database
  }

  get address(): EmbeddedAddress {
    return { host: this.socketFolder ?? '127.0.0.1', port: this.port }
  }

  /** Ends the worker whatever it does; the next one starts from what was committed. */
  restart(why: string): void {
    this.log.warn({ why }, 'the embedded database is started again')
    void this.worker?.terminate()
  }

  /** Writes everything out and ends the worker; one that does not within five seconds is ended anyway. */
  async stop(): Promise<void> {
    if (this.stopping) return
    this.stopping = true
    const { worker } = this
    if (worker !== null) {
      const gone = new Promise((resolve) => worker.once('exit', resolve))
      worker.postMessage('stop')
      await Promise.race([gone, sleep(STOP_LIMIT_MS, undefined, { ref: false })])
      await worker.terminate()
    }
    if (this.socketFolder !== null) rmSync(this.socketFolder, { recursive: true, force: true })
  }

  private async spawn(): Promise<void> {
    const { socketFolder, port } = this
    const path = socketFolder === null ? null : join(socketFolder, SOCKET_NAME)
    if (path !== null) rmSync(path, { force: true })
    const worker = new Worker(new URL('./pglite-worker.mjs', import.meta.url), {
      workerData: { folder: this.folder, listen: path === null ? { host: '127.0.0.1', port } : { path } },
      // The parent's loaders are for TypeScript, which the worker has none of.
      execArgv: []
    })
    this.worker = worker
    const { address } = await firstMessage(worker).catch(async (error: unknown) => {
      // Nobody may wait for the end of one that is gone.
      await worker.terminate()
      this.worker = null
      throw error
    })
    if (path === null) this.port = Number(address.slice(address.lastIndexOf(':') + 1))
    worker.on('error', (error) => this.log.warn({ error: String(error) }, 'the embedded database failed'))
    worker.once('exit', () => {
      this.worker = null
      if (!this.stopping) void this.revive()
    })
  }

  private async revive(): Promise<void> {
    for (let attempt = 0; !this.stopping; attempt++) {
      await sleep(RESTART_DELAYS_MS[Math.min(attempt, RESTART_DELAYS_MS.length - 1)], undefined, {
        ref: false
      })
      if (this.stopping) return
      try {
        await this.spawn()
        // Stopped meanwhile: `stop` saw no worker to end, or one that was not listening yet.
        if (this.stopping) await (this.worker as Worker | null)?.terminate()
        return
      } catch (error) {
        this.log.warn({ error: String(error) }, 'the embedded database could not be started again')
      }
    }
  }
}

/** Below the system's folder for temporary files, and not in the data folder: its path must be short. */
function createSocketFolder(): string {
  const parent = tmpdir()
  const length = Buffer.byteLength(join(parent, 'crossbook-XXXXXX', SOCKET_NAME))
  return mkdtempSync(join(length <= MAX_SOCKET_PATH ? parent : '/tmp', 'crossbook-'))
}

function firstMessage(worker: Worker): Promise<{ address: string }> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(
      () => fail(new Error(`no answer within ${START_LIMIT_MS / 1_000} s`)),
      START_LIMIT_MS
    )
    const forget = () => {
      clearTimeout(limit)
      worker.off('message', succeed).off('error', fail).off('exit', exited)
    }
    const succeed = (message: { address: string }) => {
      forget()
      resolve(message)
    }
    const fail = (error: unknown) => {
      forget()
      worker.on('error', () => {})
      void worker.terminate()
      reject(error)
    }
    const exited = () => fail(new Error('it ended while it started'))
    worker.on('message', succeed).on('error', fail).on('exit', exited)
  })
}
