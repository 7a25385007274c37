import type { SimMarket } from '../model/types.ts'

export interface FeeSchedule {
  rate: number
  exponent: number
  takerOnly: boolean
  rebateRate: number
}

const BY_CATEGORY: Record<string, { type: string; schedule: FeeSchedule }> = {
  Crypto: { type: 'crypto_fees_v2', schedule: { rate: 0.07, exponent: 1, takerOnly: true, rebateRate: 0.2 } },
  Sports: {
    type: 'sports_fees_v2',
    schedule: { rate: 0.05, exponent: 1, takerOnly: true, rebateRate: 0.15 }
  },
  Politics: {
    type: 'politics_fees',
    schedule: { rate: 0.04, exponent: 1, takerOnly: true, rebateRate: 0.25 }
  }
}
const OTHER = {
  type: 'general_fees',
  schedule: { rate: 0.05, exponent: 1, takerOnly: true, rebateRate: 0.25 }
}

/** Returns what takers pay on a market: `fee = shares × rate × (p × (1 − p))^exponent`. */
export function feeSchedule(market: SimMarket): FeeSchedule {
  return (BY_CATEGORY[market.event.category] ?? OTHER).schedule
}

export function feeType(market: SimMarket): string {
  return (BY_CATEGORY[market.event.category] ?? OTHER).type
}
