import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { kalshiTicker } from '../synthetic/kalshi.ts'
import { polymarketIds } from '../synthetic/polymarket.ts'
import { TARGETS } from '../targets.ts'
import type { ClientGroup } from './pool.ts'
import {
  type StreamReading,
  type StreamServer,
  type StreamWorld,
  type Venue,
  withStreamWorld
} from './world.ts'

/** Markets with full books, and changes of them a second, each stamped with its time. */
const BOOKS = 50
const BOOK_PLAN = { markets: BOOKS, perSecond: 350, everyMs: 1, isTopOnly: false }
/** Markets with tickers; the best level of each changes once a second. */
const TICKERS = 1_000
const TICKER_PLAN = { markets: TICKERS, perSecond: TICKERS, everyMs: 1, isTopOnly: true }
const TICKERS_A_CLIENT = TICKERS / BOOKS
/** Updates a second of all markets. */
const UPDATES = 20_000
const BUSY_FRAMES = 100_000
/** Between two measures, and before one: what was begun is over, and what is to stall has stalled. */
const SETTLE_MS = 1_000
const STALL_MS = 4_000
const SLOW = BOOKS
/** Share of the messages due that must come: some are conflated where the machine is busy, and rounds have edges. */
const MOST = 0.7

type Reader = (reading: StreamReading) => number

/** A gateway that is as busy as on a busy day, with clients that each take 20 of 1,000 tickers and one of 50 full books. */
class LiveWorld {
  readonly clients: number
  private readonly world: StreamWorld
  private readonly stamped: { markets: number; venue: Venue }
  private readonly busy: { markets: number; venue: Venue }

  private constructor(world: StreamWorld, stamped: Venue, busy: { markets: number; venue: Venue }) {
    this.clients = world.context.quick ? 300 : 1_000
    this.world = world
    this.stamped = { markets: TICKERS, venue: stamped }
    this.busy = busy
  }

  static async start(world: StreamWorld): Promise<LiveWorld> {
    const { quick } = world.context
    const markets = quick ? 2_000 : 20_000
    const stamped = await world.stampedVenue({ markets: TICKERS })
    const busy = await world.busyVenue(markets, BUSY_FRAMES)
    return new LiveWorld(world, stamped, { markets, venue: busy })
  }

  /** Starts a gateway with its clients; with a slow one, that takes far more and reads it or not. */
  async gateway(kind: StreamServer['kind'], hasSlow: boolean): Promise<StreamServer> {
    const { world, stamped, busy, clients } = this
    const name = hasSlow ? 'slow' : kind
    world.context.progress(`live: connecting ${clients} clients to ${kind}`)
    const server = await world.gateway(name, kind, stamped, busy)
    const groups = Array.from({ length: BOOKS }, (_, i) => groupOf(i, clients / BOOKS))
    await world.connect(server, hasSlow ? [...groups, SLOW_GROUP] : groups)
    return server
  }

  measure(server: StreamServer, afterMs: number): Promise<StreamReading> {
    const { world, stamped, busy } = this
    const ms = world.context.quick ? 1_500 : 4_000
    return world.underLoad(busy.venue, server, UPDATES - BOOK_PLAN.perSecond - TICKER_PLAN.perSecond, () =>
      world.underVenue(stamped.venue, server, [BOOK_PLAN, TICKER_PLAN], async () => {
        await sleep(world.context.quick ? afterMs / 2 : afterMs)
        return world.measure(server, ms)
      })
    )
  }
}

/** The clients of one book; each takes a share of the tickers besides. */
function groupOf(index: number, clients: number): ClientGroup {
  const first = index * TICKERS_A_CLIENT
  const markets = Array.from({ length: TICKERS_A_CLIENT }, (_, i) => idOf(first + i))
  const commands = [
    { op: 'subscribe', id: 'book', channel: 'book', markets: [idOf(index)] },
    { op: 'subscribe', id: 'tickers', channel: 'ticker', markets }
  ]
  return { clients, commands, isTimed: true }
}

const idOf = (index: number) => `polymarket:${polymarketIds(index).conditionId}`

/** One client with the full books of the busiest thousand markets: about 3 MB a second. */
const SLOW_GROUP: ClientGroup = {
  clients: 1,
  commands: [
    {
      op: 'subscribe',
      id: 'books',
      channel: 'book',
      markets: Array.from({ length: TICKERS }, (_, i) => `kalshi:${kalshiTicker(i)}`)
    }
  ],
  isTimed: false
}

