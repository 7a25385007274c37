import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import events from './events/index.ts'
import health from './health/index.ts'
import markets from './markets/index.ts'
import recycler from './recycler/index.ts'
import schedule from './schedule/index.ts'
import stream from './stream/index.ts'

const v1: FastifyPluginAsyncTypebox = async (app) => {
  await app.register(health)
  await app.register(recycler)
  await app.register(async (data) => {
    // Before the first synchronisation an empty list would pass for the truth.
    data.addHook('onRequest', (_request, _reply, done) => {
      app.assertServing()
      done()
    })
    await data.register(markets)
    await data.register(events)
    await data.register(schedule)
    await data.register(stream)
  })
}

export default v1
