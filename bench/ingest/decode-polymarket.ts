import type { BenchContext, Figure } from '../figure.ts'
import { median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { runIngest } from './run.ts'
import type { StreamName } from './stand-in.ts'

/** Polymarket's two hot messages, frame to book, against the loop that parses them and throws them away. */
export async function decodePolymarket(context: BenchContext): Promise<Figure[]> {
  const { quick } = context
  const measured = async (stream: StreamName, frames: number, markets: number) => {
    const plan = {
      venue: 'polymarket',
      stream,
      pipelines: ['reference', 'product', 'naive'],
      frames,
      markets,
      measureMs: quick ? 150 : 1_000,
      perSecond: null,
      checkFrames: Math.round(frames * 0.6)
    } as const
    const progress = (text: string) => context.progress(`${stream}, ${text}`)
    const { reference, product } = await runIngest(plan, { ...context, progress })
    return {
      reference: median(reference.map(({ microsPerFrame }) => microsPerFrame)),
      product: median(product.map(({ microsPerFrame }) => microsPerFrame))
    }
  }
  const figure = (
    message: string,
    { reference, product }: Awaited<ReturnType<typeof measured>>,
    target: Figure['target']
  ): Figure => ({
    bench: 'decode-polymarket',
    figure: product,
    unit: `us CPU per ${message}`,
    peer: 'ws + toString + JSON.parse, thrown away',
    against: reference,
    ratio: reference / product,
    target
  })
  const books = await measured('polymarket-books', quick ? 400 : 4_000, quick ? 100 : 1_000)
  const changes = await measured('polymarket-changes', quick ? 10_000 : 50_000, quick ? 500 : 10_000)
  return [
    figure('book', books, TARGETS.decodePolymarketBook),
    figure('price_change', changes, TARGETS.decodePolymarketChange)
  ]
}
