import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import book from './book.ts'
import candles from './candles.ts'
import coverage from './coverage.ts'
import gaps from './gaps.ts'
import latest from './latest.ts'
import snapshots from './snapshots.ts'
import trades from './trades.ts'

/** What was recorded of a market. */
const history: FastifyPluginAsyncTypebox = async (app) => {
  await app.register(latest)
  await app.register(snapshots)
  await app.register(trades)
  await app.register(candles)
  await app.register(gaps)
  await app.register(coverage)
  await app.register(book)
}

export default history
