import type { Venue } from '../../schemas/common.ts'
import type { VerdictSource } from '../integrity/verdict.ts'
import type { Counters } from './counters.ts'

/** Where a connection of ours stands. `refused` means that the venue rejected our credentials: we do not loop. */
export type ConnectionState = 'idle' | 'connecting' | 'open' | 'waiting' | 'refused' | 'stopped'

export interface ConnectionStatus {
  name: string
  state: ConnectionState
  /** Markets subscribed on it. */
  markets: number
  connectedAtMs: number | null
  lastMessageAtMs: number | null
  messages: number
  /** Times that it was opened again after a loss. */
  reconnects: number
  lastError: string | null
}

export interface DiscoveryStatus {
  lastAtMs: number | null
  /** Markets that the last discovery selected. */
  selected: number
  lastError: string | null
}

export interface RestStatus {
  requests: number
  failures: number
  retries: number
  lastError: string | null
}

/** What a venue's feed says of itself; the health route adds the books by state. */
export interface FeedStatus {
  venue: Venue
  source: VerdictSource
  /** True once discovery is done and every selected book has had its first snapshot or its time for one. */
  synced: boolean
  /** One sentence when something keeps the feed from its full work; null otherwise. */
  note: string | null
  connections: ConnectionStatus[]
  discovery: DiscoveryStatus
  rest: RestStatus
  counters: Counters
}

/** One venue's way in: discovers markets, keeps their books in the store, and says how it is doing. */
export interface VenueFeed {
  readonly venue: Venue
  /** Starts discovery and connections and returns at once; a venue that is down is retried, never thrown. */
  start(): void
  /** Stops everything it started, within a bounded time. */
  stop(): Promise<void>
  status(): FeedStatus
}
