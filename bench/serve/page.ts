import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { type ServeReading, warnUnlessSaturated, withWorld } from './world.ts'

/** A page of 50 markets at depth 10 against node:http that answers with the same bytes and does nothing else. */
export function page(context: BenchContext): Promise<Figure[]> {
  return withWorld(context, async (world) => {
    const { pages } = world
    const crossbook = await world.gateway('crossbook')
    const [first = ''] = pages
    const raw = await world.raw(`http://127.0.0.1:${crossbook.port}${first}`)
    const cases = {
      raw: () => world.saturate(raw, { paths: [first] }),
      again: () => world.saturate(crossbook, { paths: [first] }),
      random: () => world.saturate(crossbook, { paths: pages })
    }
    const names = ['raw', 'again', 'random'] as const
    context.progress('warming up')
    await world.warm(crossbook)
    for (const name of names) await cases[name]()
    const readings = await interleave(
      context.rounds,
      names,
      (name) => cases[name](),
      (round) => context.progress(`round ${round + 1} of ${context.rounds}`)
    )
    for (const name of names) warnUnlessSaturated(context, `page, ${name}`, readings[name])
    const micros = (found: ServeReading[]) => median(found.map(({ microsPerRequest }) => microsPerRequest))
    const against = micros(readings.raw)
    const figure = (which: 'again' | 'random', unit: string, target: Figure['target']): Figure => ({
      bench: 'page',
      figure: micros(readings[which]),
      unit: `us CPU per request, ${unit}`,
      peer: 'node:http, static Buffer',
      against,
      ratio: against / micros(readings[which]),
      target
    })
    return [
      figure('again', 'the same page again', TARGETS.pageAgain),
      figure('random', 'random pages', TARGETS.pageRandom)
    ]
  })
}
