import { bestPrice } from '../model/book.ts'
import { priceText } from '../model/decimal.ts'
import type { SimEvent, SimMarket } from '../model/types.ts'
import { MIN_ORDER_SIZE } from './book-view.ts'
import { feeSchedule, feeType } from './fees.ts'

/** Prices in Gamma are a cache's: this old at most. */
const PRICES_CACHED_MS = 5_000

interface CachedPrices {
  atMs: number
  bid: number | undefined
  ask: number | undefined
  last: number | undefined
}

/** Builds the objects of the discovery server. */
export class GammaObjects {
  readonly #prices = new WeakMap<SimMarket, CachedPrices>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  event(event: SimEvent) {
    const first = event.markets[0]
    const closeMs = Math.max(0, ...event.markets.map((market) => market.closeMs))
    const volume = contracts(event.markets.reduce((sum, market) => sum + market.volumeE6, 0))
    const negRisk = event.markets.some((market) => market.negRisk)
    return {
      ...this.#trimmedEvent(event),
      startDate: microTime(first?.openMs ?? 0),
      creationDate: microTime(first?.createdMs ?? 0),
      createdAt: microTime(first?.createdMs ?? 0),
      updatedAt: microTime(Math.max(0, ...event.markets.map((market) => market.updatedMs))),
      endDate: secondTime(closeMs),
      new: false,
      featured: false,
      restricted: true,
      liquidity: liquidityOf(event.markets),
      volume,
      volume24hr: contracts(event.markets.reduce((sum, market) => sum + market.volume24hE6, 0)),
      openInterest: 0,
      enableOrderBook: true,
      negRisk,
      enableNegRisk: negRisk,
      ...(negRisk ? { negRiskMarketID: negRiskId(event) } : {}),
      negRiskAugmented: false,
      seriesSlug: event.series.toLowerCase(),
      markets: event.markets.map((market) => this.market(market, false)),
      tags: event.tags.map((tag) => ({ ...tag, forceShow: false }))
    }
  }

  /** Returns one market; its event goes along unless the market stands inside it. */
  market(market: SimMarket, withEvent: boolean) {
    const prices = this.#pricesOf(market)
    const isClosed = market.status === 'closed' || market.status === 'settled'
    const volume = contracts(market.volumeE6)
    const volume24hr = contracts(market.volume24hE6)
    const liquidity = liquidityOf([market])
    return {
      id: market.uid,
      question: market.title,
      conditionId: market.id,
      slug: market.slug,
      endDate: secondTime(market.closeMs),
      endDateIso: day(market.closeMs),
      startDate: microTime(market.openMs),
      startDateIso: day(market.openMs),
      createdAt: microTime(market.createdMs),
      updatedAt: microTime(market.updatedMs),
      description: market.rules,
      image: '',
      icon: '',
      outcomes: spacedTexts([market.yesLabel, market.noLabel]),
      outcomePrices: spacedTexts(outcomePrices(market, prices)),
      // Before the market is deployed there are no tokens yet.
      clobTokenIds: market.status === 'initialized' ? '[]' : spacedTexts(market.tokens),
      ...(isSecondVersion(market) ? { version: 'v2', positionIds: market.tokens } : {}),
      // Where nothing was ever traded the field is missing, not zero.
      ...(market.volumeE6 > 0 ? { volume: noisy(volume), volumeNum: volume, volumeClob: volume } : {}),
      volume24hr,
      liquidity: noisy(liquidity),
      liquidityNum: liquidity,
      liquidityClob: liquidity,
      active: true,
      closed: isClosed,
      archived: false,
      // A closed market that says it accepts orders exists on the venue.
      acceptingOrders: market.status === 'active' || (isClosed && market.uid.endsWith('7')),
      acceptingOrdersTimestamp: secondTime(market.openMs),
      enableOrderBook: true,
      ready: false,
      funded: false,
      approved: true,
      restricted: true,
      new: false,
      featured: false,
      cyom: false,
      questionID: '',
      marketMakerAddress: '',
      orderPriceMinTickSize: market.tickE4 / 10_000,
      orderMinSize: Number(MIN_ORDER_SIZE),
      groupItemTitle: market.groupLabel,
      groupItemThreshold: String(market.event.markets.indexOf(market)),
      negRisk: market.negRisk,
      negRiskOther: false,
      ...(market.negRisk ? { negRiskMarketID: negRiskId(market.event) } : {}),
      ...(prices.bid === undefined ? {} : { bestBid: prices.bid / 10_000 }),
      bestAsk: (prices.ask ?? 10_000) / 10_000,
      spread: ((prices.ask ?? 10_000) - (prices.bid ?? 0)) / 10_000,
      ...(prices.last === undefined ? {} : { lastTradePrice: prices.last / 10_000 }),
      feesEnabled: true,
      feeType: feeType(market),
      feeSchedule: feeSchedule(market),
      makerBaseFee: 1000,
      takerBaseFee: 1000,
      umaResolutionStatuses: market.status === 'settled' ? '["proposed", "resolved"]' : '[]',
      ...(market.status === 'settled' ? { umaResolutionStatus: 'resolved' } : {}),
      ...(isClosed ? { closedTime: blankTime(market.closeMs) } : {}),
      ...(market.event.category === 'Sports'
        ? {
            gameStartTime: blankTime(market.closeMs - 10_800_000),
            sportsMarketType: 'moneyline',
            secondsDelay: 3
          }
        : {}),
      pendingDeployment: market.status === 'initialized',
      deploying: false,
      automaticallyActive: true,
      clearBookOnStart: false,
      rfqEnabled: false,
      holdingRewardsEnabled: false,
      ...(withEvent ? { events: [this.#trimmedEvent(market.event)] } : {})
    }
  }

  #trimmedEvent(event: SimEvent) {
    return {
      id: event.id,
      ticker: event.slug,
      slug: event.slug,
      title: event.title,
      description: event.markets[0]?.rules ?? '',
      active: true,
      closed: isEventClosed(event),
      archived: false
    }
  }

  #pricesOf(market: SimMarket): CachedPrices {
    const nowMs = this.#now()
    const cached = this.#prices.get(market)
    if (cached !== undefined && nowMs - cached.atMs < PRICES_CACHED_MS) return cached
    const prices = {
      atMs: nowMs,
      bid: bestPrice(market.book, 'bid'),
      ask: bestPrice(market.book, 'ask'),
      last: market.lastTrade?.priceE4
    }
    this.#prices.set(market, prices)
    return prices
  }
}

