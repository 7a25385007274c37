import { type Static, Type } from 'typebox'
import { dateTime, decimal, nullable, VenueSchema } from './common.ts'
import type { OrderBookSchema, QuoteSchema } from './order-book.ts'
import { type VerdictBody, VerdictSourceSchema, VerdictStateSchema } from './verdict.ts'

const count = (description: string) => Type.Integer({ description, minimum: 0 })
const durationMs = (description: string) => Type.Integer({ description: `${description}, ms`, minimum: 0 })
const percent = (description: string) => decimal(`${description}, percent, at most 4 decimals`)

const marketId = Type.String({ description: 'kalshi:<ticker> or polymarket:<condition id>' })
const ticker = Type.String({ description: 'What people type: the Kalshi ticker, the Polymarket slug' })
const rangeFrom = dateTime('Start of the range that is answered, included')
const rangeTo = dateTime('End of the range that is answered, not included')
const cursor = nullable(
  Type.String({
    description: 'Send it back as `cursor`, with the same range, for what follows; null at the end'
  })
)

const CoverageKindSchema = Type.Enum(['verified', 'degraded', 'missing'], {
  type: 'string',
  description:
    'verified: streamed in sequence, no proof failed, all of it recorded; degraded: flagged, or only polled, or ' +
    'wrong before that was noticed, or nothing was heard, or part of the recording is lost; missing: nothing is known'
})

const CoverageSummarySchema = Type.Object(
  {
    verifiedPercent: percent('Share of the range up to now that is verified, rounded down'),
    gaps: count('Gaps that concern the market and overlap the range; 1000 stands for 1000 or more')
  },
  {
    $id: 'CoverageSummary',
    additionalProperties: false,
    description: 'How much of the range the answer can speak for: see /coverage and /gaps'
  }
)
export type CoverageSummary = Static<typeof CoverageSummarySchema>

const coverage = Type.Unsafe<CoverageSummary>(Type.Ref('CoverageSummary'))

const RecordedSnapshotSchema = Type.Object(
  {
    at: dateTime('Our clock when this was the book'),
    source: VerdictSourceSchema,
    cause: Type.Enum(['change', 'interval', 'verdict', 'poll'], {
      type: 'string',
      description:
        'Why it was recorded. change: the book changed; interval: once a minute; verdict: the state changed; ' +
        'poll: an answer of the REST API'
    }),
    quote: Type.Unsafe<Static<typeof QuoteSchema>>(Type.Ref('Quote')),
    orderBook: Type.Unsafe<Static<typeof OrderBookSchema>>(Type.Ref('OrderBook')),
    verdict: Type.Unsafe<VerdictBody>(Type.Ref('Verdict'))
  },
  {
    $id: 'RecordedSnapshot',
    additionalProperties: false,
    description: 'The top levels of a book at one instant, in YES terms, and the verdict of that instant'
  }
)
export type RecordedSnapshot = Static<typeof RecordedSnapshotSchema>

const LatestSnapshotSchema = Type.Object(
  {
    id: marketId,
    source: VerdictSourceSchema,
    proven: Type.Boolean({
      description:
        'True when its verdict is live, and it is no polled one of over two minutes ago; otherwise no source has ' +
        'such a one, and this is the newest'
    }),
    snapshot: Type.Unsafe<RecordedSnapshot>(Type.Ref('RecordedSnapshot'))
  },
  {
    $id: 'LatestSnapshot',
    additionalProperties: false,
    description: 'The newest recorded snapshot of either source that is not in doubt, if there is one'
  }
)
export type LatestSnapshot = Static<typeof LatestSnapshotSchema>

const SnapshotHistorySchema = Type.Object(
  {
    id: marketId,
    from: rangeFrom,
    to: rangeTo,
    items: Type.Array(Type.Unsafe<RecordedSnapshot>(Type.Ref('RecordedSnapshot')), {
      description: 'Oldest first'
    }),
    cursor,
    coverage
  },
  { $id: 'SnapshotHistory', additionalProperties: false, description: 'Recorded snapshots of one market' }
)
export type SnapshotHistory = Static<typeof SnapshotHistorySchema>

