import { type Static, Type } from 'typebox'
import { decimal, nullable } from './common.ts'

export const LevelSchema = Type.Object(
  {
    price: decimal('Dollars per contract, 0 to 1, at most 4 decimals'),
    size: decimal('Contracts resting at that price, at most 6 decimals')
  },
  { $id: 'Level', additionalProperties: false, description: 'One price and the total size resting there' }
)
export type LevelBody = Static<typeof LevelSchema>

export const OrderBookSchema = Type.Object(
  {
    bids: Type.Array(Type.Unsafe<LevelBody>(Type.Ref('Level')), { description: 'YES bids, best first' }),
    asks: Type.Array(Type.Unsafe<LevelBody>(Type.Ref('Level')), { description: 'YES asks, best first' })
  },
  { $id: 'OrderBook', additionalProperties: false, description: 'The book in YES (first outcome) terms' }
)

export const QuoteSchema = Type.Object(
  {
    bestBid: nullable(decimal('Dollars per contract; null on an empty side')),
    bestBidSize: nullable(decimal('Contracts resting at the best bid')),
    bestAsk: nullable(decimal('Dollars per contract; null on an empty side')),
    bestAskSize: nullable(decimal('Contracts resting at the best ask')),
    mid: nullable(decimal('Half the sum of best bid and best ask, dollars; null unless both exist')),
    spread: nullable(decimal('Best ask minus best bid, dollars; null unless both exist'))
  },
  { $id: 'Quote', additionalProperties: false, description: 'The top of one outcome’s book' }
)

export const QuotesSchema = Type.Object(
  {
    usable: Type.Boolean({
      description: 'True when the verdict is live; otherwise the last known quotes, flagged'
    }),
    yes: Type.Unsafe<Static<typeof QuoteSchema>>(Type.Ref('Quote')),
    no: Type.Unsafe<Static<typeof QuoteSchema>>(Type.Ref('Quote'))
  },
  {
    $id: 'Quotes',
    additionalProperties: false,
    description: 'Quotes of both outcomes; NO is derived from YES'
  }
)

const SideSummarySchema = Type.Object(
  {
    bid: nullable(decimal('Best bid, dollars per contract')),
    ask: nullable(decimal('Best ask, dollars per contract')),
    volume: nullable(decimal("Volume of the market since it opened, in the unit of the market's volumeUnit"))
  },
  { $id: 'SideSummary', additionalProperties: false, description: 'Bid, ask and volume of one outcome' }
)

export const SummarySchema = Type.Object(
  {
    yes: Type.Unsafe<Static<typeof SideSummarySchema>>(Type.Ref('SideSummary')),
    no: Type.Unsafe<Static<typeof SideSummarySchema>>(Type.Ref('SideSummary'))
  },
  { $id: 'Summary', additionalProperties: false, description: 'Bid, ask and volume for YES and NO' }
)

export const ORDER_BOOK_SCHEMAS = [
  LevelSchema,
  OrderBookSchema,
  QuoteSchema,
  QuotesSchema,
  SideSummarySchema,
  SummarySchema
]
