import type { SimEvent, SimMarket } from '../model/types.ts'

/**
 * Combos kept; a new one pushes the oldest out, as the venue lists about a million a day and nearly none
 * trades.
 */
const KEPT = 2_000
const DAY_MS = 86_400_000

/**
 * The multivariate markets of the venue: many, mostly empty, and outside the model's truth. Their books do
 * not move.
 */
export interface Combos {
  list(): SimMarket[]
  get(ticker: string): SimMarket | undefined
  /** Lists one more and returns it. */
  create(): SimMarket
}

/** Creates `count` combos. */
export function createCombos(count: number, clock: () => number, random: () => number): Combos {
  const combos = new Map<string, SimMarket>()
  const hex = (length: number): string =>
    Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')

  const create = (): SimMarket => {
    const series = random() < 0.5 ? 'KXMVESPORTSMULTIGAMEEXTENDED' : 'KXMVECROSSCATEGORY'
    const eventTicker = `${series}-S2026${hex(11).toUpperCase()}`
    const now = clock()
    const event: SimEvent = {
      venue: 'kalshi',
      id: eventTicker,
      slug: '',
      series,
      title: 'Combo',
      category: 'Exotics',
      tags: [],
      mutuallyExclusive: false,
      markets: []
    }
    const combo: SimMarket = {
      venue: 'kalshi',
      id: `${eventTicker}-${hex(11).toUpperCase()}`,
      event,
      title: 'yes One: 10+,yes Another: 6+',
      yesLabel: 'yes One: 10+,yes Another: 6+',
      noLabel: 'yes One: 10+,yes Another: 6+',
      rules: '',
      tokens: ['', ''],
      uid: `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
      slug: '',
      status: 'active',
      result: null,
      openMs: now,
      closeMs: now + 14 * DAY_MS,
      createdMs: now,
      updatedMs: now,
      tickE4: 10,
      negRisk: false,
      volumeE6: 0,
      volume24hE6: 0,
      lastTrade: null,
      changedMs: now,
      // Under a tenth is ever quoted, and then on the ask: a NO bid.
      book: {
        bids: new Map(),
        asks: new Map(random() < 0.09 ? [[10 * (1 + Math.floor(random() * 400)), 100_000_000]] : [])
      },
      twinOf: null,
      groupLabel: '',
      strike: { type: 'custom', floor: null, cap: null }
    }
    event.markets.push(combo)
    combos.set(combo.id, combo)
    if (combos.size > KEPT) {
      const oldest = combos.keys().next().value
      if (oldest !== undefined) combos.delete(oldest)
    }
    return combo
  }

  for (let n = 0; n < count; n++) create()
  return { list: () => [...combos.values()], get: (ticker) => combos.get(ticker), create }
}