/** How fast, how much and for how much work a busy gateway tells its clients, against the naive peer. */
export function live(context: BenchContext): Promise<Figure[]> {
  return withStreamWorld(context, async (world) => {
    const scene = await LiveWorld.start(world)
    const servers = {
      crossbook: await scene.gateway('crossbook', false),
      naive: await scene.gateway('naive', false)
    }
    const names = ['crossbook', 'naive'] as const
    const measure = (name: (typeof names)[number]) => scene.measure(servers[name], SETTLE_MS)
    context.progress('live: warming up')
    for (const name of names) await measure(name)
    const readings = await interleave(context.rounds, names, measure, (round) =>
      context.progress(`live: round ${round + 1} of ${context.rounds}`)
    )
    for (const reading of readings.crossbook) assertAllCame(reading, scene.clients)
    const of = (name: (typeof names)[number], value: Reader) => median(readings[name].map(value))
    const updates = Math.round(of('crossbook', ({ applied, seconds }) => applied / seconds) / 100) * 100
    const what = `${scene.clients} clients, ${updates} updates/s`
    const figure = (unit: string, value: Reader, target: Figure['target']): Figure => {
      const [own, against] = [of('crossbook', value), of('naive', value)]
      const peer = 'naive: JSON.stringify and send of change and ticker, for each change and client'
      return { bench: 'stream', figure: own, unit, peer, against, ratio: own / against, target }
    }
    return [
      figure(
        `ms p50 from venue frame to client, ${what}`,
        (reading) => reading.live.p50Ms,
        TARGETS.streamLiveP50
      ),
      figure(
        `ms p99 from venue frame to client, ${what}`,
        (reading) => reading.live.p99Ms,
        TARGETS.streamLiveP99
      ),
      figure(`cores, ${what}`, (reading) => reading.cores, TARGETS.streamCores),
      figure(
        `frames/s to all clients, ${what}`,
        ({ frames, seconds }) => frames / seconds,
        TARGETS.streamFrames
      ),
      figure(
        `bytes/s to a client, ${what}`,
        ({ bytes, seconds }) => bytes / seconds / scene.clients,
        TARGETS.streamBytes
      )
    ]
  })
}

/** A bench of what never came would be a fast one. */
function assertAllCame({ live, tickers, seconds }: StreamReading, clients: number): void {
  // The best levels of these books change with the others'.
  const changes = ((BOOK_PLAN.perSecond + BOOKS) / BOOKS) * clients * seconds
  const due = TICKERS_A_CLIENT * clients * seconds
  if (live.count < changes * MOST || tickers < due * MOST)
    throw new Error(`${live.count} of ${changes} changes and ${tickers} of ${due} tickers came`)
}

/** What one client that reads nothing does to the others, against the same client reading. */
export function oneSlow(context: BenchContext): Promise<Figure[]> {
  return withStreamWorld(context, async (world) => {
    const scene = await LiveWorld.start(world)
    const server = await scene.gateway('crossbook', true)
    const names = ['reading', 'stalled'] as const
    const measure = async (name: (typeof names)[number]) => {
      // A full collection shares the gateway's one core for a fifth of a second: it must not fall to one of the two by chance.
      await world.mark(server, 'collect')
      await world.hold(server, SLOW, name === 'stalled')
      const reading = await scene.measure(server, STALL_MS)
      await world.hold(server, SLOW, false)
      return reading
    }
    context.progress('one slow client: warming up')
    if (!context.quick) for (const name of names) await measure(name)
    const readings = await interleave(context.rounds, names, measure, (round) =>
      context.progress(`one slow client: round ${round + 1} of ${context.rounds}`)
    )
    const p99 = (name: (typeof names)[number]) => median(readings[name].map(({ live }) => live.p99Ms))
    if (readings.stalled.at(-1)?.lags === 0) throw new Error('the slow client was never behind')
    return [
      {
        bench: 'stream',
        figure: p99('stalled'),
        unit: `ms p99 of ${scene.clients} clients while one more reads nothing of what it asked for`,
        peer: 'while it reads',
        against: p99('reading'),
        ratio: p99('stalled') / p99('reading'),
        target: TARGETS.streamOneSlow
      }
    ]
  })
}
