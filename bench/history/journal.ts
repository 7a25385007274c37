import type { BenchContext, Figure } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import { interleave, median } from '../harness/rounds.ts'
import { TARGETS } from '../targets.ts'
import type { BenchEngines } from './engines.ts'
import type { FrameStream } from './frames.ts'
import type { FramesReading, JournalWorkerOptions, RowsHow, RowsReading } from './journal-worker.ts'

const ROWS_PER_SECOND = 5_000
const MILLION = 1_000_000
const MEGABYTE = 1_000_000
const HOWS = ['idle', 'books', 'texts', 'whole'] as const satisfies readonly RowsHow[]

/** What frames take on the disk, and what rows in files cost. */
export async function journalFigures(engines: BenchEngines, context: BenchContext): Promise<Figure[]> {
  const { quick, rounds, progress } = context
  const options: JournalWorkerOptions = { folder: engines.folder(), markets: quick ? 500 : 2_000 }
  const worker = await BenchProcess.start('history/journal-worker.ts', 'measured', options)
  try {
    const figures: Figure[] = []
    const streams: [FrameStream, string, Figure['target']][] = [
      ['kalshi-deltas', 'Kalshi deltas', TARGETS.historyJournalKalshi],
      ['polymarket-changes', 'Polymarket price changes', TARGETS.historyJournalPolymarket]
    ]
    for (const [stream, title, target] of streams) {
      progress(`journal of ${title}`)
      const count = quick ? 100_000 : MILLION
      const { rawBytes, diskBytes } = await worker.ask<FramesReading>({ question: 'frames', stream, count })
      const megabytes = (bytes: number) => (bytes * (MILLION / count)) / MEGABYTE
      figures.push({
        bench: 'history',
        figure: megabytes(diskBytes),
        unit: `MB on disk a million ${title}`,
        peer: 'raw bytes of the frames',
        against: megabytes(rawBytes),
        ratio: diskBytes / rawBytes,
        target
      })
    }
    const ms = quick ? 1_000 : 1_500
    const write = (how: RowsHow) =>
      worker.ask<RowsReading>({ question: 'rows', how, perSecond: ROWS_PER_SECOND, ms })
    const readings = await interleave(rounds, HOWS, write, (round) =>
      progress(`rows to files, round ${round + 1} of ${rounds}`)
    )
    return [...figures, ...rowsFigures(readings)]
  } finally {
    await worker.stop()
  }
}

function rowsFigures(readings: Record<RowsHow, RowsReading[]>): Figure[] {
  const coresOf = (how: RowsHow) => median(readings[how].map(({ cores }) => cores))
  const above = (how: RowsHow) => Math.max(0, coresOf(how) - coresOf('idle'))
  const rate = `${ROWS_PER_SECOND} snapshots/s to the book log`
  const cores = (peer: string, against: number): Figure => ({
    bench: 'history',
    figure: above('books'),
    unit: `cores above idle, ${rate}`,
    peer,
    against,
    ratio: above('books') / against,
    target: TARGETS.historyFileCores
  })
  // A neighbour can only make a turn longer: the round that it disturbed least tells most.
  const longest = (how: RowsHow) => Math.min(...readings[how].map(({ longestTurnMs }) => longestTurnMs))
  const [turnMs, wholeMs] = [longest('books'), longest('whole')]
  return [
    cores('lines of JSON in the same journal', above('texts')),
    cores('one string a second, uncompressed', above('whole')),
    {
      bench: 'history',
      figure: turnMs,
      unit: `ms on a core, longest turn of the event loop, ${rate}`,
      peer: 'one string a second, uncompressed',
      against: wholeMs,
      ratio: turnMs / wholeMs,
      target: TARGETS.historyFileTurn
    }
  ]
}
