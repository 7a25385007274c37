import { type Static, type TProperties, Type } from 'typebox'
import { dateTime } from './common.ts'
import type { Health } from './health.ts'
import { ChannelSchema, STREAM_COMMAND_SCHEMAS } from './stream-commands.ts'
import { STREAM_EXAMPLES } from './stream-examples.ts'
import {
  STREAM_PAYLOAD_SCHEMAS,
  type StreamBook,
  type StreamDepth,
  type StreamSummary,
  type StreamTicker,
  type StreamTrade
} from './stream-payloads.ts'

export type { StreamChannel, StreamCommand, StreamSubscribe } from './stream-commands.ts'

/** What the gateway sends on a stream. Each message is one JSON object; `type` says which. */

const subscription = Type.String({ description: 'The name that you gave the subscription' })
const topic = Type.Integer({
  description: 'Which subscription it is for, as `subscribed` told it',
  minimum: 1
})
const seq = Type.Integer({
  description: 'One more than that of the message before of this topic, save after a `lag`',
  minimum: 1
})
const position = Type.Integer({
  description: 'The position that the state is of: the next message of this topic has one more',
  minimum: 0
})
const remaining = Type.Integer({
  description:
    'Markets that are still to be told; at 0 you have the whole state, and may resume from here on',
  minimum: 0
})
const removed = Type.Optional(
  Type.Array(Type.String(), {
    description:
      'Ids of markets that belong to this subscription no longer: forget them. Apply before the rest'
  })
)

const books = Type.Array(Type.Unsafe<StreamBook>(Type.Ref('StreamBook')), {
  description: 'One for each market'
})
const depths = Type.Array(Type.Unsafe<StreamDepth>(Type.Ref('StreamDepth')), {
  description: 'One for each market'
})
const tickers = Type.Array(
  Type.Unsafe<StreamTicker | StreamSummary>(
    Type.Union([Type.Ref('StreamTicker'), Type.Ref('StreamSummary')], {
      description: 'In the form that was asked for'
    })
  ),
  { description: 'One for each market' }
)
const trades = Type.Array(Type.Unsafe<StreamTrade>(Type.Ref('StreamTrade')), { description: 'Oldest first' })
const health = Type.Unsafe<Health>(Type.Ref('Health'))

const message = <T extends TProperties>($id: string, description: string, fields: T) =>
  Type.Object(fields, { $id, additionalProperties: false, description })

export const SubscribedSchema = message('StreamSubscribed', 'A subscription is made', {
  type: Type.Literal('subscribed'),
  id: subscription,
  topic,
  channel: ChannelSchema,
  epoch: Type.String({
    description: 'Stands for this numbering: give it back, with the last `seq`, to resume'
  }),
  seq: Type.Integer({ description: 'The next message of this topic has one more', minimum: 0 }),
  resumed: Type.Boolean({
    description: 'True: every message after yours follows. False: forget what you hold, the state follows'
  }),
  markets: Type.Integer({ description: 'Markets that belong to it now', minimum: 0 })
})
export type StreamSubscribed = Static<typeof SubscribedSchema>

export const UnsubscribedSchema = message(
  'StreamUnsubscribed',
  'A subscription has ended; nothing more comes of it',
  {
    type: Type.Literal('unsubscribed'),
    id: subscription,
    topic
  }
)
export type StreamUnsubscribed = Static<typeof UnsubscribedSchema>

export const SnapshotSchema = message(
  'StreamSnapshot',
  'The state of some markets: after `subscribed`, `lag` or `resync`, in as many messages as it takes, with live ' +
    'messages in between. Exactly one of books, depth, tickers and health is there, as the channel has it; trades have no state',
  {
    type: Type.Literal('snapshot'),
    topic,
    seq: position,
    remaining,
    books: Type.Optional(books),
    depth: Type.Optional(depths),
    tickers: Type.Optional(tickers),
    health: Type.Optional(health)
  }
)
export type StreamSnapshot = Static<typeof SnapshotSchema>

export const ChangeSchema = message(
  'StreamChange',
  'Channel book: every book that changed since the message before',
  {
    type: Type.Literal('change'),
    topic,
    seq,
    removed,
    books
  }
)
export type StreamChange = Static<typeof ChangeSchema>

export const DepthMessageSchema = message(
  'StreamDepthMessage',
  'Channel depth: the tops of the books that changed',
  {
    type: Type.Literal('depth'),
    topic,
    seq,
    removed,
    depth: depths
  }
)
export type StreamDepthMessage = Static<typeof DepthMessageSchema>

export const TickersSchema = message('StreamTickers', 'Channel ticker: the tickers that changed', {
  type: Type.Literal('tickers'),
  topic,
  seq,
  removed,
  tickers
})
export type StreamTickers = Static<typeof TickersSchema>

