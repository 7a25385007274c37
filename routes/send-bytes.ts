import type { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'

export const JSON_TYPE = 'application/json; charset=utf-8'
export const NDJSON_TYPE = 'application/x-ndjson'

/** Sends an answer that is bytes already, past every serializer. */
export function sendBytes(reply: FastifyReply, type: string, bytes: Buffer | Readable): void {
  void reply.type(type).send(bytes)
}
