import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import events from './events.ts'
import socket from './socket.ts'

const stream: FastifyPluginAsyncTypebox = async (app) => {
  await app.register(socket)
  await app.register(events)
}

export default stream
