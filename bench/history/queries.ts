import type { BenchContext, Figure } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import { TARGETS } from '../targets.ts'
import type { BookLogWorkerOptions } from './book-log-worker.ts'
import { type BenchEngines, ENGINE_TITLES, type EngineName } from './engines.ts'
import type { RecordedDay } from './fill.ts'
import type { QueryKind, QueryReading, QueryWorkerOptions } from './query-worker.ts'

const DAY_MS = 86_400_000
/** The recorded day ends before it is asked for, whatever filling takes. */
const AGO_MS = 60_000
/** Rows that are filled in at a time. */
const FILL_ROWS = 1_000_000

/** How long it takes to ask for what was recorded, with a day of rows in each engine and a book log beside. */
export async function queryFigures(engines: BenchEngines, context: BenchContext): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const engine of engines.names) figures.push(...(await askEngine(engines, engine, context)))
  return figures
}

async function askEngine(
  engines: BenchEngines,
  engine: EngineName,
  { quick, progress }: BenchContext
): Promise<Figure[]> {
  const toMs = Date.now() - AGO_MS
  const day: RecordedDay = {
    rows: quick ? 100_000 : 10_000_000,
    markets: quick ? 500 : 2_000,
    fromMs: toMs - DAY_MS,
    toMs
  }
  const place = await engines.place(engine)
  const asked = await BenchProcess.start('history/query-worker.ts', 'measured', {
    place,
    day
  } satisfies QueryWorkerOptions)
  const logging = await BenchProcess.start('history/book-log-worker.ts', 'load', {
    dataDir: place.dataDir,
    markets: day.markets,
    fromMs: day.fromMs
  } satisfies BookLogWorkerOptions)
  try {
    const changes = quick ? 200_000 : 2_000_000
    const fill = async () => {
      await asked.ask({ question: 'prepare' })
      for (let from = 0; from < day.rows; from += FILL_ROWS) {
        progress(`filling ${ENGINE_TITLES[engine]}, ${count(from)} of ${count(day.rows)} snapshots`)
        await asked.ask({ question: 'fill', from, to: Math.min(day.rows, from + FILL_ROWS) })
      }
    }
    const [logToMs] = await Promise.all([logging.ask<number>({ question: 'write', changes }), fill()])
    await logging.stop()
    await asked.ask({ question: 'open' })
    const ask = async (kind: QueryKind, times: number) => {
      progress(`asking ${ENGINE_TITLES[engine]}: ${kind}`)
      await asked.ask({ question: 'ask', kind, count: 3, logToMs })
      return asked.ask<QueryReading>({ question: 'ask', kind, count: times, logToMs })
    }
    const times = quick ? 20 : 200
    const empty = await ask('empty', times)
    const figure = (reading: QueryReading, what: string, target: Figure['target']): Figure => ({
      bench: 'history',
      figure: reading.p50Ms,
      unit: `ms median (p99 ${reading.p99Ms.toFixed(0)}), ${what}, ${ENGINE_TITLES[engine]} with ${count(day.rows)} snapshots`,
      peer: 'a page of nothing',
      against: empty.p50Ms,
      ratio: reading.p50Ms / empty.p50Ms,
      target
    })
    return [
      figure(await ask('page', times), 'page of 100 snapshots', TARGETS.historyPage),
      figure(await ask('long page', times), 'page of 1,000 snapshots', TARGETS.historyLongPage),
      figure(await ask('candles', times / 2), 'day of 1m candles, any market', TARGETS.historyCandles),
      figure(
        await ask('busy candles', times / 10),
        'day of 1m candles, busiest markets',
        TARGETS.historyBusyCandles
      ),
      figure(await ask('book', times), `book asOf, log of ${count(changes)} changes`, TARGETS.historyAsOf)
    ]
  } finally {
    await Promise.all([asked.stop(), logging.stop()])
  }
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
