import type { BenchContext, Figure } from '../figure.ts'
import { median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { WATCHED_PERCENT } from './pipelines.ts'
import { runIngest } from './run.ts'

/** Kalshi's deltas, frame to book, against the loop that parses the same frames and throws them away. */
export async function decodeKalshi(context: BenchContext): Promise<Figure[]> {
  const { quick } = context
  const readings = await runIngest(
    {
      venue: 'kalshi',
      stream: 'kalshi-deltas',
      pipelines: ['reference', 'product', 'audited', 'generic', 'naive'],
      frames: quick ? 10_000 : 100_000,
      markets: quick ? 500 : 20_000,
      measureMs: quick ? 150 : 1_000,
      perSecond: null,
      checkFrames: quick ? 5_500 : 45_500
    },
    context
  )
  const micros = (pipeline: keyof typeof readings) =>
    median(readings[pipeline].map(({ microsPerFrame }) => microsPerFrame))
  const against = micros('reference')
  const figure = (name: string, pipeline: keyof typeof readings, target: Figure['target']): Figure => ({
    bench: 'decode-kalshi',
    figure: micros(pipeline),
    unit: `us CPU per delta, ${name}`,
    peer: 'ws + toString + JSON.parse, thrown away',
    against,
    ratio: against / micros(pipeline),
    target
  })
  return [
    figure('scanner', 'product', TARGETS.decodeKalshi),
    figure(`scanner, ${WATCHED_PERCENT} % of books watched for audits`, 'audited', TARGETS.decodeKalshi),
    figure('without the scanner', 'generic', TARGETS.decodeKalshiGeneric)
  ]
}
