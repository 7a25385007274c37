export type { Book } from './book.ts'
export { connect, type StreamClient } from './client.ts'
export { compareDecimals, toScaled } from './decimal.ts'
export { StreamClientError } from './errors.ts'
export type { LineState } from './line.ts'
export type { Update } from './market-state.ts'
export type {
  Health,
  Level,
  Quote,
  Quotes,
  StreamDepth,
  StreamError,
  StreamFilter,
  StreamTicker,
  StreamTrade,
  Verdict
} from './messages.gen.ts'
export type { StreamMessage } from './messages.ts'
export type {
  ClientEvent,
  ClientOptions,
  ClientStatistics,
  DepthOptions,
  HealthOptions,
  Markets,
  ReadOptions
} from './options.ts'
export type { MarketChoice } from './question.ts'
export type { Reader } from './reader.ts'
export type { TradeUpdate } from './trade-queue.ts'
export type { WebSocketConstructor, WebSocketLike } from './web-socket.ts'
