import type { FastifyReply, FastifyRequest } from 'fastify'

/** Ends the tag of an answer that is compressed: a strong tag stands for its exact bytes. */
const CODING_SUFFIX = /-gzip"$/

const CACHE_CONTROL = 'no-cache'
const VARY = 'accept-encoding'

/**
 * Sets an answer's validators, and sends 304 and returns true when the client already has it: the caller then does
 * no more. `stamp` must change whenever the answer does. The client may hold the answer in any coding.
 */
export function answerUnchanged(request: FastifyRequest, reply: FastifyReply, stamp: string): boolean {
  const etag = tagOf(stamp)
  reply.header('etag', etag).header('cache-control', CACHE_CONTROL)
  addVary(reply, VARY)
  const wanted = request.headers['if-none-match']
  if (wanted === undefined) return false
  if (wanted !== etag && wanted.trim() !== '*') {
    const held = wanted.split(',').find((tag) => strong(tag).replace(CODING_SUFFIX, '"') === etag)
    if (held === undefined) return false
    reply.header('etag', strong(held))
  }
  void reply.code(304).send()
  return true
}

/** Returns the validators of an answer that is not compressed, as name, value, name, value. */
export function validatorsOf(stamp: string): string[] {
  return ['etag', tagOf(stamp), 'cache-control', CACHE_CONTROL, 'vary', VARY]
}

function tagOf(stamp: string): string {
  return `"${stamp}"`
}

function strong(tag: string): string {
  return tag.trim().replace(/^W\//, '')
}

function addVary(reply: FastifyReply, field: string): void {
  const before = reply.getHeader('vary')
  reply.header('vary', before === undefined ? field : `${before}, ${field}`)
}
