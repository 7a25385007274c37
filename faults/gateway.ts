import { setTimeout as sleep } from 'node:timers/promises'
import type { Health, VenueHealth } from '../schemas/health.ts'
import type { MarketAggregate } from '../schemas/market.ts'
import { CrossbookProcess, freePort } from './process.ts'

const START_TIMEOUT_MS = 60_000

/** The whole gateway as anyone runs it, in a process of its own, asked over HTTP only. */
export class Gateway {
  readonly process: CrossbookProcess
  readonly url: string

  private constructor(process: CrossbookProcess, url: string) {
    this.process = process
    this.url = url
  }

  /** Starts `crossbook serve` and resolves once it answers; its books may still be on their way. */
  static async start(
    name: string,
    settings: Record<string, string>,
    options: readonly string[] = []
  ): Promise<Gateway> {
    const port = await freePort()
    const process = new CrossbookProcess(name, ['serve', ...options], {
      LOG_LEVEL: 'info',
      // The faults of recording have tests of their own: see test/recording.test.ts.
      HISTORY: 'off',
      ...settings,
      HOST: '127.0.0.1',
      PORT: String(port)
    })
    const gateway = new Gateway(process, `http://127.0.0.1:${port}`)
    await gateway.until(async () => {
      if (process.isGone) throw new Error(`${name} ended at once`)
      return (await fetch(`${gateway.url}/v1/livez`)).ok
    }, START_TIMEOUT_MS)
    return gateway
  }

  /** Resolves once a condition holds, false when it did not in time; failed requests count as not yet. */
  async until(condition: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
    const endMs = performance.now() + timeoutMs
    while (performance.now() < endMs) {
      try {
        if (await condition()) return true
      } catch (error) {
        if (this.process.isGone) throw error
      }
      await sleep(100)
    }
    return false
  }

  untilReady(timeoutMs = START_TIMEOUT_MS): Promise<boolean> {
    return this.until(async () => (await fetch(`${this.url}/v1/readyz`)).status === 200, timeoutMs)
  }

  async health(): Promise<Health> {
    return (await (await fetch(`${this.url}/v1/healthz`)).json()) as Health
  }

  async venue(name: string): Promise<VenueHealth | undefined> {
    return (await this.health()).venues.find(({ venue }) => venue === name)
  }

  /** Reads every market with its whole book. */
  async markets(): Promise<MarketAggregate[]> {
    const response = await fetch(`${this.url}/v1/markets.ndjson?depth=100`)
    if (!response.ok) throw new Error(`markets.ndjson answered ${response.status}`)
    const lines = (await response.text()).split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as MarketAggregate)
  }
}
