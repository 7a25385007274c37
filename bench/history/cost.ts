import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import type { GatewayMark } from '../serve/gateway.ts'
import { type Server, type ServeWorld, UPDATES_PER_SECOND, withWorld } from '../serve/world.ts'
import { TARGETS } from '../targets.ts'
import { type BenchEngines, ENGINE_TITLES, type EngineName } from './engines.ts'

type Case = 'off' | EngineName

const REQUESTS_PER_SECOND = 1_000
const OPEN_CONNECTIONS = 64
/** Updates while readers ask. */
const QUIET_PER_SECOND = 2_000
/** Each has three servers in turn, and what one has left to write must not disturb the next. */
const ROUNDS_MAX = 3
const IDLE_CORES = 0.15
const IDLE_LOOK_MS = 200
const IDLE_LIMIT_MS = 8_000

interface CostReading {
  p99Ms: number
  /** Frames read a second, offered as many as on a busy day. */
  busyPerSecond: number
  /** Rows and records that recording gave up then. */
  busyLost: number
  /** Share of a core then, all threads; PostgreSQL's own processes are not among them. */
  busyCores: number
  /** Offered as many as it takes: then the journal is told to lose what it cannot hold, and says so. */
  fullPerSecond: number
}

/** What recording costs those who read, and those who send: the same gateway with it and without, in turns. */
export function costFigures(engines: BenchEngines, context: BenchContext): Promise<Figure[]> {
  const { quick, progress } = context
  const rounds = Math.min(context.rounds, ROUNDS_MAX)
  const cases: Case[] = ['off', ...engines.names]
  const ms = quick ? 400 : 1_500
  const measured = async (world: ServeWorld) => {
    const servers = new Map<Case, Server>()
    for (const which of cases) {
      const recordIn = which === 'off' ? null : await engines.place(which)
      servers.set(which, await world.gateway('crossbook', { hasFeed: true, name: which, recordIn }))
    }
    const measure = async (which: Case): Promise<CostReading> => {
      const server = servers.get(which) as Server
      const p99Ms = await world.underFeed(which, () => readers(world, server), QUIET_PER_SECOND)
      const busy = await world.underFeed(which, () => frames(world, server, ms))
      const full = await world.underFeed(which, () => frames(world, server, ms), null)
      await idle(world, server)
      return {
        p99Ms,
        busyPerSecond: busy.perSecond,
        busyLost: busy.lost,
        busyCores: busy.cores,
        fullPerSecond: full.perSecond
      }
    }
    for (const which of cases) {
      const server = servers.get(which) as Server
      await world.warm(server)
      await idle(world, server)
      await measure(which)
    }
    const readings = await interleave(rounds, cases, measure, (round) =>
      progress(`with and without recording, round ${round + 1} of ${rounds}`)
    )
    const of = (which: Case, what: keyof CostReading) =>
      median(readings[which].map((reading) => reading[what]))
    const figure = (engine: EngineName, what: keyof CostReading, unit: string, target: Figure['target']) => ({
      bench: 'history',
      figure: of(engine, what),
      unit: `${unit}, recorded in ${ENGINE_TITLES[engine]}`,
      peer: 'without recording',
      against: of('off', what),
      ratio: of(engine, what) / of('off', what),
      target
    })
    return engines.names.flatMap((engine) => [
      figure(
        engine,
        'busyPerSecond',
        `frames/s read of ${UPDATES_PER_SECOND} sent, ${of(engine, 'busyLost')} rows and records lost`,
        TARGETS.historyIngest
      ),
      figure(engine, 'busyCores', `cores at ${UPDATES_PER_SECOND} updates/s`, TARGETS.historyBusyCores),
      figure(engine, 'fullPerSecond', 'frames/s at full speed', TARGETS.historyIngestFull),
      figure(
        engine,
        'p99Ms',
        `ms p99 of ${REQUESTS_PER_SECOND} requests/s at ${QUIET_PER_SECOND} updates/s`,
        TARGETS.historyP99
      )
    ])
  }
  return withWorld(context, measured, quick ? 2_000 : 5_000)
}

async function readers(world: ServeWorld, server: Server): Promise<number> {
  const { p99Ms } = await world.load(server, {
    paths: world.pages,
    connections: OPEN_CONNECTIONS,
    perSecond: REQUESTS_PER_SECOND
  })
  return p99Ms
}

async function frames(
  world: ServeWorld,
  server: Server,
  ms: number
): Promise<{ perSecond: number; cores: number; lost: number }> {
  const before = await world.mark(server)
  await sleep(ms)
  const after = await world.mark(server)
  const tookMs = after.wallMs - before.wallMs
  return {
    perSecond: ((after.applied - before.applied) * 1_000) / tookMs,
    cores: coresOf(before, after),
    lost: lostOf(after) - lostOf(before)
  }
}

function lostOf({ recorded: { lostRows, lostRecords } }: GatewayMark): number {
  return lostRows + lostRecords
}

/** Resolves once a gateway has written what waited, so that it does not disturb the next one. */
async function idle(world: ServeWorld, server: Server): Promise<void> {
  const giveUpAt = performance.now() + IDLE_LIMIT_MS
  let before = await world.mark(server)
  for (;;) {
    await sleep(IDLE_LOOK_MS)
    const now = await world.mark(server)
    if (coresOf(before, now) < IDLE_CORES || performance.now() > giveUpAt) return
    before = now
  }
}

function coresOf(before: GatewayMark, after: GatewayMark): number {
  return (after.cpuMicros - before.cpuMicros) / 1_000 / (after.wallMs - before.wallMs)
}
