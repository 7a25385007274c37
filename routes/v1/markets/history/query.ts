import { Type } from 'typebox'

/** Items of an answer to who does not say. */
export const LIMIT_DEFAULT = 100

const TIME_MAX = 40
const CURSOR_MAX = 500

const time = (description: string) =>
  Type.String({
    description: `${description}; ISO 8601 with milliseconds and Z or an offset, or epoch milliseconds`,
    minLength: 1,
    maxLength: TIME_MAX
  })

/** The path parameter of every route here. */
export const marketParams = Type.Object({
  id: Type.String({
    description: 'kalshi:<ticker> or polymarket:<condition id>',
    minLength: 1,
    examples: ['kalshi:KXFED-26DEC-T3.75']
  })
})

/** A half-open range. */
export const rangeQuery = {
  from: Type.Optional(time('Start of the range, included; without it, 24 hours before its end')),
  to: Type.Optional(time('End of the range, not included; without it, now'))
}

export const pageOfRangeQuery = {
  ...rangeQuery,
  limit: Type.Optional(
    Type.Integer({
      description: 'Items of one answer at most',
      minimum: 1,
      maximum: 1_000,
      default: LIMIT_DEFAULT
    })
  ),
  cursor: Type.Optional(
    Type.String({
      description: 'The cursor of the answer before, for what follows; send the same range with it',
      minLength: 1,
      maxLength: CURSOR_MAX
    })
  )
}

export const instant = time('The instant, by our clock')
