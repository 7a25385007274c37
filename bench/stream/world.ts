import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import { median } from '../harness/rounds.ts'
import type { StandInOptions } from '../ingest/stand-in.ts'
import type { ClientsQuestion } from './clients.ts'
import type { Flush, StreamGatewayOptions, StreamMark } from './gateway.ts'
import type { ClientGroup, PoolReading } from './pool.ts'
import type { StampedVenueOptions, VenuePlan } from './venue.ts'

export interface StreamServer {
  /** Also what its clients and its feeds are called. */
  name: string
  kind: StreamGatewayOptions['kind']
  process: BenchProcess
  port: number
}

/** A stand-in for a venue. */
export interface Venue {
  process: BenchProcess
  url: string
}

/** What a gateway did and its clients read in the same stretch of time. */
export interface StreamReading extends PoolReading {
  seconds: number
  cpuMicros: number
  cores: number
  /** Longest turn of the event loop; 0 unless it was watched. */
  stallMs: number
  /** 0 unless it was watched. */
  residentPeakBytes: number
  /** Frames of venues applied. */
  applied: number
}

/** Share of the time: with more, the slowest hundredth of messages is the neighbours'. */
const STARVED = 0.01

/** The processes of a streaming bench: gateways on one core; venues and clients on the other. */
export class StreamWorld {
  readonly context: BenchContext
  private readonly processes: BenchProcess[] = []
  private clientsProcess: BenchProcess | undefined
  private readonly waited: number[] = []

  constructor(context: BenchContext) {
    this.context = context
  }

  /** Starts a venue whose frames say when they were sent. */
  async stampedVenue(options: StampedVenueOptions): Promise<Venue> {
    const child = await this.start('stream/venue.ts', 'load', options)
    return venueOf(child, await child.ask<number>({ port: true }))
  }

  /** Starts a venue that sends deltas of many markets, to keep a gateway busy. */
  async busyVenue(markets: number, frames: number): Promise<Venue> {
    const options: StandInOptions = { stream: 'kalshi-deltas', frames, markets }
    const child = await this.start('ingest/stand-in.ts', 'load', options)
    return venueOf(child, await child.ask<number>({ port: true }))
  }

  async gateway(
    name: string,
    kind: StreamServer['kind'],
    stamped: { markets: number; venue: Venue | null },
    busy: { markets: number; venue: Venue } | null = null,
    settings: Record<string, string> = {}
  ): Promise<StreamServer> {
    const options: StreamGatewayOptions = {
      kind,
      stamped: {
        markets: stamped.markets,
        url: stamped.venue === null ? null : `${stamped.venue.url}/${name}`
      },
      busy: busy === null ? null : { markets: busy.markets, url: `${busy.venue.url}/${name}` },
      settings
    }
    const child = await this.start('stream/gateway.ts', 'measured', options, ['--expose-gc'])
    return { name, kind, process: child, port: await child.ask<number>({ question: 'port' }) }
  }

  /** Connects clients and resolves when each has all that it asked for. */
  async connect({ name, port, kind }: StreamServer, groups: ClientGroup[]): Promise<void> {
    const path = kind === 'crossbook' ? '/v1/stream' : '/'
    await this.ask({ ask: 'connect', pool: name, port, path, groups })
  }

  /** Has a group of a gateway's clients read nothing, or go on. */
  async hold({ name }: StreamServer, group: number, isHeld: boolean): Promise<void> {
    await this.ask({ ask: 'hold', pool: name, group, isHeld })
  }

  async disconnect({ name }: StreamServer): Promise<void> {
    await this.ask({ ask: 'close', pool: name })
  }

  /** Lets some time pass and returns what happened in it. To watch turns and memory takes CPU time of its own. */
  async measure(server: StreamServer, ms: number, isWatched = false): Promise<StreamReading> {
    await this.ask({ ask: 'watch', pool: server.name })
    await server.process.ask({ question: 'flushes' })
    const before = await this.mark(server, isWatched ? 'watch' : 'mark')
    await sleep(ms)
    const after = await this.mark(server, isWatched ? 'unwatch' : 'mark')
    const flushes = await server.process.ask<Flush[]>({ question: 'flushes' })
    const read = await this.ask<PoolReading>({ ask: 'read', pool: server.name, flushes })
    const micros = after.cpuMicros - before.cpuMicros
    const wallMs = after.wallMs - before.wallMs
    this.waited.push((after.waitedMs - before.waitedMs) / wallMs)
    return {
      ...read,
      seconds: wallMs / 1_000,
      cpuMicros: micros,
      cores: micros / 1_000 / wallMs,
      stallMs: isWatched ? after.stallMs : 0,
      residentPeakBytes: after.residentPeakBytes,
      applied: after.applied - before.applied
    }
  }

  async mark(
    server: StreamServer,
    question: 'mark' | 'watch' | 'unwatch' | 'collect' = 'mark'
  ): Promise<StreamMark> {
    return server.process.ask<StreamMark>({ question })
  }

  /** Lets `use` run while a stamped venue sends to a gateway. */
  underVenue<Result>(
    venue: Venue,
    server: StreamServer,
    plans: VenuePlan[],
    use: () => Promise<Result>
  ): Promise<Result> {
    return whileSending(venue, server, { plans }, use)
  }

  /** Lets `use` run while a busy venue sends to a gateway. */
  underLoad<Result>(
    venue: Venue,
    server: StreamServer,
    perSecond: number,
    use: () => Promise<Result>
  ): Promise<Result> {
    return whileSending(venue, server, { limit: null, perSecond }, use)
  }

  /** Says on a terminal, and in a log, that others had the gateways' core. */
  warnIfStarved(): void {
    const share = this.waited.length === 0 ? 0 : median(this.waited)
    if (share < STARVED) return
    this.context.progress('')
    const percent = (share * 100).toFixed(1)
    console.error(
      `stream: gateways waited for their core ${percent} % of the time; latencies and stalls are not theirs`
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((child) => child.stop()))
  }

  private async ask<Answer>(question: ClientsQuestion): Promise<Answer> {
    this.clientsProcess ??= await this.start('stream/clients.ts', 'load', {})
    return this.clientsProcess.ask<Answer>(question)
  }

  private async start(...given: Parameters<typeof BenchProcess.start>): Promise<BenchProcess> {
    const child = await BenchProcess.start(...given)
    this.processes.push(child)
    return child
  }
}

/** Runs `use` with the processes that it asks for, and ends them. */
export async function withStreamWorld<Result>(
  context: BenchContext,
  use: (world: StreamWorld) => Promise<Result>
): Promise<Result> {
  const world = new StreamWorld(context)
  try {
    const result = await use(world)
    world.warnIfStarved()
    return result
  } finally {
    await world.stop()
  }
}

async function whileSending<Result>(
  { process }: Venue,
  { name }: StreamServer,
  what: object,
  use: () => Promise<Result>
): Promise<Result> {
  await process.ask({ run: `/${name}`, ...what })
  try {
    return await use()
  } finally {
    await process.ask({ stop: `/${name}` })
  }
}

function venueOf(child: BenchProcess, port: number): Venue {
  return { process: child, url: `ws://127.0.0.1:${port}` }
}
