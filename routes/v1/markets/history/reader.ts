import type { FastifyInstance } from 'fastify'
import { HistoryOffError, MarketNotFoundError } from '../../../../services/errors.ts'
import type { HistoryReader } from '../../../../services/history/read/reader.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What was recorded; absent where nothing is. */
    historyReader: HistoryReader
  }
}

/**
 * Returns what history is read through; one for each request, since that of a replay stands at an instant.
 *
 * @throws {HistoryOffError} where nothing is recorded
 */
export function readerOf(app: FastifyInstance): HistoryReader {
  // Whoever provides it may come after the routes.
  const { historyReader: reader } = app
  if (reader === undefined) throw new HistoryOffError()
  return reader
}

/** @throws {MarketNotFoundError} for a market that is neither served now nor was ever recorded */
export async function assertKnown(
  app: FastifyInstance,
  reader: HistoryReader,
  marketId: string
): Promise<void> {
  // Of one that is served the store is not asked: books are read without it.
  if (app.snapshotStore.get(marketId) === undefined && !(await reader.store.knows(marketId)))
    throw new MarketNotFoundError(marketId)
}
