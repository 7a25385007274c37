import type { LineState } from './line.ts'
import type { StreamError } from './messages.gen.ts'
import type { StreamMessage } from './messages.ts'
import type { MarketChoice } from './question.ts'
import type { WebSocketConstructor } from './web-socket.ts'

/** Something that happened to the client, for logs and lamps. */
export type ClientEvent =
  | { type: 'state'; state: LineState }
  | { type: 'lost'; code: number; reason: string }
  /** The gateway refused something; `isFinal`: its readers have ended with it. */
  | { type: 'refused'; code: StreamError['code']; message: string; isFinal: boolean }

export interface ClientOptions {
  /** The WebSocket to use. By default the global one, or in a Node without one that of the package `ws`. */
  webSocket?: WebSocketConstructor
  /** Closes the client; its readers end with the signal's reason. */
  signal?: AbortSignal
  /** What the gateway does when we read too slowly: leave messages out (default), or close the connection. */
  policy?: 'conflate' | 'disconnect'
  /** Bounds of the time before another attempt: below the first bound at first, doubled until the second; 250 and 10,000. */
  retryMinMs?: number
  retryMaxMs?: number
  /** 10,000 by default. */
  connectTimeoutMs?: number
  /** After half as long a silence the gateway is asked if it is there; after twice, another connection is made. 15,000. */
  pingIntervalMs?: number
  /** A subscription that was accepted and is refused on a new connection is asked for again for this long. 60,000. */
  refusedForMs?: number
  /** Trades that may wait for one reader; the oldest go first. 10,000. */
  tradesMax?: number
  /** Is given each message of a subscription once, in order, after it was applied. For recorders. Must not throw. */
  onMessage?: (message: StreamMessage) => void
  /** Must not throw. */
  onEvent?: (event: ClientEvent) => void
  /** A number from 0 to below 1, for tests. */
  random?: () => number
}

/** Market ids, or another way to say which markets. */
export type Markets = readonly string[] | MarketChoice

export interface ReadOptions {
  /** Ends the iterator, which then throws the signal's reason. */
  signal?: AbortSignal
}

export interface DepthOptions extends ReadOptions {
  /** Levels a side, 10 by default. */
  depth?: number
  /** Shortest time between two messages, 1,000 by default. */
  intervalMs?: number
}

export interface HealthOptions extends ReadOptions {
  /** 5,000 by default. */
  intervalMs?: number
}

/** What happened since the start. */
export interface ClientStatistics {
  /** Connections that were opened. */
  connections: number
  messages: number
  /** Subscriptions that went on where they had been, and that began anew after they had been accepted once. */
  resumed: number
  restarted: number
  /** Times that the gateway left messages out because we read too slowly. */
  lags: number
  /** Messages that had come before: left. */
  duplicates: number
  /** Times that a message before the one that came was missing: another connection was made. */
  missing: number
  /** Messages that are none, and types that this client does not know: left. */
  unknown: number
  /** Values that were replaced by a later one before a reader took them. */
  conflated: number
  /** Trades that were dropped because their reader was too slow. */
  tradesDropped: number
}

export const NO_STATISTICS: ClientStatistics = {
  connections: 0,
  messages: 0,
  resumed: 0,
  restarted: 0,
  lags: 0,
  duplicates: 0,
  missing: 0,
  unknown: 0,
  conflated: 0,
  tradesDropped: 0
}
