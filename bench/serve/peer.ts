import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { withWorld } from './world.ts'

/** The same page from Express 5 with compression, which serializes objects made from the same books. */
export function peer(context: BenchContext): Promise<Figure[]> {
  return withWorld(context, async (world) => {
    const { pages } = world
    const warm = pages.slice(0, 1)
    const servers = { crossbook: await world.gateway('crossbook'), express: await world.gateway('express') }
    const names = ['crossbook', 'express'] as const
    const measure = async (name: (typeof names)[number]) => ({
      identity: await world.saturate(servers[name], { paths: pages }),
      gzip: await world.saturate(servers[name], { paths: warm, gzip: true })
    })
    context.progress('warming up')
    for (const name of names) await world.warm(servers[name])
    for (const name of names) await measure(name)
    const readings = await interleave(context.rounds, names, measure, (round) =>
      context.progress(`round ${round + 1} of ${context.rounds}`)
    )
    const figure = (coding: 'identity' | 'gzip', unit: string, target: Figure['target']): Figure => {
      const micros = (name: (typeof names)[number]) =>
        median(readings[name].map((reading) => reading[coding].microsPerRequest))
      return {
        bench: 'peer',
        figure: micros('crossbook'),
        unit: `us CPU per request, ${unit}`,
        peer: 'Express 5 + compression + JSON.stringify',
        against: micros('express'),
        ratio: micros('express') / micros('crossbook'),
        target
      }
    }
    return [
      figure('identity', 'random pages', TARGETS.peerIdentity),
      figure('gzip', 'a warm page, gzip', TARGETS.peerGzip)
    ]
  })
}
