import type { Market } from '../../schemas/market.ts'

/** A served market: where its book is, and what its venue says of it. */
export interface MarketRecord {
  readonly slot: number
  readonly id: string
  market: Market
  /** The venue's settlement rules; empty where it gives none. */
  rules: string
  /** Newer whenever `market` or `rules` change, and never that of another market. */
  metaVersion: number
}
