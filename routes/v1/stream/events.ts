import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { VenueSchema } from '../../../schemas/common.ts'
import {
  ChannelSchema,
  questionFields,
  StreamFilterSchema,
  type StreamSubscribe
} from '../../../schemas/stream-commands.ts'
import { StreamRefusedError } from '../../../services/errors.ts'
import { EventTransport } from '../../../services/stream/event-transport.ts'
import { contradiction } from '../../../services/stream/question.ts'

const { markets, event, depth, intervalMs, form, policy } = questionFields
const { status, state, source, q } = StreamFilterSchema.properties
const resumeId = Type.Optional(
  Type.String({ description: 'Where to go on, as the header Last-Event-ID says it', maxLength: 100 })
)

const query = Type.Object(
  {
    channel: ChannelSchema,
    markets,
    event,
    venue: Type.Optional(VenueSchema),
    status,
    state,
    source,
    q,
    depth,
    intervalMs,
    form,
    policy,
    lastEventId: resumeId
  },
  { additionalProperties: false }
)
type Query = Static<typeof query>

const RETRY_AFTER_SECONDS = 5
/** Of the one subscription of such a connection. */
const ID = 'sse'

/** The stream as server-sent events: one subscription a request. */
const events: FastifyPluginAsyncTypebox = async (app) => {
  const { streamHub } = app

  app.get(
    '/stream/sse',
    {
      sse: { kind: 'only', heartbeat: false },
      exposeHeadRoute: false,
      schema: { hide: true, querystring: query }
    },
    async (request, reply) => {
      const command = commandOf(request.query, request.headers['last-event-id'])
      const problem = contradiction(command)
      if (problem !== null) throw new StreamRefusedError('BAD_MESSAGE', `query: ${problem}`)
      if (!streamHub.hasPlace)
        throw new StreamRefusedError(
          'TOO_MANY_CLIENTS',
          `${app.config.STREAM_CLIENTS_MAX} clients are connected, which is the most: try again later`,
          RETRY_AFTER_SECONDS
        )
      const client = streamHub.connect(new EventTransport(reply.raw, () => client.heard()))
      reply.raw.on('drain', () => client.drained())
      reply.raw.on('close', () => streamHub.disconnected(client))
      const start = () => {
        // Other answers are finished for a client that has hung up its half; this one has no end.
        request.raw.socket.once('end', () => reply.raw.destroy())
        reply.sse.keepAlive()
        reply.sse.sendHeaders()
      }
      const refusal = client.subscribe(command, start)
      if (refusal === null) return
      streamHub.disconnected(client)
      const retryAfter = refusal.code === 'TOO_MANY_TOPICS' ? RETRY_AFTER_SECONDS : null
      throw new StreamRefusedError(refusal.code, refusal.message, retryAfter)
    }
  )
}

function commandOf(
  { status, state, source, q, venue, lastEventId, ...rest }: Query,
  header: unknown
): StreamSubscribe {
  const filter = {
    ...(status && { status }),
    ...(state && { state }),
    ...(source && { source }),
    ...(q && { q })
  }
  const isFiltered = Object.keys(filter).length > 0
  const position = /^(.+)-(\d{1,15})$/.exec(typeof header === 'string' ? header : (lastEventId ?? ''))
  return {
    op: 'subscribe',
    id: ID,
    ...rest,
    ...(isFiltered ? { filter: { ...filter, ...(venue && { venue }) } } : venue && { venue }),
    ...(position && { resume: { epoch: position[1] as string, seq: Number(position[2]) } })
  }
}

export default events
