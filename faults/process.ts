import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PROGRAM } from './program.ts'

const PRELOAD = new URL('./preload.mjs', import.meta.url).href
const ANSWER_TIMEOUT_MS = 10_000

let folder: string | undefined

/** Returns where the processes under test write what they log. */
export function logFolder(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'crossbook-faults-'))
  return folder
}

export interface Wish {
  /** How much faster than real time its clocks and timers run from now on. */
  speed?: number
  /** How far its wall clock is off, milliseconds. */
  offsetMs?: number
}

/** A `crossbook` command in its own process, with a line to its clock and its memory. */
export class CrossbookProcess {
  readonly child: ChildProcess
  readonly name: string
  private lastId = 0

  constructor(name: string, args: string[], env: NodeJS.ProcessEnv) {
    this.name = name
    this.child = spawn(process.execPath, ['--expose-gc', '--import', PRELOAD, PROGRAM, ...args], {
      env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    const log = createWriteStream(join(logFolder(), `${name}.log`))
    this.child.stdout?.pipe(log)
    this.child.stderr?.pipe(log)
  }

  /** Resolves to the first line that it prints; rejects when it ends before. */
  async firstLine(): Promise<string> {
    if (this.child.stdout === null) throw new Error(`${this.name} has no output`)
    const [line] = await Promise.race([
      once(createInterface({ input: this.child.stdout }), 'line'),
      once(this.child, 'exit').then(([code]) => {
        throw new Error(`${this.name} ended with ${code}: see ${join(logFolder(), `${this.name}.log`)}`)
      })
    ])
    return line
  }

  /** Sets its clocks, collects its garbage, and resolves to its memory. */
  async tell(wish: Wish = {}): Promise<NodeJS.MemoryUsage> {
    const id = ++this.lastId
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(new Error(`${this.name} does not answer`)), ANSWER_TIMEOUT_MS)
      const done = (error: Error | null, memory?: NodeJS.MemoryUsage) => {
        clearTimeout(timer)
        this.child.off('message', heard)
        if (error !== null) reject(error)
        else resolve(memory as NodeJS.MemoryUsage)
      }
      const heard = (answer: unknown) => {
        const { id: answered, memory } = answer as { id: number; memory: NodeJS.MemoryUsage }
        if (answered === id) done(null, memory)
      }
      this.child.on('message', heard)
      this.child.send({ id, ...wish }, (error) => error !== null && done(error))
    })
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Asks it to end and resolves to its exit code and how long that took; kills it after `patienceMs`. */
  async stop(patienceMs = 15_000): Promise<{ code: number | null; tookMs: number }> {
    const startedMs = performance.now()
    if (!this.isGone) {
      const gone = once(this.child, 'exit')
      this.child.kill('SIGTERM')
      const timer = setTimeout(() => this.child.kill('SIGKILL'), patienceMs)
      await gone
      clearTimeout(timer)
    }
    return { code: this.child.exitCode, tookMs: Math.round(performance.now() - startedMs) }
  }
}

/** Resolves to a port of loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
