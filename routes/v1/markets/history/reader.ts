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
 * Returns what the history of a market is read through.
 *
 * @throws {HistoryOffError} where nothing is recorded; {MarketNotFoundError} for a market that is neither served now
 *   nor was ever recorded
 */
export async function readerFor(app: FastifyInstance, marketId: string): Promise<HistoryReader> {
  const { historyReader: reader } = app
  // Looked up at each request: whoever provides it may come after the routes.
  if (reader === undefined) throw new HistoryOffError()
  if (app.snapshotStore.get(marketId) === undefined && !(await reader.store.knows(marketId)))
    throw new MarketNotFoundError(marketId)
  return reader
}
