import type { BenchContext, Figure } from '../figure.ts'
import { costFigures } from './cost.ts'
import { withEngines } from './engines.ts'
import { journalFigures } from './journal.ts'
import { queryFigures } from './queries.ts'
import { recorderFigures } from './recorder.ts'
import { warmStartFigures } from './warm-start.ts'

/** What recording keeps up with and costs, what it takes on the disk, and how long it takes to ask for it again. */
export function history(context: BenchContext): Promise<Figure[]> {
  return withEngines(async (engines) => [
    ...(await recorderFigures(engines, context)),
    ...(await costFigures(engines, context)),
    ...(await journalFigures(engines, context)),
    ...(await queryFigures(engines, context)),
    ...(await warmStartFigures(engines, context))
  ])
}
