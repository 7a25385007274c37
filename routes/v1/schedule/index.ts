import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { VenueSchema } from '../../../schemas/common.ts'
import { PAGE_SIZE_DEFAULT, pageQuery } from '../../../schemas/list.ts'
import { type Market, MarketStatusSchema } from '../../../schemas/market.ts'
import { ETAG_HEADER, errorResponses, ifNoneMatch, notModified } from '../../../schemas/responses.ts'
import type { ScheduleEntry, SchedulePage } from '../../../schemas/schedule.ts'
import type { MarketFilter } from '../../../services/snapshots/market-queries.ts'
import { stampOf } from '../../../services/snapshots/stamp.ts'
import { answerUnchanged } from '../../conditional.ts'

const schedule: FastifyPluginAsyncTypebox = async (app) => {
  const { snapshotStore } = app

  app.get(
    '/schedule',
    {
      compress: {},
      schema: {
        operationId: 'getSchedule',
        summary: 'When markets open, start and close, by page',
        description:
          'For consumers that must not ask the venues: times in UTC, soonest close first, markets without a close ' +
          'time last. Venues move these times in both directions.',
        tags: ['schedule'],
        headers: ifNoneMatch,
        querystring: Type.Object(
          { ...pageQuery, venue: Type.Optional(VenueSchema), status: Type.Optional(MarketStatusSchema) },
          { additionalProperties: false }
        ),
        response: {
          200: Type.Unsafe<SchedulePage>(Type.Ref('SchedulePage', ETAG_HEADER)),
          304: notModified,
          ...errorResponses(400, 503)
        }
      }
    },
    (request, reply) => {
      const { page = 1, pageSize = PAGE_SIZE_DEFAULT, venue, status } = request.query
      const filter: MarketFilter = { sort: 'closeTime' }
      if (venue !== undefined) filter.venue = venue
      if (status !== undefined) filter.status = status
      // The schedule is all metadata: what the books do does not change it.
      const stamp = stampOf(snapshotStore, [], 0, 0, snapshotStore.catalogueVersion, page, pageSize)
      if (answerUnchanged(request, reply, stamp)) return
      const found = snapshotStore.queries.find(filter)
      const items = found.slice((page - 1) * pageSize, page * pageSize).map(({ market }) => entryOf(market))
      return { page, pageSize, total: found.length, items }
    }
  )
}

function entryOf(market: Market): ScheduleEntry {
  const { id, venue, eventId, title, status, eventStartTime, openTime, closeTime } = market
  return { id, venue, eventId, title, status, eventStartTime, openTime, closeTime }
}

export default schedule
