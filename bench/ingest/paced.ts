import type { BenchContext, Figure } from '../figure.ts'
import { median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { runIngest } from './run.ts'

const UPDATES_PER_SECOND = 20_000

/** What a core has left at a rate that a busy day brings, with books for every market of the venue. */
export async function paced(context: BenchContext): Promise<Figure[]> {
  const { quick } = context
  const markets = quick ? 2_000 : 100_000
  const { product, naive } = await runIngest(
    {
      venue: 'kalshi',
      stream: 'kalshi-deltas',
      pipelines: ['product', 'naive'],
      frames: quick ? 10_000 : 100_000,
      markets,
      measureMs: quick ? 400 : 3_000,
      perSecond: UPDATES_PER_SECOND,
      checkFrames: quick ? 5_500 : 45_500
    },
    context
  )
  const figure = median(product.map(({ cores }) => cores))
  const against = median(naive.map(({ cores }) => cores))
  return [
    {
      bench: 'paced',
      figure,
      unit: `cores at ${UPDATES_PER_SECOND} deltas/s, ${markets} markets`,
      peer: 'naive: JSON.parse into Maps',
      against,
      ratio: figure / against,
      target: TARGETS.paced
    }
  ]
}
