import type { BenchContext, Figure } from '../figure.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { type Server, withWorld } from './world.ts'

const MEGABYTE = 1e6

/** Every market at depth 10 as lines, against the same markets in one JSON body. */
export function ndjson(context: BenchContext): Promise<Figure[]> {
  return withWorld(context, async (world) => {
    const crossbook = await world.gateway('crossbook')
    const express = await world.gateway('express')
    const whole = async (server: Server, path: string) => {
      await world.mark(server, 'collect')
      const before = await world.mark(server, 'watch')
      const load = await world.load(server, { paths: [path], connections: 1, ms: 120_000, limit: 1 })
      const after = await world.mark(server)
      return {
        seconds: load.wallMs / 1_000,
        megabytes: (Math.max(after.residentPeakBytes, after.residentBytes) - before.residentBytes) / MEGABYTE,
        stallMs: after.stallMs
      }
    }
    const cases = {
      lines: () => whole(crossbook, '/v1/markets.ndjson'),
      body: () => whole(express, '/v1/markets.json')
    }
    context.progress('warming up')
    await cases.lines()
    const readings = await interleave(
      context.rounds,
      ['lines', 'body'],
      (name: keyof typeof cases) => cases[name](),
      (round) => context.progress(`round ${round + 1} of ${context.rounds}`)
    )
    const figure = (
      what: 'seconds' | 'megabytes' | 'stallMs',
      unit: string,
      target: Figure['target']
    ): Figure => {
      const value = median(readings.lines.map((reading) => reading[what]))
      // The heap that one body leaves behind serves the next: only the first shows what it takes.
      const bodies = readings.body.map((reading) => reading[what])
      const against = what === 'megabytes' ? (bodies[0] as number) : median(bodies)
      const peer = 'one JSON body from Express 5'
      return { bench: 'ndjson', figure: value, unit, peer, against, ratio: value / against, target }
    }
    const growth = 'MB resident growth'
    return [
      figure('seconds', `s for ${world.markets} markets`, TARGETS.ndjsonTime),
      figure('megabytes', growth, TARGETS.ndjsonGrowth),
      figure('megabytes', `${growth}, against one body`, TARGETS.ndjsonAgainstBody),
      figure('stallMs', 'ms, longest turn of the event loop', TARGETS.ndjsonStall)
    ]
  })
}