const RecordedTradeSchema = Type.Object(
  {
    tradeId: nullable(Type.String({ description: "The venue's id of the trade; null where it sends none" })),
    venueTime: nullable(dateTime("The venue's clock; null where it sends none")),
    receivedAt: dateTime(
      'Our clock when it came. One that was read again for a gap came later than it was: in ranges and candles it ' +
        'counts at venueTime, any other at receivedAt'
    ),
    price: decimal('Dollars per contract, YES terms'),
    size: decimal('Contracts'),
    takerSide: nullable(
      Type.Enum(['yes', 'no'], {
        type: 'string',
        description: 'The outcome that the taker bought; null where the venue does not say'
      })
    )
  },
  { $id: 'RecordedTrade', additionalProperties: false, description: 'One trade, in YES terms' }
)
export type RecordedTrade = Static<typeof RecordedTradeSchema>

const TradeHistorySchema = Type.Object(
  {
    id: marketId,
    from: rangeFrom,
    to: rangeTo,
    items: Type.Array(Type.Unsafe<RecordedTrade>(Type.Ref('RecordedTrade')), { description: 'Oldest first' }),
    cursor,
    coverage
  },
  { $id: 'TradeHistory', additionalProperties: false, description: 'Recorded trades of one market' }
)
export type TradeHistory = Static<typeof TradeHistorySchema>

const SequenceRangeSchema = Type.Object(
  {
    from: Type.Integer({ description: 'First missing number of the venue’s counter' }),
    to: Type.Integer({ description: 'Last missing number, included' }),
    count: Type.Integer({ description: 'How many are missing', minimum: 1 })
  },
  {
    $id: 'SequenceRange',
    additionalProperties: false,
    description: 'Numbers that the venue counted and that never came'
  }
)
export type SequenceRange = Static<typeof SequenceRangeSchema>

const HistoryGapSchema = Type.Object(
  {
    id: Type.String({ description: 'Ours, unique over all runs' }),
    venue: VenueSchema,
    kind: Type.Enum(
      [
        'sequence_gap',
        'hash_mismatch',
        'audit_mismatch',
        'disconnected',
        'drift',
        'stray_change',
        'restart',
        'standstill',
        'journal_hole',
        'recorder_overflow',
        'storage_down'
      ],
      {
        type: 'string',
        description:
          'sequence_gap: numbers were skipped; hash_mismatch, audit_mismatch: a proof failed; disconnected: the ' +
          'connection was down, or REST did not answer for books that are polled; drift, stray_change: a message did not fit the book; restart: Crossbook was not ' +
          'running; standstill: it ran, and stood still, as its machine may have; journal_hole: frames were not recorded; recorder_overflow: snapshots were conflated; ' +
          'storage_down: the database was away'
      }
    ),
    from: dateTime('Our clock when all was last known to be well'),
    to: nullable(
      dateTime(
        'Our clock when the books were whole again, or when the run ended or the next began, where they never were; ' +
          'null while they are not'
      )
    ),
    detectedAt: dateTime('Our clock when it was noticed'),
    recovered: Type.Boolean({ description: 'Whether the books are back by what recoveredBy says' }),
    recoveredBy: nullable(
      Type.Enum(['snapshot', 'rest', 'trades', 'candles', 'none'], {
        type: 'string',
        description:
          'How the books came back, or what of the time was read again: every trade, or every minute as the venue tells ' +
          'it (see Candle.venue); none: what is missing is lost for good; null while nothing is decided'
      })
    ),
    sequences: nullable(Type.Unsafe<SequenceRange>(Type.Ref('SequenceRange'))),
    subscription: nullable(
      Type.String({ description: 'The venue’s id of the subscription; null where it has none' })
    ),
    connection: nullable(
      Type.String({ description: 'The name of the connection; null where none is concerned' })
    ),
    marketCount: nullable(count('Markets concerned; null for all of the venue')),
    detail: Type.String({ description: 'One sentence for people' })
  },
  {
    $id: 'HistoryGap',
    additionalProperties: false,
    description: 'A stretch of which something is missing or was wrong'
  }
)
export type HistoryGap = Static<typeof HistoryGapSchema>

