import { type Static, Type } from 'typebox'
import { VenueSchema } from './common.ts'
import { MarketStatusSchema } from './market.ts'
import { VerdictSourceSchema, VerdictStateSchema } from './verdict.ts'

export const STREAM_CHANNELS = ['ticker', 'book', 'depth', 'trades', 'health'] as const
export type StreamChannel = (typeof STREAM_CHANNELS)[number]

export const TICKER_FORMS = ['crossbook', 'summary'] as const
export const SLOW_POLICIES = ['conflate', 'disconnect'] as const

/** A question may name this many markets; more are asked for by venue, event or filter. */
export const MARKETS_NAMED_MAX = 1_000
export const DEPTH_MAX = 100
export const DEPTH_DEFAULT = 10
export const INTERVAL_MIN_MS = 100
export const INTERVAL_MAX_MS = 60_000
const TEXT_MAX = 200
const ID_MAX = 64
const VENUE_ID_MAX = 300

const subscriptionId = Type.String({
  description: 'Your own name for the subscription, unique on this connection',
  minLength: 1,
  maxLength: ID_MAX
})

export const ChannelSchema = Type.Enum([...STREAM_CHANNELS], {
  type: 'string',
  description:
    'ticker: quotes of both outcomes, conflated; book: the whole book, then every change; depth: the top of the ' +
    'book, conflated at the rate you choose; trades: each trade; health: the status of the gateway'
})

export const StreamFilterSchema = Type.Object(
  {
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
    )
  },
  {
    $id: 'StreamFilter',
    additionalProperties: false,
    description: 'Markets that match all of it, as in GET /v1/markets; markets enter and leave as they change'
  }
)

export const ResumeSchema = Type.Object(
  {
    epoch: Type.String({ description: 'As `subscribed` told it', minLength: 1, maxLength: ID_MAX }),
    seq: Type.Integer({ description: 'The last `seq` that you have applied', minimum: 0 })
  },
  {
    $id: 'StreamResume',
    additionalProperties: false,
    description:
      'Where you were when the connection was lost; without a whole state, an epoch that was never told. Markets and ' +
      'an event that are served no longer are left out, not refused'
  }
)

/** What is asked for, besides a channel: at most one of the four says which markets; none of them means all. */
export const questionFields = {
  markets: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: VENUE_ID_MAX }), {
      description: 'Market ids, each of them served now or, with `resume`, then',
      minItems: 1,
      maxItems: MARKETS_NAMED_MAX
    })
  ),
  event: Type.Optional(
    Type.String({ description: 'Id of an event: its markets', minLength: 1, maxLength: VENUE_ID_MAX })
  ),
  venue: Type.Optional(VenueSchema),
  filter: Type.Optional(Type.Unsafe<Static<typeof StreamFilterSchema>>(Type.Ref('StreamFilter'))),
  depth: Type.Optional(
    Type.Integer({
      description: `Levels a side; only for the channel depth; ${DEPTH_DEFAULT} by default`,
      minimum: 1,
      maximum: DEPTH_MAX
    })
  ),
  intervalMs: Type.Optional(
    Type.Integer({
      description:
        'Shortest time between two messages, ms; only for the channels depth (1000 by default) and health (5000)',
      minimum: INTERVAL_MIN_MS,
      maximum: INTERVAL_MAX_MS
    })
  ),
  form: Type.Optional(
    Type.Enum([...TICKER_FORMS], {
      type: 'string',
      description: 'Only for the channel ticker: crossbook (default), or the compatibility form summary'
    })
  ),
  policy: Type.Optional(
    Type.Enum([...SLOW_POLICIES], {
      type: 'string',
      description:
        'What happens when you read too slowly. conflate (default): a `lag` message, then the latest state; ' +
        'disconnect: the connection is closed with 4000'
    })
  )
}

export const SubscribeSchema = Type.Object(
  {
    op: Type.Literal('subscribe'),
    id: subscriptionId,
    channel: ChannelSchema,
    ...questionFields,
    resume: Type.Optional(Type.Unsafe<Static<typeof ResumeSchema>>(Type.Ref('StreamResume')))
  },
  {
    $id: 'StreamSubscribe',
    additionalProperties: false,
    description: 'Asks for a channel of some markets, or to go on where a lost connection ended'
  }
)
export type StreamSubscribe = Static<typeof SubscribeSchema>

export const UnsubscribeSchema = Type.Object(
  { op: Type.Literal('unsubscribe'), id: subscriptionId },
  { $id: 'StreamUnsubscribe', additionalProperties: false, description: 'Ends a subscription' }
)
export type StreamUnsubscribe = Static<typeof UnsubscribeSchema>

export const PingSchema = Type.Object(
  { op: Type.Literal('ping') },
  {
    $id: 'StreamPing',
    additionalProperties: false,
    description: 'Asks for a `pong`, to see that we are alive'
  }
)
export type StreamPing = Static<typeof PingSchema>

/** What a client may send. */
export type StreamCommand = StreamSubscribe | StreamUnsubscribe | StreamPing

export const STREAM_COMMAND_SCHEMAS = [
  StreamFilterSchema,
  ResumeSchema,
  SubscribeSchema,
  UnsubscribeSchema,
  PingSchema
]
