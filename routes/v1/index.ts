import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import events from './events/index.ts'
import health from './health/index.ts'
import markets from './markets/index.ts'
import recycler from './recycler/index.ts'
import schedule from './schedule/index.ts'
import stream from './stream/index.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route has something to answer before anything is served here, and asserts the rest itself. */
    asksElsewhere?: boolean
  }
}

const v1: FastifyPluginAsyncTypebox = async (app) => {
  await app.register(health)
  await app.register(recycler)
  await app.register(async (data) => {
    // Before the first synchronisation an empty list would pass for the truth.
    data.addHook('onRequest', ({ routeOptions }, _reply, done) => {
      if (routeOptions.config.asksElsewhere !== true) app.assertServing()
      done()
    })
    await data.register(markets)
    await data.register(events)
    await data.register(schedule)
    await data.register(stream)
  })
}

export default v1
