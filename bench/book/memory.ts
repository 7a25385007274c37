import type { BenchContext, Figure } from '../figure.ts'
import { median } from '../harness/rounds.ts'
import { withWorld } from '../serve/world.ts'
import { TARGETS } from '../targets.ts'
import { withStructures } from './run.ts'
import type { Memory } from './structure.ts'

const MEGABYTE = 1e6

/** What books take, and the whole service with every page of them read once, against Maps and objects. */
export async function memory(context: BenchContext): Promise<Figure[]> {
  const books: { arena: Memory; map: Memory }[] = []
  const rounds = context.quick ? 1 : Math.min(context.rounds, 3)
  for (let round = 0; round < rounds; round++) {
    books.push(
      await withStructures(context, async ({ arena, map }) => ({
        arena: await arena.ask<Memory>({ question: 'memory' }),
        map: await map.ask<Memory>({ question: 'memory' })
      }))
    )
  }
  const perMarket = (what: keyof Memory, unit: string, target: Figure['target']): Figure => {
    const figure = median(books.map(({ arena }) => arena[what]))
    const against = median(books.map(({ map }) => map[what]))
    return {
      bench: 'memory',
      figure,
      unit: `bytes a market, ${unit}`,
      peer: 'Map<price, size> a side',
      against,
      ratio: figure / against,
      target
    }
  }
  return [
    perMarket('residentBytes', 'books resident', TARGETS.memoryPerMarket),
    perMarket('heapBytes', 'books in the JavaScript heap', TARGETS.heapPerMarket),
    await wholeService(context)
  ]
}

function wholeService(context: BenchContext): Promise<Figure> {
  return withWorld(context, async (world) => {
    const resident = async (kind: 'crossbook' | 'express') => {
      const server = await world.gateway(kind, { isMixed: true })
      // Nearly every page, so nearly every fragment is written.
      await world.warm(server)
      await world.mark(server, 'collect')
      return (await world.mark(server)).residentBytes / MEGABYTE
    }
    const figure = await resident('crossbook')
    const against = await resident('express')
    return {
      bench: 'memory',
      figure,
      unit: `MB resident, the whole service with ${world.markets} markets`,
      peer: 'Express 5 over the same store',
      against,
      ratio: figure / against,
      target: TARGETS.memoryWhole
    }
  })
}
