import type { BenchContext, Figure } from '../figure.ts'
import { idle } from './idle.ts'
import { live, oneSlow } from './live.ts'
import { stalled } from './stalled.ts'
import { tickers } from './tickers.ts'

/** Everything that streaming to many clients promises; scene by scene, each in processes of its own. */
export async function stream(context: BenchContext): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const scene of [tickers, live, oneSlow, stalled, idle]) figures.push(...(await scene(context)))
  return figures
}
