import { type Static, Type } from 'typebox'
import { dateTime, decimal, nullable, VenueSchema } from './common.ts'
import { pageOf } from './list.ts'
import type { OrderBookSchema, QuotesSchema, SummarySchema } from './order-book.ts'
import { type VerdictSchema, VerdictStateSchema } from './verdict.ts'

export const MARKET_STATUSES = ['pending', 'open', 'halted', 'closed', 'settled'] as const
export const MarketStatusSchema = Type.Enum([...MARKET_STATUSES], {
  type: 'string',
  description:
    'pending: not open yet; open: trading; halted: trading is paused; closed: trading has ended; settled: paid out'
})
export type MarketStatus = (typeof MARKET_STATUSES)[number]

const PriceBandSchema = Type.Object(
  {
    start: decimal('Lowest price of the band, dollars'),
    end: decimal('Highest price of the band, dollars'),
    step: decimal('Tick size within the band, dollars')
  },
  {
    $id: 'PriceBand',
    additionalProperties: false,
    description: 'A stretch of the price grid with its tick size'
  }
)

/** What a venue says of one of its markets; nothing here changes with the book. */
export const MarketSchema = Type.Object(
  {
    id: Type.String({ description: 'kalshi:<ticker> or polymarket:<condition id>' }),
    venue: VenueSchema,
    venueMarketId: Type.String({ description: "The venue's own identifier, unchanged" }),
    symbol: Type.String({ description: 'What people type: the Kalshi ticker, the Polymarket slug' }),
    eventId: nullable(
      Type.String({ description: 'The event that groups this market; null if the venue names none' })
    ),
    title: Type.String({ description: "The question in the venue's words" }),
    outcomes: Type.Object(
      {
        yes: Type.String({ description: "The venue's label of the first outcome" }),
        no: Type.String({ description: "The venue's label of the second outcome" })
      },
      {
        additionalProperties: false,
        description: 'Labels as the venue prints them: Yes/No, Up/Down, team names'
      }
    ),
    tokens: nullable(
      Type.Object(
        {
          yes: Type.String({ description: 'Token id of the first outcome' }),
          no: Type.String({ description: 'Token id of the second outcome' })
        },
        { additionalProperties: false, description: 'Polymarket only' }
      )
    ),
    status: MarketStatusSchema,
    result: nullable(
      Type.String({ description: 'yes, no, or the venue’s word for another result; null until known' })
    ),
    openTime: nullable(dateTime('When trading opens')),
    closeTime: nullable(dateTime('When trading is scheduled to close; venues move it, in both directions')),
    eventStartTime: nullable(dateTime('When the real-world event starts, where the venue says so')),
    priceBands: Type.Array(Type.Unsafe<Static<typeof PriceBandSchema>>(Type.Ref('PriceBand')), {
      description: 'The price grid; it can change while the market is open'
    }),
    minOrderSize: nullable(decimal('Smallest resting order, contracts')),
    volume: nullable(decimal('Traded since the market opened, in volumeUnit')),
    volume24h: nullable(decimal('Traded over 24 hours, in volumeUnit')),
    volumeUnit: Type.Enum(['contracts', 'dollars'], {
      type: 'string',
      description: 'Kalshi: contracts; Polymarket: dollars'
    }),
    openInterest: nullable(decimal('Contracts outstanding; null where the venue does not say'))
  },
  { $id: 'Market', additionalProperties: false, description: 'What the venue says of the market' }
)
export type Market = Static<typeof MarketSchema>

const aggregateFields = {
  id: Type.String({ description: 'kalshi:<ticker> or polymarket:<condition id>' }),
  market: Type.Unsafe<Market>(Type.Ref('Market')),
  orderBook: Type.Unsafe<Static<typeof OrderBookSchema>>(Type.Ref('OrderBook')),
  quotes: Type.Unsafe<Static<typeof QuotesSchema>>(Type.Ref('Quotes')),
  summary: Type.Unsafe<Static<typeof SummarySchema>>(Type.Ref('Summary')),
  verdict: Type.Unsafe<Static<typeof VerdictSchema>>(Type.Ref('Verdict')),
  lastUpdatedMs: nullable(
    Type.Integer({ description: 'Our clock at the last message, epoch ms; null before the first' })
  )
}

/** A market with its book, quotes and verdict. */
export const MarketAggregateSchema = Type.Object(aggregateFields, {
  $id: 'MarketAggregate',
  additionalProperties: false,
  description: 'A market with its book to the asked depth, its quotes and how far they can be trusted'
})
export type MarketAggregate = Static<typeof MarketAggregateSchema>

/** One market in full: the aggregate, and the rules by which it settles. */
export const MarketDetailSchema = Type.Object(
  {
    ...aggregateFields,
    rules: Type.String({
      description: "The settlement rules in the venue's words; empty where it gives none"
    })
  },
  { $id: 'MarketDetail', additionalProperties: false, description: 'One market with its settlement rules' }
)
export type MarketDetail = Static<typeof MarketDetailSchema>

export const MarketIndexEntrySchema = Type.Object(
  {
    id: Type.String({ description: 'kalshi:<ticker> or polymarket:<condition id>' }),
    symbol: Type.String({ description: 'What people type: the Kalshi ticker, the Polymarket slug' }),
    venue: VenueSchema,
    title: Type.String({ description: "The question in the venue's words" }),
    state: VerdictStateSchema,
    lastUpdatedMs: nullable(Type.Integer({ description: 'Our clock at the last message, epoch ms' }))
  },
  {
    $id: 'MarketIndexEntry',
    additionalProperties: false,
    description: 'One line of the index of all markets'
  }
)
export type MarketIndexEntry = Static<typeof MarketIndexEntrySchema>

export const MarketPageSchema = pageOf(
  'MarketPage',
  Type.Unsafe<MarketAggregate>(Type.Ref('MarketAggregate')),
  'One page of markets with their books'
)
export type MarketPage = Static<typeof MarketPageSchema>

export const MARKET_SCHEMAS = [
  PriceBandSchema,
  MarketSchema,
  MarketAggregateSchema,
  MarketDetailSchema,
  MarketIndexEntrySchema,
  MarketPageSchema
]
