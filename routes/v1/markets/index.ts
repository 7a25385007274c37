import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import history from './history/index.ts'
import list from './list.ts'
import marketIndex from './market-index.ts'
import one from './one.ts'
import stream from './stream.ts'

const markets: FastifyPluginAsyncTypebox = async (app) => {
  await app.register(marketIndex)
  await app.register(list)
  await app.register(stream)
  await app.register(one)
  await app.register(history)
}

export default markets
