import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { withStructures } from './run.ts'
import type { Structure, Timed } from './structure.ts'

const STRUCTURES = ['arena', 'map'] as const satisfies Structure[]

/** One change of a book, and the best ten levels of a side, against a Map that is sorted when it is read. */
export function book(context: BenchContext): Promise<Figure[]> {
  return withStructures(context, async (processes) => {
    const measure = async (structure: Structure) => {
      const update = await processes[structure].ask<Timed>({
        question: 'update',
        turns: context.quick ? 2 : 5
      })
      const top = await processes[structure].ask<Timed>({ question: 'top', turns: 1 })
      return { update, top }
    }
    for (const structure of STRUCTURES) await measure(structure)
    const readings = await interleave(context.rounds, STRUCTURES, measure, (round) =>
      context.progress(`round ${round + 1} of ${context.rounds}`)
    )
    const figure = (what: 'update' | 'top', unit: string, target: Figure['target']): Figure => {
      const nanos = (structure: Structure) =>
        median(readings[structure].map((timed) => timed[what].nanosEach))
      assertSame(
        readings.arena.map((timed) => timed[what].checksum),
        readings.map.map((timed) => timed[what].checksum)
      )
      const peer = 'Map<price, size>, sorted when read'
      const [value, against] = [nanos('arena'), nanos('map')]
      return { bench: 'book', figure: value, unit, peer, against, ratio: value / against, target }
    }
    return [
      figure('update', 'ns CPU per change of a level', TARGETS.bookUpdate),
      figure('top', 'ns CPU per top-10 of a side', TARGETS.bookTop)
    ]
  })
}

function assertSame(ours: number[], theirs: number[]): void {
  const [sum] = ours
  if (sum === undefined || [...ours, ...theirs].some((other) => Math.abs(other - sum) > Math.abs(sum) * 1e-9))
    throw new Error(`the structures hold different books: ${ours} and ${theirs}`)
}
