import type { BenchContext, Figure } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import type { TicksOptions } from './ticks-worker.ts'

/** `process.nextTick` after full collections, with the shape of its objects kept and without: see `services/tick-shape.ts`. */
export async function ticks(context: BenchContext): Promise<Figure[]> {
  const start = (options: TicksOptions) =>
    BenchProcess.start('serve/ticks-worker.ts', 'measured', options, ['--expose-gc'])
  const processes = { kept: await start({ isKept: true }), lost: await start({ isKept: false }) }
  const names = ['kept', 'lost'] as const
  try {
    const readings = await interleave(
      context.rounds,
      names,
      (name) => processes[name].ask<number>({ question: 'ticks' }),
      (round) => context.progress(`ticks: round ${round + 1} of ${context.rounds}`)
    )
    const [kept, lost] = [median(readings.kept), median(readings.lost)]
    return [
      {
        bench: 'ticks',
        figure: kept,
        unit: 'ns CPU a nextTick after full collections',
        peer: 'without its shape kept',
        against: lost,
        ratio: kept / lost,
        target: TARGETS.ticks
      }
    ]
  } finally {
    await Promise.all(Object.values(processes).map((process) => process.stop()))
  }
}
