import type { EventHeader } from '../../../schemas/event.ts'
import type { Market } from '../../../schemas/market.ts'

/**
 * What a venue says of a market from now on, as a raw journal keeps it. It must stand before the first frame of the
 * market's book, so it is written in the turn in which the store learned it, or in the next.
 */
export interface MarketBody {
  market: Market
  rules: string
  event: EventHeader | null
  /** The market is no longer served. */
  removed?: true
}

export function formatMarketBody(body: MarketBody): string {
  return JSON.stringify(body)
}

/** Returns what `formatMarketBody` wrote. */
export function parseMarketBody(text: string): MarketBody {
  return JSON.parse(text) as MarketBody
}
