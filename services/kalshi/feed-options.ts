import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../schemas/config.ts'
import type { Market } from '../../schemas/market.ts'
import type { Incidents } from '../integrity/incidents.ts'
import type { MarketSink } from '../venue/catalogue.ts'
import type { HistoryTaps } from '../venue/wire-tap.ts'
import type { Signer } from './auth.ts'

export type KalshiSettings = Pick<
  Config,
  | 'KALSHI_HTTP_BASE'
  | 'KALSHI_WS_URL'
  | 'KALSHI_POLL_INTERVAL_MS'
  | 'KALSHI_SERIES'
  | 'KALSHI_TICKERS'
  | 'MAX_MARKETS_PER_VENUE'
  | 'REDISCOVERY_INTERVAL_MS'
  | 'ENDED_MARKET_RETENTION_MS'
  | 'SNAPSHOT_TIMEOUT_MS'
  | 'SILENT_AFTER_MS'
  | 'AUDIT_PERIOD_MS'
  | 'DIALS_PER_SECOND'
  | 'BREAKER_FAILURES'
  | 'BREAKER_OPEN_MS'
>

export interface KalshiFeedOptions {
  sink: MarketSink
  config: KalshiSettings
  /** Signs with the API key; null without one, and then the books are polled. */
  signer: Signer | null
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  incidents?: Incidents
  /** Who keeps history; null: nobody does, and trades are not subscribed. */
  history?: HistoryTaps | null
  /** Which markets are this process's to read: all, unless several share them. */
  reads?: (market: Market) => boolean
  /** For each way of mending a gap before the next is tried. */
  gapTimeoutMs?: number
  /** Between two looks at whether the exchange has paused trading. */
  pauseCheckMs?: number
  /** Between two looks at whether the venue takes a key that it has refused. */
  refusedRetryMs?: number
  now?: () => number
  /** Never jumps: for durations only. */
  steadyNow?: () => number
  random?: () => number
}
