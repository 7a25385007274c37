import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url))
const TASKSET = ['/usr/bin/taskset', '/bin/taskset'].find((path) => existsSync(path))
const ANSWER_TIMEOUT_MS = 180_000

/** The core of what is measured, and the core of whatever puts load on it. */
export type Core = 'measured' | 'load'

/** True where processes can be kept on a core each. */
export const canPin = TASKSET !== undefined && availableParallelism() >= 2

/** A process of its own that answers one question at a time. */
export class BenchProcess {
  private readonly child: ChildProcess
  private readonly name: string

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.child = child
  }

  /**
   * Starts `bench/<module>` on a core, with `options` as its settings, and resolves once it answers.
   * `nodeOptions` are those of Node itself.
   */
  static async start(
    module: string,
    core: Core,
    options: object,
    nodeOptions: string[] = []
  ): Promise<BenchProcess> {
    const argv = [`../${module}`, JSON.stringify(options)]
    const child =
      canPin && TASKSET !== undefined
        ? fork('-c', [core === 'measured' ? '0' : '1', process.execPath, ...nodeOptions, CHILD, ...argv], {
            execPath: TASKSET,
            execArgv: [],
            stdio: ['ignore', 'inherit', 'inherit', 'ipc']
          })
        : fork(CHILD, argv, { execArgv: nodeOptions, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const started = new BenchProcess(module, child)
    await started.ask({})
    return started
  }

  /** Sends a question and resolves to its answer; rejects with what the process threw, or when it died. */
  async ask<Answer>(question: object): Promise<Answer> {
    const { child, name } = this
    return new Promise<Answer>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        child.off('message', answered)
        child.off('exit', died)
      }
      const answered = (message: unknown) => {
        settle()
        const { answer, error } = message as { answer: Answer; error?: string }
        if (error === undefined) resolve(answer)
        else reject(new Error(`${name}: ${error}`))
      }
      const died = (code: number | null) => {
        settle()
        reject(new Error(`${name} ended with ${code}`))
      }
      const timer = setTimeout(() => {
        settle()
        reject(new Error(`${name} gave no answer to ${JSON.stringify(question)}`))
      }, ANSWER_TIMEOUT_MS)
      child.on('message', answered)
      child.on('exit', died)
      child.send(question)
    })
  }

  /** Ends the process and resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await gone
  }
}
