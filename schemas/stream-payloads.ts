import { type Static, Type } from 'typebox'
import { dateTime, decimal, nullable, VenueSchema } from './common.ts'
import type { LevelBody, QuotesSchema } from './order-book.ts'
import type { VerdictBody } from './verdict.ts'

const marketId = Type.String({ description: 'kalshi:<ticker> or polymarket:<condition id>' })
const version = Type.Integer({
  description: 'Raised by every change of the book, its verdict or its market',
  minimum: 0
})
const verdict = Type.Unsafe<VerdictBody>(Type.Ref('Verdict'))
const levels = (description: string) => Type.Array(Type.Unsafe<LevelBody>(Type.Ref('Level')), { description })

export const StreamBookSchema = Type.Object(
  {
    id: marketId,
    version,
    previous: nullable(
      Type.Integer({
        description:
          'null: this is the whole book, it replaces what you hold. Otherwise it is a change: apply it if `previous` ' +
          'is at most the version you hold and `version` is above it; if `version` is not above it you have it ' +
          'already; if `previous` is above it, or you hold no book, leave it: a whole book is on its way',
        minimum: 0
      })
    ),
    bids: levels(
      'YES bids. Whole: all levels, best first. Change: the new size at each changed price, in no order; size 0: gone'
    ),
    asks: levels('YES asks, as bids'),
    verdict
  },
  { $id: 'StreamBook', additionalProperties: false, description: 'A whole book, or what changed of it' }
)
export type StreamBook = Static<typeof StreamBookSchema>

export const StreamDepthSchema = Type.Object(
  {
    id: marketId,
    version,
    bids: levels('The best YES bids, best first'),
    asks: levels('The best YES asks, best first'),
    verdict
  },
  {
    $id: 'StreamDepth',
    additionalProperties: false,
    description: 'The top of a book; it replaces what you hold'
  }
)
export type StreamDepth = Static<typeof StreamDepthSchema>

export const StreamTickerSchema = Type.Object(
  {
    id: marketId,
    version,
    quotes: Type.Unsafe<Static<typeof QuotesSchema>>(Type.Ref('Quotes')),
    volume: nullable(decimal("Traded since the market opened, in the market's volumeUnit")),
    volume24h: nullable(decimal("Traded over 24 hours, in the market's volumeUnit")),
    verdict
  },
  {
    $id: 'StreamTicker',
    additionalProperties: false,
    description: 'Quotes of both outcomes, and how far to trust them'
  }
)
export type StreamTicker = Static<typeof StreamTickerSchema>

const SideStatsSchema = Type.Object(
  {
    bid: nullable(Type.Number({ description: 'Best bid, dollars per contract', minimum: 0, maximum: 1 })),
    ask: nullable(Type.Number({ description: 'Best ask, dollars per contract', minimum: 0, maximum: 1 })),
    volume: nullable(Type.Number({ description: 'Traded since the market opened', minimum: 0 }))
  },
  {
    $id: 'StreamSideStats',
    additionalProperties: false,
    description: 'Bid, ask and volume of one outcome, as numbers'
  }
)

/** For consumers that know this form from elsewhere: numbers instead of decimal text, and no verdict. */
export const StreamSummarySchema = Type.Object(
  {
    market_id: marketId,
    platform: VenueSchema,
    summary_stats: Type.Object(
      {
        yes: Type.Unsafe<Static<typeof SideStatsSchema>>(Type.Ref('StreamSideStats')),
        no: Type.Unsafe<Static<typeof SideStatsSchema>>(Type.Ref('StreamSideStats'))
      },
      { additionalProperties: false, description: 'Both outcomes' }
    ),
    timestamp: dateTime('Our clock when it was put together')
  },
  {
    $id: 'StreamSummary',
    additionalProperties: false,
    description:
      'The compatibility form of a ticker: JSON numbers, and only of books whose verdict is live, since it has no place for one'
  }
)
export type StreamSummary = Static<typeof StreamSummarySchema>

export const StreamTradeSchema = Type.Object(
  {
    id: marketId,
    tradeId: nullable(Type.String({ description: "The venue's id of the trade; null where it sends none" })),
    venueTime: nullable(dateTime("The venue's clock; null where it sends none")),
    receivedAt: dateTime('Our clock when it came'),
    price: decimal('Dollars per contract, YES terms'),
    size: decimal('Contracts'),
    takerSide: nullable(
      Type.Enum(['yes', 'no'], {
        type: 'string',
        description: 'The outcome that the taker bought; null where the venue does not say'
      })
    )
  },
  { $id: 'StreamTrade', additionalProperties: false, description: 'One trade, in YES terms' }
)
export type StreamTrade = Static<typeof StreamTradeSchema>

export const STREAM_PAYLOAD_SCHEMAS = [
  StreamBookSchema,
  StreamDepthSchema,
  StreamTickerSchema,
  SideStatsSchema,
  StreamSummarySchema,
  StreamTradeSchema
]
