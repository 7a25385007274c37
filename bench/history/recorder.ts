import type { BenchContext, Figure } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import { type BenchEngines, ENGINE_TITLES, type EngineName } from './engines.ts'
import type { RecorderReading, RecorderWorkerOptions } from './recorder-worker.ts'

const FLUSH_MS = 1_000
/** Engines are far apart: more rounds tell no more. */
const ROUNDS_MAX = 3
const RATES = [120, 1_000, 5_000] as const

/** Rows that the recorder gets into each engine, and how late it is at a given pace. */
export async function recorderFigures(engines: BenchEngines, context: BenchContext): Promise<Figure[]> {
  const { quick, progress } = context
  const rounds = Math.min(context.rounds, ROUNDS_MAX)
  const started = new Map<EngineName, BenchProcess>()
  try {
    for (const engine of engines.names) {
      progress(`filling the books of ${ENGINE_TITLES[engine]}`)
      const options: RecorderWorkerOptions = {
        ...(await engines.place(engine)),
        markets: quick ? 7_000 : 30_000,
        flushMs: FLUSH_MS
      }
      started.set(engine, await BenchProcess.start('history/recorder-worker.ts', 'measured', options))
    }
    const ask = (engine: EngineName, question: object) =>
      (started.get(engine) as BenchProcess).ask<RecorderReading>(question)
    const ms = quick ? 1_000 : 2_000
    const sustained = (engine: EngineName) => ask(engine, { question: 'record', perSecond: null, ms })
    for (const engine of engines.names) await sustained(engine)
    const readings = await interleave(
      rounds,
      engines.names,
      async (engine) => ({
        batched: await sustained(engine),
        single: await ask(engine, { question: 'single', ms: ms / 2 })
      }),
      (round) => progress(`rows a second, round ${round + 1} of ${rounds}`)
    )
    const figures = engines.names.map((engine) => {
      const of = (how: 'batched' | 'single') =>
        median(readings[engine].map((reading) => reading[how].rowsPerSecond))
      return sustainedFigure(engine, of('batched'), of('single'))
    })
    for (const perSecond of RATES) {
      for (const engine of engines.names) {
        progress(`lag at ${perSecond} changes a second, ${ENGINE_TITLES[engine]}`)
        const reading = await ask(engine, { question: 'record', perSecond, ms: quick ? 1_000 : 5_000 })
        figures.push(lagFigure(engine, perSecond, reading))
      }
    }
    return figures
  } finally {
    await Promise.all([...started.values()].map((child) => child.stop()))
  }
}

function sustainedFigure(engine: EngineName, figure: number, against: number): Figure {
  return {
    bench: 'history',
    figure,
    unit: `rows/s sustained, ${ENGINE_TITLES[engine]}`,
    peer: 'one statement a row',
    against,
    ratio: figure / against,
    target: engine === 'postgres' ? TARGETS.historyRowsPostgres : TARGETS.historyRowsPglite
  }
}

function lagFigure(
  engine: EngineName,
  perSecond: number,
  { lagMs, rowsPerSecond, lost }: RecorderReading
): Figure {
  const outcome =
    lost === 0 ? `${Math.round(rowsPerSecond)} rows/s written` : `${lost} rows conflated or dropped`
  return {
    bench: 'history',
    figure: lagMs,
    unit: `ms recorder lag at ${perSecond} changes/s, ${ENGINE_TITLES[engine]}, ${outcome}`,
    peer: 'the flush interval',
    against: FLUSH_MS,
    ratio: lagMs / FLUSH_MS,
    target: TARGETS.historyLag
  }
}
