import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { withStreamWorld } from './world.ts'

const MARKETS = 500
const READERS = 40
const STALLED = 20
/** About 3 MB a second to each client. */
const CHANGES_PER_SECOND = 8_000
const BURST_EVERY_MS = 10
/** The ring is full before the clients stall, so that it does not count as their growth. */
const RING_MB = '4'
/** The most that the setting takes: never reached. */
const NO_GUARD = '1000000000'
const MEGABYTE = 1e6
const CATCH_UP_MS = 2_000
const READING = 0
const HELD = 1

interface StalledReading {
  megabytes: number
  /** Megabytes a second to each client that reads. */
  offered: number
}

/** How much a gateway grows while a third of its clients read nothing, against the same gateway without the guard. */
export function stalled(context: BenchContext): Promise<Figure[]> {
  const stallMs = context.quick ? 5_000 : 20_000
  const settings = {
    guarded: { STREAM_RING_MB: RING_MB },
    unguarded: { STREAM_RING_MB: RING_MB, STREAM_CLIENT_BUFFER_MAX: NO_GUARD }
  }
  const measure = (name: keyof typeof settings): Promise<StalledReading> =>
    withStreamWorld(context, async (world) => {
      const venue = await world.stampedVenue({ markets: MARKETS })
      const server = await world.gateway(name, 'crossbook', { markets: MARKETS, venue }, null, settings[name])
      const commands = [{ op: 'subscribe', id: 'books', channel: 'book', venue: 'polymarket' }]
      const plan = {
        markets: MARKETS,
        perSecond: CHANGES_PER_SECOND,
        everyMs: BURST_EVERY_MS,
        isTopOnly: false
      }
      await world.connect(server, [
        { clients: READERS, commands, isTimed: false },
        { clients: STALLED, commands, isTimed: false }
      ])
      return world.underVenue(venue, server, [plan], async () => {
        await sleep(stallMs / 4)
        const before = await world.mark(server, 'collect')
        await world.hold(server, HELD, true)
        const during = await world.measure(server, stallMs, true)
        const after = await world.mark(server, 'collect')
        await world.hold(server, HELD, false)
        const { lags } = await world.measure(server, CATCH_UP_MS)
        if (during.lags > 0) throw new Error('a client that read all the time was told of a lag')
        if (name === 'guarded' && lags === 0)
          throw new Error('no client that stalled was told of a lag when it went on')
        return {
          // What a process was given once and has free is used before it grows: then what it holds tells more.
          megabytes:
            Math.max(during.residentPeakBytes - before.residentBytes, after.heldBytes - before.heldBytes) /
            MEGABYTE,
          offered: (during.groupBytes[READING] as number) / READERS / during.seconds / MEGABYTE
        }
      })
    })
  return collectFigures(context, stallMs, measure)
}

async function collectFigures(
  context: BenchContext,
  stallMs: number,
  measure: (name: 'guarded' | 'unguarded') => Promise<StalledReading>
): Promise<Figure[]> {
  // Each takes a process of its own and as long as the stall.
  const rounds = context.quick ? 1 : Math.min(2, context.rounds)
  const readings = await interleave(rounds, ['guarded', 'unguarded'] as const, measure, (round) =>
    context.progress(`stalled: round ${round + 1} of ${rounds}`)
  )
  const of = (name: 'guarded' | 'unguarded') => median(readings[name].map(({ megabytes }) => megabytes))
  const offered = median(readings.guarded.map((reading) => reading.offered))
  const [guarded, unguarded] = [of('guarded'), of('unguarded')]
  const figure = (unit: string, target: Figure['target']): Figure => ({
    bench: 'stream',
    figure: guarded,
    unit,
    peer: 'the same, STREAM_CLIENT_BUFFER_MAX out of reach',
    against: unguarded,
    ratio: guarded / unguarded,
    target
  })
  const what = `${STALLED} of ${READERS + STALLED} clients stalled for ${stallMs / 1_000} s at ${offered.toFixed(1)} MB/s`
  return [
    figure(`MB grown, resident or held, ${what}`, TARGETS.streamStalledGrowth),
    figure(`MB grown, ${what}, against no guard`, TARGETS.streamStalledAgainstNone)
  ]
}
