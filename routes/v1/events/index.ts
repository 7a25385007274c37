import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { VENUES, VenueSchema } from '../../../schemas/common.ts'
import type { Event, EventPage } from '../../../schemas/event.ts'
import { NO_QUERY, PAGE_SIZE_DEFAULT, pageQuery } from '../../../schemas/list.ts'
import { ETAG_HEADER, errorResponses, ifNoneMatch, notModified } from '../../../schemas/responses.ts'
import { EventNotFoundError } from '../../../services/errors.ts'
import { stampOf } from '../../../services/snapshots/stamp.ts'
import { answerUnchanged } from '../../conditional.ts'

const events: FastifyPluginAsyncTypebox = async (app) => {
  const { snapshotStore } = app

  app.get(
    '/events',
    {
      compress: {},
      schema: {
        operationId: 'listEvents',
        summary: 'Events with the ids of their markets, by page',
        description: 'Only events with a market that is served, in the order of their ids.',
        tags: ['events'],
        headers: ifNoneMatch,
        querystring: Type.Object(
          { ...pageQuery, venue: Type.Optional(VenueSchema) },
          { additionalProperties: false }
        ),
        response: {
          200: Type.Unsafe<EventPage>(Type.Ref('EventPage', ETAG_HEADER)),
          304: notModified,
          ...errorResponses(400, 503)
        }
      }
    },
    (request, reply) => {
      const { page = 1, pageSize = PAGE_SIZE_DEFAULT, venue } = request.query
      const asked = [page, pageSize, venue === undefined ? -1 : VENUES.indexOf(venue)]
      const stamp = stampOf(snapshotStore, [], 0, 0, snapshotStore.catalogueVersion, ...asked)
      if (answerUnchanged(request, reply, stamp)) return
      const ids = snapshotStore.eventIds(venue)
      const items = ids
        .slice((page - 1) * pageSize, page * pageSize)
        .map((id) => snapshotStore.getEvent(id) as Event)
      return { page, pageSize, total: ids.length, items }
    }
  )

  app.get(
    '/events/:id',
    {
      compress: {},
      schema: {
        operationId: 'getEvent',
        summary: 'One event with the ids of its markets',
        description: "The venue's own grouping; `marketIds` holds the markets that are served.",
        tags: ['events'],
        headers: ifNoneMatch,
        params: Type.Object({
          id: Type.String({
            description: 'kalshi:<event ticker> or polymarket:<Gamma event id>',
            minLength: 1
          })
        }),
        querystring: NO_QUERY,
        response: {
          200: Type.Unsafe<Event>(Type.Ref('Event', ETAG_HEADER)),
          304: notModified,
          ...errorResponses(400, 404, 503)
        }
      }
    },
    (request, reply) => {
      const event = snapshotStore.getEvent(request.params.id)
      if (event === undefined) throw new EventNotFoundError(request.params.id)
      const stamp = stampOf(snapshotStore, [], 0, 0, snapshotStore.catalogueVersion)
      if (answerUnchanged(request, reply, stamp)) return
      return event
    }
  )
}

export default events
