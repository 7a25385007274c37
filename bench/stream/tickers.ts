import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { polymarketIds } from '../synthetic/polymarket.ts'
import { TARGETS } from '../targets.ts'
import { type StreamReading, withStreamWorld } from './world.ts'

const MARKETS = 20
/** Each market changes twice a second, so that it has a ticker every second. */
const CHANGES_PER_SECOND = MARKETS * 2
/** Each market had its first ticker. */
const SETTLE_MS = 1_200

/** The same tickers to all clients once a second, against one `send` for each change and client. */
export function tickers(context: BenchContext): Promise<Figure[]> {
  const clients = context.quick ? 300 : 1_000
  const ms = context.quick ? 1_500 : 3_000
  return withStreamWorld(context, async (world) => {
    const venue = await world.stampedVenue({ markets: MARKETS })
    const stamped = { markets: MARKETS, venue }
    const servers = {
      crossbook: await world.gateway('crossbook', 'crossbook', stamped),
      naive: await world.gateway('naive', 'naive', stamped)
    }
    const markets = Array.from({ length: MARKETS }, (_, i) => `polymarket:${polymarketIds(i).conditionId}`)
    const commands = [{ op: 'subscribe', id: 'tickers', channel: 'ticker', markets }]
    const names = ['crossbook', 'naive'] as const
    for (const name of names) {
      context.progress(`tickers: connecting ${clients} clients to ${name}`)
      await world.connect(servers[name], [{ clients, commands, isTimed: true }])
    }
    await servers.crossbook.process.ask({ question: 'note flushes' })
    const plan = { markets: MARKETS, perSecond: CHANGES_PER_SECOND, everyMs: 50, isTopOnly: true }
    const measure = (name: (typeof names)[number]) =>
      world.underVenue(venue, servers[name], [plan], async () => {
        await sleep(SETTLE_MS)
        const reading = await world.measure(servers[name], ms)
        const { stallMs } = await world.measure(servers[name], ms / 2, true)
        return { ...reading, stallMs }
      })
    context.progress('tickers: warming up')
    for (const name of names) await measure(name)
    const readings = await interleave(context.rounds, names, measure, (round) =>
      context.progress(`tickers: round ${round + 1} of ${context.rounds}`)
    )
    const of = (name: (typeof names)[number], value: (reading: StreamReading) => number) =>
      median(readings[name].map(value))
    const figure = (
      unit: string,
      value: (reading: StreamReading) => number,
      target: Figure['target']
    ): Figure => {
      const [own, against] = [of('crossbook', value), of('naive', value)]
      const peer = 'naive: JSON.stringify and send for each change and client'
      return { bench: 'stream', figure: own, unit, peer, against, ratio: own / against, target }
    }
    const what = `${clients} clients x ${MARKETS} tickers at 1 Hz`
    return [
      figure(
        `us CPU per ticker and client, ${what}`,
        (reading) => reading.cpuMicros / reading.tickers,
        TARGETS.streamTickerCpu
      ),
      figure(`ms, longest turn of the event loop, ${what}`, ({ stallMs }) => stallMs, TARGETS.streamStall),
      figure(`ms p99 from flush to client, ${what}`, ({ flush }) => flush.p99Ms, TARGETS.streamFlush)
    ]
  })
}
