import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import type { HistoryPlace } from '../history/engines.ts'
import type { StandInOptions } from '../ingest/stand-in.ts'
import type { GatewayMark, GatewayOptions } from './gateway.ts'
import type { LoadPlan, LoadReading } from './load.ts'

export const PAGE_SIZE = 50
export const CONNECTIONS = 16
export const UPDATES_PER_SECOND = 20_000
const WARM_UP_MAX_MS = 60_000

/** What a server did while it was asked as fast as it could answer. */
export interface ServeReading {
  microsPerRequest: number
  /** Share of its core that the server used: far below one, the load was the limit. */
  cores: number
  load: LoadReading
}

/** One server under measurement, where it listens, and its turns of being asked. */
export interface Server {
  process: BenchProcess
  port: number
}

/** The processes of a serving bench: started on demand, ended together. */
export class ServeWorld {
  readonly markets: number
  readonly context: BenchContext
  private readonly processes: BenchProcess[] = []
  private loadProcess: BenchProcess | undefined
  private standIn: Server | undefined

  constructor(context: BenchContext, markets = context.quick ? 2_000 : 100_000) {
    this.context = context
    this.markets = markets
  }

  /** Paths of every page of the usual size. */
  get pages(): string[] {
    return Array.from(
      { length: this.markets / PAGE_SIZE },
      (_, i) => `/v1/markets?page=${i + 1}&pageSize=${PAGE_SIZE}`
    )
  }

  /** Starts Crossbook or the naive peer; with a feed, it follows the stand-in under its own name, or the given one. */
  async gateway(
    kind: GatewayOptions['kind'],
    { isMixed = false, hasFeed = false, name = kind as string, recordIn = null as HistoryPlace | null } = {}
  ): Promise<Server> {
    this.context.progress(`filling ${name}`)
    const feedUrl = hasFeed ? `ws://127.0.0.1:${(await this.feed()).port}/${name}` : null
    const options: GatewayOptions = { kind, markets: this.markets, isMixed, feedUrl, recordIn }
    return this.server(await this.start('serve/gateway.ts', 'measured', options, ['--expose-gc']))
  }

  /** Starts the limit: node:http with the bytes that `url` answers now. */
  async raw(url: string): Promise<Server> {
    return this.server(await this.start('peers/raw-http.ts', 'measured', { url }))
  }

  async load(server: Server, plan: Partial<LoadPlan> & { paths: string[] }): Promise<LoadReading> {
    this.loadProcess ??= await this.start('serve/load.ts', 'load', {})
    return this.loadProcess.ask<LoadReading>({
      port: server.port,
      gzip: false,
      connections: CONNECTIONS,
      ms: this.context.quick ? 200 : 1_500,
      perSecond: null,
      limit: null,
      ...plan
    } satisfies LoadPlan)
  }

  /** Lets a server write and compile what it does once, and drop what filling it left behind. */
  async warm(server: Server): Promise<void> {
    await this.load(server, { paths: this.pages, ms: WARM_UP_MAX_MS, limit: this.pages.length * 4 })
    await this.mark(server, 'collect')
    await this.load(server, { paths: this.pages })
  }

  /** Asks a server as fast as it answers, and reads its CPU time. */
  async saturate(server: Server, plan: Partial<LoadPlan> & { paths: string[] }): Promise<ServeReading> {
    const before = await this.mark(server)
    const load = await this.load(server, plan)
    const after = await this.mark(server)
    const micros = after.cpuMicros - before.cpuMicros
    return {
      microsPerRequest: micros / load.requests,
      cores: micros / 1_000 / (after.wallMs - before.wallMs),
      load
    }
  }

  async mark(server: Server, question: 'mark' | 'watch' | 'collect' = 'mark'): Promise<GatewayMark> {
    return server.process.ask<GatewayMark>({ question })
  }

  /** Lets `use` run while the stand-in sends updates to a gateway that has a feed; null a second: as many as it takes. */
  async underFeed<Result>(
    name: string,
    use: () => Promise<Result>,
    perSecond: number | null = UPDATES_PER_SECOND
  ): Promise<Result> {
    const { process } = await this.feed()
    await process.ask({ run: `/${name}`, limit: null, perSecond })
    try {
      return await use()
    } finally {
      await process.ask({ stop: `/${name}` })
      await sleep(50)
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((child) => child.stop()))
  }

  private async feed(): Promise<Server> {
    if (this.standIn === undefined) {
      const options: StandInOptions = {
        stream: 'kalshi-deltas',
        frames: this.context.quick ? 10_000 : 100_000,
        markets: this.markets
      }
      const child = await this.start('ingest/stand-in.ts', 'load', options)
      this.standIn = { process: child, port: await child.ask<number>({ port: true }) }
    }
    return this.standIn
  }

  private async server(child: BenchProcess): Promise<Server> {
    return { process: child, port: await child.ask<number>({ question: 'port' }) }
  }

  private async start(...given: Parameters<typeof BenchProcess.start>): Promise<BenchProcess> {
    const child = await BenchProcess.start(...given)
    this.processes.push(child)
    return child
  }
}

/** Runs `use` with the processes that it asks for, and ends them. */
export async function withWorld<Result>(
  context: BenchContext,
  use: (world: ServeWorld) => Promise<Result>,
  markets?: number
): Promise<Result> {
  const world = new ServeWorld(context, markets)
  try {
    return await use(world)
  } finally {
    await world.stop()
  }
}

/** Says on a terminal, and in a log, that a server was not the limit. */
export function warnUnlessSaturated(
  context: BenchContext,
  name: string,
  readings: readonly ServeReading[]
): void {
  const cores = readings.map((reading) => reading.cores)
  const least = Math.min(...cores)
  if (least < SATURATED) {
    context.progress('')
    console.error(`${name}: the server used ${least.toFixed(2)} of its core; CPU per request is what counts`)
  }
}

const SATURATED = 0.9