const MarketGapsSchema = Type.Object(
  {
    id: marketId,
    ticker,
    from: rangeFrom,
    to: rangeTo,
    gaps: Type.Array(Type.Unsafe<SequenceRange>(Type.Ref('SequenceRange')), {
      description:
        'Missing numbers, one entry for each gap that has any, oldest first. A counter belongs to a subscription, ' +
        'so equal numbers of two entries need not be the same messages. Empty for venues that do not count'
    }),
    gapCount: count('How many gaps there are: the length of intervals'),
    hasGaps: Type.Boolean({ description: 'True when gapCount is not 0' }),
    intervals: Type.Array(Type.Unsafe<HistoryGap>(Type.Ref('HistoryGap')), {
      description: 'Every gap that concerns the market and overlaps the range, oldest first'
    })
  },
  { $id: 'MarketGaps', additionalProperties: false, description: 'What is missing of one market' }
)
export type MarketGaps = Static<typeof MarketGapsSchema>

const CoverageIntervalSchema = Type.Object(
  {
    from: dateTime('Start, included'),
    to: dateTime('End, not included; that of the range, or now, for one that goes on'),
    kind: CoverageKindSchema,
    reason: nullable(
      Type.String({
        description: 'Why it is not verified: a stable code such as disconnected; null if it is'
      })
    )
  },
  { $id: 'CoverageInterval', additionalProperties: false, description: 'A stretch of one kind' }
)
export type CoverageInterval = Static<typeof CoverageIntervalSchema>

const CoverageShareSchema = Type.Object(
  {
    durationMs: durationMs('Its time in the range'),
    percent: percent('Its share of the range up to now')
  },
  {
    $id: 'CoverageShare',
    additionalProperties: false,
    description: 'How much of the range is of one kind'
  }
)
export type CoverageShare = Static<typeof CoverageShareSchema>

const share = Type.Unsafe<CoverageShare>(Type.Ref('CoverageShare'))

const MarketCoverageSchema = Type.Object(
  {
    id: marketId,
    from: rangeFrom,
    to: dateTime('End of the range that is answered, not included: as asked, or now if that is earlier'),
    recordedFrom: nullable(
      dateTime(
        'When recording of this market began, whatever the range, as far back as it is kept; null if it never did'
      )
    ),
    intervals: Type.Array(Type.Unsafe<CoverageInterval>(Type.Ref('CoverageInterval')), {
      description: 'In order, without a hole between them over the recorded part of the range'
    }),
    shares: Type.Object(
      { verified: share, degraded: share, missing: share },
      {
        additionalProperties: false,
        description:
          'Together the whole range, 100 percent; time before the recording began is missing. Verified is rounded down'
      }
    )
  },
  {
    $id: 'MarketCoverage',
    additionalProperties: false,
    description: 'Which stretches of one market’s history are proven, and which are missing'
  }
)
export type MarketCoverage = Static<typeof MarketCoverageSchema>

const PriceBarSchema = Type.Object(
  {
    open: decimal('The first, dollars per contract'),
    high: decimal('The highest, dollars per contract'),
    low: decimal('The lowest, dollars per contract'),
    close: decimal('The last, dollars per contract')
  },
  { $id: 'PriceBar', additionalProperties: false, description: 'A price over a stretch of time, YES terms' }
)
export type PriceBarBody = Static<typeof PriceBarSchema>

const bar = Type.Unsafe<PriceBarBody>(Type.Ref('PriceBar'))

const VenueCandleSchema = Type.Object(
  {
    bid: bar,
    ask: bar,
    price: nullable(bar),
    volume: decimal('Contracts traded')
  },
  {
    $id: 'VenueCandle',
    additionalProperties: false,
    description:
      'A minute as the venue itself tells it afterwards: best bid, best ask and trades; price null without a trade'
  }
)
export type VenueCandleBody = Static<typeof VenueCandleSchema>

export const CANDLE_HOLES = ['missing', 'degraded', 'gap', 'thinned', 'running'] as const

const CandleSchema = Type.Object(
  {
    from: dateTime('Start, included'),
    to: dateTime('End, not included'),
    mid: nullable(bar),
    bid: nullable(bar),
    ask: nullable(bar),
    trades: Type.Object(
      {
        count: count('Trades recorded'),
        volume: decimal('Contracts traded'),
        price: nullable(bar)
      },
      { additionalProperties: false, description: 'Trades recorded in it' }
    ),
    snapshots: count('Snapshots that it is made of: those of polls beside the stream are none of them'),
    complete: Type.Boolean({
      description:
        'True when all of it is verified, no gap touches it, its snapshots were not thinned, and it is over'
    }),
    reason: nullable(
      Type.Enum([...CANDLE_HOLES], {
        type: 'string',
        description:
          'Why it is not complete, the gravest first. missing: of a part nothing is known; degraded: a part is not ' +
          'verified; gap: a gap touches it; thinned: of a part only the last snapshot of each minute and source is kept, ' +
          'beside those of changed verdicts; running: it is not over yet. Null if it is complete'
      })
    ),
    detail: nullable(
      Type.String({ description: 'The code that coverage or the gap gives for it, such as disconnected' })
    ),
    venue: nullable(Type.Unsafe<VenueCandleBody>(Type.Ref('VenueCandle')))
  },
  {
    $id: 'Candle',
    additionalProperties: false,
    description: 'Prices over one interval; a bar is null where no snapshot, or no trade, has that price'
  }
)
export type Candle = Static<typeof CandleSchema>

