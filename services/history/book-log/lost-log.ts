import { BookUnprovenError } from '../../errors.ts'
import { holeText, timeText } from '../read/bodies.ts'
import type { HistoryReader, ProofHole } from '../read/reader.ts'
import type { BookLogSource } from './ports.ts'

/**
 * Tells a market that was not recorded at an instant from one that was, and whose log of that time is gone.
 *
 * @throws {BookUnprovenError} where coverage knows of a book then, and the log of nothing of that market by then
 */
export async function assertNotLost(
  log: BookLogSource,
  reader: Pick<HistoryReader, 'coverage' | 'now'>,
  marketId: string,
  atMs: number
): Promise<void> {
  const hole = await lostFromLog(log, reader, marketId, atMs)
  if (hole === null) return
  throw new BookUnprovenError(
    `the book of ${marketId} at ${timeText(atMs)} cannot be proved: ${holeText(hole)}; nothing is left to rebuild it from`
  )
}

/** `log_pruned` where all of the log begins later than the recording of the market did; `not_in_log` elsewhere. */
async function lostFromLog(
  log: BookLogSource,
  reader: Pick<HistoryReader, 'coverage' | 'now'>,
  marketId: string,
  atMs: number
): Promise<ProofHole | null> {
  // Where the log tells of the market by then, it also says that it left.
  if ((await log.findLast(marketId, atMs)) !== null) return null
  const { recordedFromMs, intervals } = await reader.coverage(marketId, { fromMs: atMs, toMs: atMs + 1 })
  const isRecorded = intervals.some(({ kind }) => kind !== 'missing')
  if (recordedFromMs === null || !isRecorded) return null
  const [span, firstMs] = await Promise.all([log.span(), log.findFirst(marketId)])
  const isPruned = span === null || span.fromMs > recordedFromMs
  const toMs = firstMs !== null && firstMs <= reader.now() ? firstMs : null
  return { fromMs: recordedFromMs, toMs, reason: isPruned ? 'log_pruned' : 'not_in_log' }
}
