import { type Static, Type } from 'typebox'
import { dateTime, nullable, VenueSchema } from './common.ts'
import { pageOf } from './list.ts'
import { MarketStatusSchema } from './market.ts'

export const ScheduleEntrySchema = Type.Object(
  {
    id: Type.String({ description: 'kalshi:<ticker> or polymarket:<condition id>' }),
    venue: VenueSchema,
    eventId: nullable(
      Type.String({ description: 'The event that groups this market; null if the venue names none' })
    ),
    title: Type.String({ description: "The question in the venue's words" }),
    status: MarketStatusSchema,
    eventStartTime: nullable(dateTime('When the real-world event starts, where the venue says so')),
    openTime: nullable(dateTime('When trading opens')),
    closeTime: nullable(dateTime('When trading is scheduled to close; venues move it, in both directions'))
  },
  { $id: 'ScheduleEntry', additionalProperties: false, description: 'When a market opens, starts and closes' }
)
export type ScheduleEntry = Static<typeof ScheduleEntrySchema>

export const SchedulePageSchema = pageOf(
  'SchedulePage',
  Type.Unsafe<ScheduleEntry>(Type.Ref('ScheduleEntry')),
  'One page of the schedule, soonest close first'
)
export type SchedulePage = Static<typeof SchedulePageSchema>

export const SCHEDULE_SCHEMAS = [ScheduleEntrySchema, SchedulePageSchema]
