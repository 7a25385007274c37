import type { Market } from '../../schemas/market.ts'
import { kalshiTicker } from './kalshi.ts'
import { polymarketIds } from './polymarket.ts'

/** Returns what a venue would say of a synthetic market: texts as long as real ones. */
export function kalshiMarket(index: number): Market {
  const ticker = kalshiTicker(index)
  return {
    ...common(index),
    id: `kalshi:${ticker}`,
    venue: 'kalshi',
    venueMarketId: ticker,
    symbol: ticker,
    eventId: `kalshi:KXBENCH-${Math.floor(index / 10)}`,
    tokens: null,
    minOrderSize: null,
    volumeUnit: 'contracts'
  }
}

export function polymarketMarket(index: number): Market {
  const { conditionId, yes, no } = polymarketIds(index)
  return {
    ...common(index),
    id: `polymarket:${conditionId}`,
    venue: 'polymarket',
    venueMarketId: conditionId,
    symbol: `will-the-measured-value-of-series-${index}-close-above-its-strike`,
    eventId: `polymarket:${Math.floor(index / 10)}`,
    tokens: { yes, no },
    minOrderSize: '5',
    volumeUnit: 'dollars',
    openInterest: null
  }
}

type Common = Omit<
  Market,
  'id' | 'venue' | 'venueMarketId' | 'symbol' | 'eventId' | 'tokens' | 'minOrderSize' | 'volumeUnit'
>

function common(index: number): Common {
  return {
    title: `Will the measured value of series ${index} close above its strike?`,
    outcomes: { yes: 'Yes', no: 'No' },
    status: 'open',
    result: null,
    openTime: '2026-11-01T15:00:00.000Z',
    closeTime: '2026-12-31T23:59:00.000Z',
    eventStartTime: null,
    priceBands: [{ start: '0', end: '1', step: '0.001' }],
    volume: String(1_000 + index),
    volume24h: String(100 + (index % 997)),
    openInterest: String(5_000 + index)
  }
}