const CandleHistorySchema = Type.Object(
  {
    id: marketId,
    interval: Type.Enum(['1m', '5m', '1h', '1d'], { type: 'string', description: 'Length of a candle, UTC' }),
    from: dateTime('Start of the first candle'),
    to: dateTime('End of the last candle'),
    items: Type.Array(Type.Unsafe<Candle>(Type.Ref('Candle')), {
      description: 'Every candle of the range, oldest first; also those of which nothing is recorded'
    }),
    coverage
  },
  { $id: 'CandleHistory', additionalProperties: false, description: 'Candles of one market' }
)
export type CandleHistory = Static<typeof CandleHistorySchema>

const BookProofSchema = Type.Object(
  {
    proven: Type.Boolean({
      description:
        'Whether the book was streamed and not in doubt, and every change since the base is known, in order'
    }),
    base: Type.Object(
      {
        at: dateTime('Our clock when it was the whole book'),
        kind: Type.Enum(['checkpoint', 'snapshot'], {
          type: 'string',
          description: 'checkpoint: a whole book of ours; snapshot: a whole book of the venue'
        })
      },
      { additionalProperties: false, description: 'The recorded whole book that the changes were applied to' }
    ),
    deltas: count('Changes applied since the base'),
    version: count('Of the book, as the log counts its changes'),
    digest: Type.String({
      description: 'Of all levels of the book, whatever the depth; hexadecimal. Equal books have equal ones',
      pattern: '^[0-9a-f]+$'
    }),
    verdict: Type.Object(
      {
        state: VerdictStateSchema,
        reason: nullable(Type.String({ description: 'Why the state was not live; null if it was' }))
      },
      { additionalProperties: false, description: 'How far the book could be trusted then' }
    ),
    hole: nullable(
      Type.Object(
        {
          from: dateTime('Start'),
          to: nullable(dateTime('End; null while it goes on')),
          reason: Type.String({
            description:
              'What is missing there, or why the book was in doubt: a stable code such as journal_hole. polled: it ' +
              'was only polled, and is not known between two polls'
          })
        },
        { additionalProperties: false, description: 'The stretch that keeps the book from being proved' }
      )
    )
  },
  {
    $id: 'BookProof',
    additionalProperties: false,
    description: 'How the book was rebuilt, and what vouches for it'
  }
)

const BookAtInstantSchema = Type.Object(
  {
    id: marketId,
    asOf: dateTime('The instant, by our clock'),
    orderBook: Type.Unsafe<Static<typeof OrderBookSchema>>(Type.Ref('OrderBook')),
    quote: Type.Unsafe<Static<typeof QuoteSchema>>(Type.Ref('Quote')),
    proof: Type.Unsafe<Static<typeof BookProofSchema>>(Type.Ref('BookProof'))
  },
  {
    $id: 'BookAtInstant',
    additionalProperties: false,
    description: 'The book of one market as it was at an instant, in YES terms, with its proof'
  }
)
export type BookAtInstant = Static<typeof BookAtInstantSchema>

export const HISTORY_SCHEMAS = [
  CoverageSummarySchema,
  RecordedSnapshotSchema,
  LatestSnapshotSchema,
  SnapshotHistorySchema,
  RecordedTradeSchema,
  TradeHistorySchema,
  SequenceRangeSchema,
  HistoryGapSchema,
  MarketGapsSchema,
  CoverageIntervalSchema,
  CoverageShareSchema,
  MarketCoverageSchema,
  PriceBarSchema,
  VenueCandleSchema,
  CandleSchema,
  CandleHistorySchema,
  BookProofSchema,
  BookAtInstantSchema
]
