import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { UPDATES_PER_SECOND, withWorld } from './world.ts'

/** Random pages while 20,000 updates a second are read in the same process; their CPU time is in each request's. */
export function mixed(context: BenchContext): Promise<Figure[]> {
  return withWorld(context, async (world) => {
    const { pages } = world
    const crossbook = await world.gateway('crossbook', { hasFeed: true })
    const express = await world.gateway('express', { hasFeed: true })
    const raw = await world.raw(`http://127.0.0.1:${crossbook.port}${pages[0]}`)
    const cases = {
      raw: () => world.saturate(raw, { paths: pages }),
      crossbook: () => world.underFeed('crossbook', () => world.saturate(crossbook, { paths: pages })),
      express: () => world.underFeed('express', () => world.saturate(express, { paths: pages }))
    }
    const names = ['raw', 'crossbook', 'express'] as const
    context.progress('warming up')
    for (const server of [crossbook, express]) await world.warm(server)
    for (const name of names) await cases[name]()
    const readings = await interleave(
      context.rounds,
      names,
      (name) => cases[name](),
      (round) => context.progress(`round ${round + 1} of ${context.rounds}`)
    )
    const micros = (name: (typeof names)[number]) =>
      median(readings[name].map(({ microsPerRequest }) => microsPerRequest))
    const figure = (
      against: 'raw' | 'express',
      peer: string,
      ratio: number,
      target: Figure['target']
    ): Figure => ({
      bench: 'mixed',
      figure: micros('crossbook'),
      unit: `us CPU per request, random pages at ${UPDATES_PER_SECOND} updates/s`,
      peer,
      against: micros(against),
      ratio,
      target
    })
    return [
      figure(
        'raw',
        'node:http, static Buffer, no updates',
        micros('raw') / micros('crossbook'),
        TARGETS.mixedRaw
      ),
      figure(
        'express',
        'Express 5 under the same updates',
        micros('express') / micros('crossbook'),
        TARGETS.mixedPeer
      )
    ]
  })
}
