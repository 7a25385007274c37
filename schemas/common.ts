import { Type } from 'typebox'

export const VENUES = ['kalshi', 'polymarket'] as const
export const VenueSchema = Type.Enum([...VENUES], {
  type: 'string',
  description: 'An exchange that Crossbook reads'
})
export type Venue = (typeof VENUES)[number]

export const DECIMAL_PATTERN = '^-?(0|[1-9][0-9]*)(\\.[0-9]*[1-9])?$'

/** Canonical decimal text: no exponent, no trailing zeros. */
export const decimal = (description: string) => Type.String({ description, pattern: DECIMAL_PATTERN })

export const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])

export const dateTime = (description: string) =>
  Type.String({ description: `${description}; UTC, ISO 8601 with milliseconds`, format: 'date-time' })
