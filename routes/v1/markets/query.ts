import { type Static, Type } from 'typebox'
import { VenueSchema } from '../../../schemas/common.ts'
import { pageQuery } from '../../../schemas/list.ts'
import { MarketStatusSchema } from '../../../schemas/market.ts'
import { VerdictSourceSchema, VerdictStateSchema } from '../../../schemas/verdict.ts'
import { FRAGMENT_DEPTH } from '../../../services/snapshots/fragments.ts'
import { MARKET_SORTS, type MarketFilter } from '../../../services/snapshots/market-queries.ts'

const TEXT_MAX = 200

/** The deepest book that may be asked for, and the depth of an answer to who does not say. */
export function depthQuery(maxBookDepth: number) {
  return Type.Optional(
    Type.Integer({
      description: 'Levels a side of the order book; 0 leaves the book empty',
      minimum: 0,
      maximum: maxBookDepth,
      default: Math.min(FRAGMENT_DEPTH, maxBookDepth)
    })
  )
}

const filterQuery = {
  venue: Type.Optional(VenueSchema),
  status: Type.Optional(MarketStatusSchema),
  state: Type.Optional(VerdictStateSchema),
  source: Type.Optional(VerdictSourceSchema),
  q: Type.Optional(
    Type.String({
      description: 'Text that occurs in the title or the symbol, in any case',
      minLength: 1,
      maxLength: TEXT_MAX
    })
  ),
  sort: Type.Optional(
    Type.Enum([...MARKET_SORTS], {
      type: 'string',
      description: 'The order: ascending, or descending with a minus; equal ones by id',
      default: 'id'
    })
  )
}

/** The query of a page of markets. */
export const listQuery = (maxBookDepth: number) =>
  Type.Object(
    { ...pageQuery, depth: depthQuery(maxBookDepth), ...filterQuery },
    { additionalProperties: false }
  )

/** The query of all markets at once. */
export const streamQuery = (maxBookDepth: number) =>
  Type.Object({ depth: depthQuery(maxBookDepth), ...filterQuery }, { additionalProperties: false })

type FilterQuery = Static<ReturnType<typeof streamQuery>>

/** Returns the filter that a query asks for. */
export function filterOf({ venue, status, state, source, q, sort = 'id' }: FilterQuery): MarketFilter {
  const filter: MarketFilter = { sort }
  if (venue !== undefined) filter.venue = venue
  if (status !== undefined) filter.status = status
  if (state !== undefined) filter.state = state
  if (source !== undefined) filter.source = source
  if (q !== undefined) filter.q = q
  return filter
}
