import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { CONNECTIONS, UPDATES_PER_SECOND, withWorld } from './world.ts'

const REQUESTS_PER_SECOND = 1_000
/** More than are ever busy at once, so that none waits for a connection. */
const OPEN_CONNECTIONS = 64

/** How long the slowest hundredth of requests takes while updates come in, against the same server at rest. */
export function latency(context: BenchContext): Promise<Figure[]> {
  return withWorld(context, async (world) => {
    const { pages } = world
    const server = await world.gateway('crossbook', { hasFeed: true })
    const closed = () => world.load(server, { paths: pages })
    const open = () =>
      world.load(server, { paths: pages, connections: OPEN_CONNECTIONS, perSecond: REQUESTS_PER_SECOND })
    const cases = {
      idle: async () => ({ closed: await closed(), open: await open(), stallMs: 0 }),
      fed: () =>
        world.underFeed('crossbook', async () => {
          const whileClosed = await closed()
          await world.mark(server, 'watch')
          const whileOpen = await open()
          const { stallMs } = await world.mark(server)
          return { closed: whileClosed, open: whileOpen, stallMs }
        })
    }
    const names = ['idle', 'fed'] as const
    context.progress('warming up')
    await world.warm(server)
    for (const name of names) await cases[name]()
    const readings = await interleave(
      context.rounds,
      names,
      (name) => cases[name](),
      (round) => context.progress(`round ${round + 1} of ${context.rounds}`)
    )
    const figure = (loop: 'closed' | 'open', unit: string, target: Figure['target']): Figure => {
      const p99 = (name: (typeof names)[number]) =>
        median(readings[name].map((reading) => reading[loop].p99Ms))
      return {
        bench: 'latency',
        figure: p99('fed'),
        unit: `ms p99 at ${UPDATES_PER_SECOND} updates/s, ${unit}`,
        peer: 'the same without updates',
        against: p99('idle'),
        ratio: p99('fed') / p99('idle'),
        target
      }
    }
    const stallMs = median(readings.fed.map((reading) => reading.stallMs))
    const p99 = median(readings.fed.map((reading) => reading.open.p99Ms))
    return [
      figure('closed', `closed loop, ${CONNECTIONS} connections`, TARGETS.latencyClosed),
      figure('open', `open loop, ${REQUESTS_PER_SECOND} requests/s`, TARGETS.latencyOpen),
      {
        bench: 'latency',
        figure: stallMs,
        unit: `ms, longest turn of the event loop at ${UPDATES_PER_SECOND} updates/s and ${REQUESTS_PER_SECOND} requests/s`,
        peer: 'p99 of the requests meanwhile',
        against: p99,
        ratio: stallMs / p99,
        target: TARGETS.stall
      }
    ]
  })
}
