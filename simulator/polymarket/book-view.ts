import { createHash } from 'node:crypto'
import { bestPrice, type Level, sortedLevels } from '../model/book.ts'
import { priceText, sizeText } from '../model/decimal.ts'
import type { PriceE4, Side, SimMarket } from '../model/types.ts'

export type Outcome = 0 | 1

/** Resting orders below which the venue refuses; part of the book hash. */
export const MIN_ORDER_SIZE = '5'

/** One market's book as it stood at one moment. */
export interface BookView {
  market: SimMarket
  /** Venue time of the last change, decimal epoch milliseconds. */
  timestamp: string
  /** In YES terms, ascending. */
  bids: Level[]
  /** In YES terms, descending. */
  asks: Level[]
  tickSize: string
  /** The market's last trade, the same text for both tokens; empty if never traded. */
  lastTradePrice: string
}

/** The texts that the hash of one token's book is made of. */
export interface HashInput {
  market: string
  assetId: string
  timestamp: string
  /** The compact JSON of the levels between the brackets: bids ascending, asks descending. */
  bids: string
  asks: string
  minOrderSize: string
  tickSize: string
  negRisk: boolean
  lastTradePrice: string
}

/** Returns the book of a market as it stands now; `clockOffsetMs` is how far the venue's clock is ahead. */
export function viewBook(market: SimMarket, clockOffsetMs: number): BookView {
  return {
    market,
    timestamp: String(market.changedMs + clockOffsetMs),
    bids: sortedLevels(market.book, 'bid').reverse(),
    asks: sortedLevels(market.book, 'ask').reverse(),
    tickSize: priceText(market.tickE4),
    lastTradePrice: market.lastTrade === null ? '' : lastTradeText(market.lastTrade.priceE4)
  }
}

/** Returns a price as a book prints its last trade: three decimals, four where the tick needs them. */
export function lastTradeText(priceE4: PriceE4): string {
  const fraction = String(priceE4 % 10_000).padStart(4, '0')
  return `${Math.floor(priceE4 / 10_000)}.${priceE4 % 10 === 0 ? fraction.slice(0, 3) : fraction}`
}

/** Returns the price that an outcome's book shows for a YES price: the complement's book is the mirror. */
export function outcomePrice(priceE4: PriceE4, outcome: Outcome): PriceE4 {
  return outcome === 0 ? priceE4 : 10_000 - priceE4
}

/** Returns the side of an outcome's book on which a YES side shows. */
export function outcomeSide(side: Side, outcome: Outcome): Side {
  if (outcome === 0) return side
  return side === 'bid' ? 'ask' : 'bid'
}

/** Returns the levels of one token's book as JSON between the brackets, compact or with a blank after each comma. */
export function levelTexts(
  view: BookView,
  outcome: Outcome,
  comma: ',' | ', '
): { bids: string; asks: string } {
  const texts = (levels: Level[]) =>
    levels
      .map(
        ([price, size]) =>
          `{"price":"${priceText(outcomePrice(price, outcome))}"${comma}"size":"${sizeText(size)}"}`
      )
      .join(comma)
  // A mirrored ask list that falls becomes a bid list that rises: the order needs no turning.
  return outcome === 0
    ? { bids: texts(view.bids), asks: texts(view.asks) }
    : { bids: texts(view.asks), asks: texts(view.bids) }
}

/** Returns the hash of one token's book. */
export function hashView(view: BookView, outcome: Outcome): string {
  const { bids, asks } = levelTexts(view, outcome, ',')
  return hashBook({
    market: view.market.id,
    assetId: view.market.tokens[outcome],
    timestamp: view.timestamp,
    bids,
    asks,
    minOrderSize: MIN_ORDER_SIZE,
    tickSize: view.tickSize,
    negRisk: view.market.negRisk,
    lastTradePrice: view.lastTradePrice
  })
}

/** Returns SHA-1, in hexadecimal, of the ten fields that the venue hashes, in its order. */
export function hashBook(input: HashInput): string {
  const text =
    `{"market":"${input.market}","asset_id":"${input.assetId}","timestamp":"${input.timestamp}","hash":"",` +
    `"bids":[${input.bids}],"asks":[${input.asks}],"min_order_size":"${input.minOrderSize}",` +
    `"tick_size":"${input.tickSize}","neg_risk":${input.negRisk},"last_trade_price":"${input.lastTradePrice}"}`
  return createHash('sha1').update(text).digest('hex')
}

/** The best prices of one token as texts; how an empty side reads is a choice of the venue's day. */
export interface BestTexts {
  bid: string | null
  ask: string | null
  spread: string
}

/** Returns the best prices of one token. `form` is the `empty_side_notation` fault's. */
export function bestTexts(market: SimMarket, outcome: Outcome, form: string): BestTexts {
  const yesBid = bestPrice(market.book, 'bid')
  const yesAsk = bestPrice(market.book, 'ask')
  const [bid, ask] = outcome === 0 ? [yesBid, yesAsk] : [yesAsk, yesBid]
  const text = (price: PriceE4 | undefined, empty: string) => {
    if (price !== undefined) return priceText(outcomePrice(price, outcome))
    if (form === 'absent') return null
    return form === 'empty' ? '' : empty
  }
  const spreadE4 = (yesAsk ?? 10_000) - (yesBid ?? 0)
  return { bid: text(bid, '0'), ask: text(ask, '1'), spread: priceText(spreadE4) }
}
