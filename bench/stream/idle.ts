import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { polymarketIds } from '../synthetic/polymarket.ts'
import { TARGETS } from '../targets.ts'
import { withStreamWorld } from './world.ts'

const MARKETS = 20

/** What a client that is there and has nothing to read takes of the gateway's memory, against a bare `ws` server. */
export async function idle(context: BenchContext): Promise<Figure[]> {
  const clients = context.quick ? 300 : 1_000
  const markets = Array.from({ length: MARKETS }, (_, i) => `polymarket:${polymarketIds(i).conditionId}`)
  const commands = [{ op: 'subscribe', id: 'tickers', channel: 'ticker', markets }]
  const measure = (kind: 'crossbook' | 'naive') =>
    withStreamWorld(context, async (world) => {
      const server = await world.gateway(kind, kind, { markets: MARKETS, venue: null })
      // What is made once for the first clients is none of the others'.
      await world.connect({ ...server, name: 'first' }, [{ clients: 50, commands, isTimed: false }])
      const before = await world.mark(server, 'collect')
      await world.connect(server, [{ clients, commands, isTimed: false }])
      const after = await world.mark(server, 'collect')
      return (after.heldBytes - before.heldBytes) / clients / 1_000
    })
  const rounds = context.quick ? 1 : Math.min(2, context.rounds)
  const readings = await interleave(rounds, ['crossbook', 'naive'] as const, measure, (round) =>
    context.progress(`idle: round ${round + 1} of ${rounds}`)
  )
  const [figure, against] = [median(readings.crossbook), median(readings.naive)]
  return [
    {
      bench: 'stream',
      figure,
      unit: `kB held for each of ${clients} idle clients with a subscription`,
      peer: 'naive: ws alone',
      against,
      ratio: figure / against,
      target: TARGETS.streamIdleClient
    }
  ]
}
