import type { Venue } from '../../schemas/common.ts'
import type { AuditStatus } from '../integrity/audit-tally.ts'
import type { LivenessStatus } from '../integrity/liveness.ts'
import type { VerdictSource } from '../integrity/verdict.ts'
import type { Counters } from './counters.ts'
import type { RecycleOptions, VenueRecycle } from './recycle.ts'
import type { TradeNote } from './wire-tap.ts'

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
  /** Why it is not open, or did not open; null while it is. */
  lastError: string | null
  /** Around its dialling. */
  breaker: BreakerStatus
}

/** `half_open`: one trial is under way, and nothing else is let through. */
export type BreakerState = 'closed' | 'open' | 'half_open'

export interface BreakerStatus {
  state: BreakerState
  /** Times that it opened. */
  opened: number
  successes: number
  failures: number
  /** Calls that it did not let through. */
  rejected: number
  changedAtMs: number | null
}

export interface DiscoveryStatus {
  lastAtMs: number | null
  /** Markets that the last discovery selected. */
  selected: number
  lastError: string | null
}

/** One host that is asked over REST. */
export interface RestHostStatus {
  name: string
  requests: number
  failures: number
  retries: number
  /** What failed last; null once it answers again. */
  lastError: string | null
  breaker: BreakerStatus
  /** The present pace, in the venue's tokens; it falls with 429 and slow answers, and comes back slowly. */
  tokensPerSecond: number
  /** The pace when all is well. */
  tokensPerSecondMax: number
}

/** All hosts of a venue together, and each. */
export interface RestStatus extends Pick<RestHostStatus, 'requests' | 'failures' | 'retries' | 'lastError'> {
  hosts: RestHostStatus[]
}

/** How the losses of connections went. */
export interface RecoveryStatus {
  /** Connections that were open and were lost. */
  losses: number
  /** Losses after which every book was whole again. */
  recovered: number
  /** From the last loss that was recovered from to its last whole book; null before the first. */
  lastMs: number | null
  maxMs: number | null
  /** Books that were subscribed again after losses. */
  resubscribed: number
}

/** What a venue's feed says of itself; the health route adds the books by state. */
export interface FeedStatus {
  venue: Venue
  source: VerdictSource
  /** True once discovery is done and every selected book has had its first snapshot or its time for one. */
  synced: boolean
  /** One sentence when something keeps the feed from its full work; null otherwise. */
  note: string | null
  /** True when the venue refused our credentials, on any way in. */
  refused: boolean
  connections: ConnectionStatus[]
  discovery: DiscoveryStatus
  rest: RestStatus
  recovery: RecoveryStatus
  /** How the audits of streamed books went; null where books are polled, or are not audited. */
  audit: AuditStatus | null
  liveness: LivenessStatus | null
  /** What proofs by hash did, by name; null where the venue sends no hash. */
  proofs: Readonly<Record<string, number>> | null
  counters: Counters
}

/** Open, high, low and close: ten-thousandths of a dollar per contract, YES terms. */
interface Bar {
  open: number
  high: number
  low: number
  close: number
}

/** One minute of a market as the venue itself tells it afterwards. */
export interface VenueCandle {
  marketId: string
  fromMs: number
  bid: Bar
  ask: Bar
  /** Of trades; null where there were none. */
  price: Bar | null
  /** Millionths of a contract. */
  volume: number
}

/** One venue's way in: discovers markets, keeps their books in the store, and says how it is doing. */
export interface VenueFeed {
  readonly venue: Venue
  /** Starts discovery and connections and returns at once; a venue that is down is retried, never thrown. */
  start(): void
  /** Stops everything it started, within a bounded time. */
  stop(): Promise<void>
  status(): FeedStatus
  /** The markets that are followed now, by id; null before the first discovery. */
  followed(): ReadonlyMap<string, unknown> | null
  /** Other markets are this process's to read than before: follows those that came, lets go of those that went. */
  reselect(): void
  /** Milliseconds since the book in a slot was audited; null where it never was. */
  auditAgeMs(slot: number): number | null
  /** Renews every connection, make before break, and then what is known of the markets. One at a time. */
  recycle(options: RecycleOptions): Promise<VenueRecycle>
  /**
   * Returns the trades of a market with a venue's time from `fromMs` up to, not including, `toMs`, oldest first; null
   * where the venue has no such list, or the market is another venue's.
   *
   * @throws {VenueRestError} when it could not be asked; ask again later
   */
  fetchTrades(marketId: string, fromMs: number, toMs: number): Promise<TradeNote[] | null>
  /**
   * Returns the venue's own candles of the minutes that a range touches, as far as it has them; null where it keeps none,
   * or a market is another venue's.
   *
   * @throws {VenueRestError} when it could not be asked; ask again later
   */
  fetchCandles(marketIds: readonly string[], fromMs: number, toMs: number): Promise<VenueCandle[] | null>
}