export const TradesSchema = message('StreamTrades', 'Channel trades', {
  type: Type.Literal('trades'),
  topic,
  seq,
  trades
})
export type StreamTrades = Static<typeof TradesSchema>

export const HealthMessageSchema = message('StreamHealthMessage', 'Channel health', {
  type: Type.Literal('health'),
  topic,
  seq,
  health
})
export type StreamHealthMessage = Static<typeof HealthMessageSchema>

export const LagSchema = message(
  'StreamLag',
  'You read too slowly: these messages are left out for you. The latest state of what they concerned follows in ' +
    '`snapshot` messages; trades among them are lost to this connection',
  {
    type: Type.Literal('lag'),
    topic,
    from: Type.Integer({ description: 'First `seq` that is left out', minimum: 1 }),
    to: Type.Integer({
      description: 'Last `seq` that is left out; the next message has one more',
      minimum: 1
    }),
    removed
  }
)
export type StreamLag = Static<typeof LagSchema>

export const ResyncSchema = message(
  'StreamResync',
  'What you hold of this subscription is void: forget it, the whole state follows in `snapshot` messages',
  {
    type: Type.Literal('resync'),
    topic,
    seq: position,
    reason: Type.Enum(['too_old', 'other_epoch', 'unknown_seq', 'too_slow'], {
      type: 'string',
      description:
        'too_old: the messages after yours are gone; other_epoch: the numbering is another one, as after a restart; ' +
        'unknown_seq: there was no such message yet; too_slow: more was left out than a `lag` can tell'
    })
  }
)
export type StreamResync = Static<typeof ResyncSchema>

export const STREAM_ERROR_CODES = [
  'BAD_JSON',
  'BAD_MESSAGE',
  'UNKNOWN_OP',
  'UNKNOWN_CHANNEL',
  'MARKET_NOT_FOUND',
  'EVENT_NOT_FOUND',
  'ID_IN_USE',
  'UNKNOWN_ID',
  'ALREADY_SUBSCRIBED',
  'TOO_MANY_SUBSCRIPTIONS',
  'TOO_MANY_TOPICS',
  'TOO_MANY_CLIENTS'
] as const
export type StreamErrorCode = (typeof STREAM_ERROR_CODES)[number]

export const StreamErrorSchema = message('StreamError', 'A command was refused; the connection goes on', {
  type: Type.Literal('error'),
  id: Type.Optional(subscription),
  code: Type.Enum([...STREAM_ERROR_CODES], { type: 'string', description: 'A stable code for programs' }),
  message: Type.String({ description: 'One sentence for people: what is wrong and what to do' })
})
export type StreamError = Static<typeof StreamErrorSchema>

export const PongSchema = message('StreamPong', 'The answer to a `ping`', {
  type: Type.Literal('pong'),
  at: dateTime('Our clock')
})
export type StreamPong = Static<typeof PongSchema>

/** Whatever comes on a stream. */
export type StreamMessage =
  | StreamSubscribed
  | StreamUnsubscribed
  | StreamSnapshot
  | StreamChange
  | StreamDepthMessage
  | StreamTickers
  | StreamTrades
  | StreamHealthMessage
  | StreamLag
  | StreamResync
  | StreamError
  | StreamPong

/** Codes with which the gateway closes a WebSocket. */
export const CLOSE_CODES = {
  /** The gateway stops: connect again, to it or to another one, and resume. */
  goingAway: 1001,
  /** A message of the client was larger than is read. */
  tooLarge: 1009,
  /** As many clients as are allowed are connected: try again later. */
  tooManyClients: 1013,
  /** It read too slowly, and its policy is `disconnect`. */
  slow: 4000,
  /** It read nothing for too long. */
  stalled: 4001,
  /** It sent nonsense again and again. */
  abuse: 4002,
  /** It had no subscription for too long. */
  idle: 4003,
  /** It answered no ping for too long. */
  silent: 4004
} as const

const schemas = [
  ...STREAM_COMMAND_SCHEMAS,
  ...STREAM_PAYLOAD_SCHEMAS,
  SubscribedSchema,
  UnsubscribedSchema,
  SnapshotSchema,
  ChangeSchema,
  DepthMessageSchema,
  TickersSchema,
  TradesSchema,
  HealthMessageSchema,
  LagSchema,
  ResyncSchema,
  StreamErrorSchema,
  PongSchema
]

/** Every schema of the stream that has a name, with its examples; they stand on those of `COMPONENT_SCHEMAS`. */
export const STREAM_SCHEMAS = schemas.map((schema) => {
  const { $id } = schema as unknown as { $id: string }
  return { ...schema, $id, examples: STREAM_EXAMPLES[$id] ?? [] }
})
