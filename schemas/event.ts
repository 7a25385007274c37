import { type Static, Type } from 'typebox'
import { nullable, VenueSchema } from './common.ts'
import { pageOf } from './list.ts'

/** The venue's own grouping of markets under one real-world question. */
export const EventSchema = Type.Object(
  {
    id: Type.String({ description: 'kalshi:<event ticker> or polymarket:<Gamma event id>' }),
    venue: VenueSchema,
    venueEventId: Type.String({ description: "The venue's own identifier, unchanged" }),
    symbol: Type.String({ description: 'The Kalshi event ticker, the Polymarket slug' }),
    seriesId: nullable(Type.String({ description: 'The recurring series that the event belongs to' })),
    title: Type.String({ description: "The question in the venue's words" }),
    category: nullable(Type.String({ description: "The venue's category" })),
    mutuallyExclusive: Type.Boolean({
      description:
        'At most one market settles to yes; it does not promise that the listed markets cover every outcome'
    }),
    marketIds: Type.Array(Type.String(), { description: 'Served markets of this event' })
  },
  { $id: 'Event', additionalProperties: false, description: 'A real-world question and its markets' }
)
export type Event = Static<typeof EventSchema>
/** An event as a venue reports it, before its served markets are known. */
export type EventHeader = Omit<Event, 'marketIds'>

export const EventPageSchema = pageOf(
  'EventPage',
  Type.Unsafe<Event>(Type.Ref('Event')),
  'One page of events, by id'
)
export type EventPage = Static<typeof EventPageSchema>

export const EVENT_SCHEMAS = [EventSchema, EventPageSchema]