/** An event is not closed until all its markets are. */
export function isEventClosed(event: SimEvent): boolean {
  return event.markets.every((market) => market.status === 'closed' || market.status === 'settled')
}

/** Contracts resting, as the discovery server counts liquidity: a plain number. */
export function liquidityOf(markets: SimMarket[]): number {
  let sumE6 = 0
  for (const { book } of markets) {
    for (const size of book.bids.values()) sumE6 += size
    for (const size of book.asks.values()) sumE6 += size
  }
  return contracts(sumE6)
}

export function contracts(sizeE6: number): number {
  return sizeE6 / 1_000_000
}

function outcomePrices(market: SimMarket, prices: CachedPrices): [string, string] {
  if (market.result !== null) return market.result === 'yes' ? ['1', '0'] : ['0', '1']
  const midE4 = Math.floor(((prices.bid ?? 0) + (prices.ask ?? 10_000)) / 2)
  return [priceText(midE4), priceText(10_000 - midE4)]
}

function isSecondVersion(market: SimMarket): boolean {
  return market.id.length === 64
}

function negRiskId(event: SimEvent): string {
  return `0x${Number(event.id).toString(16).padStart(64, 'a')}`
}

/** Returns a list as the text of JSON that the venue puts into a field. */
function spacedTexts(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(', ')}]`
}

/** Returns a sum as the venue prints it: with the noise of binary fractions. */
function noisy(value: number): string {
  return Number.isInteger(value) ? String(value) : String(value + 1e-9)
}

function secondTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}123Z`
}

function blankTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}+00`
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
