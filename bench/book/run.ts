import type { BenchContext } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import type { Structure, StructureOptions } from './structure.ts'

/** Runs `use` with one process for each structure, the same books in both, and ends them. */
export async function withStructures<Result>(
  { quick, progress }: BenchContext,
  use: (
    processes: Record<Structure, BenchProcess>,
    options: Omit<StructureOptions, 'structure'>
  ) => Promise<Result>
): Promise<Result> {
  progress('filling books')
  const options = { markets: quick ? 5_000 : 100_000, changes: quick ? 20_000 : 200_000 }
  const start = (structure: Structure) =>
    BenchProcess.start('book/structure.ts', 'measured', { structure, ...options }, ['--expose-gc'])
  const arena = await start('arena')
  try {
    const map = await start('map')
    try {
      return await use({ arena, map }, options)
    } finally {
      await map.stop()
    }
  } finally {
    await arena.stop()
  }
}
