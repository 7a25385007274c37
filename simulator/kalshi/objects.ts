import type { PriceE4, SimEvent, SimMarket, SimTrade, TrueBook } from '../model/types.ts'
import { bidLevels, type Top, topOf } from './book.ts'
import { countText, priceText, timeText } from './text.ts'

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** The quotes of a market at an earlier time, for the `previous_*` fields. */
export interface Reference {
  top: Top
  priceE4: PriceE4
}

/** What objects tell that the market itself does not know. */
export interface Past {
  /** Undefined for a market younger than the reference time. */
  reference(market: SimMarket): Reference | undefined
  /** When its description last changed, ms; trading does not count. */
  updatedMs(market: SimMarket): number
}

/** Labels of grids with one step; the venue's bands are in `price_ranges`, and only those bind. */
const STRUCTURES = new Map<PriceE4, string>([
  [100, 'linear_cent'],
  [50, 'center_half_edge_half_cent'],
  [20, 'center_quint_edge_quint_cent'],
  [10, 'deci_cent'],
  [1, 'banded_centi_cent']
])

const DAY_MS = 86_400_000

/** Returns the words under which a market stands in `Market.status`. */
export function statusWord(market: SimMarket): string {
  switch (market.status) {
    case 'paused':
      return 'inactive'
    case 'settled':
      return 'finalized'
    case 'closed':
      return market.result === null ? 'closed' : 'determined'
    default:
      return market.status
  }
}

/**
 * Returns whether a market is a combo (multivariate): those have lists and a lifecycle channel of their own.
 */
export function isCombo(ticker: string): boolean {
  return ticker.startsWith('KXMVE')
}

/** Returns the label and the bands of a tick grid. */
export function priceGrid(tickE4: PriceE4): { price_level_structure: string; price_ranges: JsonObject[] } {
  return {
    price_level_structure: STRUCTURES.get(tickE4) ?? '',
    price_ranges: [{ end: '1.0000', start: '0.0000', step: priceText(tickE4) }]
  }
}

/** Returns the shard that lists an event. */
export function exchangeIndex(event: SimEvent): number {
  if (isCombo(event.id)) return 1
  return /^crypto/i.test(event.category) ? 2 : 0
}

/** Returns the fields that say what a market measures; only those that apply. */
export function strikeFields({ strike, yesLabel }: SimMarket): JsonObject {
  const fields: JsonObject = strike.type === 'custom' ? { custom_strike: { outcome: yesLabel } } : {}
  if (strike.floor !== null) fields.floor_strike = strike.floor
  if (strike.cap !== null) fields.cap_strike = strike.cap
  return fields
}

/** Returns contracts held: the model counts none, so half of what was ever traded stands for them. */
export function openInterestE6(market: SimMarket): number {
  return Math.floor(market.volumeE6 / 20_000) * 10_000
}

/** Returns the Market object of the protocol page, section 4.1. */
export function marketObject(market: SimMarket, past: Past): JsonObject {
  const { event } = market
  const reference = past.reference(market)
  const updatedTime = timeText(past.updatedMs(market))
  const top = topOf(market.book)
  const expiration = timeText(market.closeMs + 7 * DAY_MS)
  const combo = isCombo(market.id)
  const object: JsonObject = {
    can_close_early: !combo,
    close_time: timeText(market.closeMs),
    created_time: timeText(market.createdMs),
    event_ticker: event.id,
    exchange_index: exchangeIndex(event),
    expected_expiration_time: timeText(market.closeMs + 300_000),
    expiration_time: expiration,
    expiration_value: market.status === 'settled' && market.result === 'yes' ? market.yesLabel : '',
    last_price_dollars: priceText(market.lastTrade?.priceE4 ?? 0),
    latest_expiration_time: expiration,
    liquidity_dollars: '0.0000',
    market_type: 'binary',
    no_ask_dollars: priceText(10_000 - top.bidE4),
    no_bid_dollars: priceText(10_000 - top.askE4),
    no_sub_title: market.noLabel,
    notional_value_dollars: '1.0000',
    occurrence_datetime: timeText(market.closeMs + 300_000),
    open_interest_fp: countText(openInterestE6(market)),
    open_time: timeText(market.openMs),
    previous_price_dollars: priceText(reference?.priceE4 ?? 0),
    previous_yes_ask_dollars: priceText(reference?.top.askE4 ?? 0),
    previous_yes_bid_dollars: priceText(reference?.top.bidE4 ?? 0),
    ...priceGrid(market.tickE4),
    result: market.result ?? '',
    rules_primary: combo ? '' : market.rules,
    rules_secondary: combo ? '' : 'If the event is called off, the market resolves to a fair price.',
    settlement_timer_seconds: 60,
    status: statusWord(market),
    strike_type: market.strike.type,
    ticker: market.id,
    title: market.title,
    updated_time: updatedTime,
    volume_24h_fp: countText(market.volume24hE6),
    volume_fp: countText(market.volumeE6),
    yes_ask_dollars: priceText(top.askE4),
    yes_ask_size_fp: countText(top.askSizeE6),
    yes_bid_dollars: priceText(top.bidE4),
    yes_bid_size_fp: countText(top.bidSizeE6),
    yes_sub_title: market.yesLabel
  }
  if (combo) {
    object.is_provisional = true
    object.mve_collection_ticker = `${event.series}-R`
    object.mve_selected_legs = []
  } else {
    Object.assign(object, strikeFields(market))
    object.early_close_condition = 'This market will close and expire after an outcome is declared.'
  }
  if (market.result !== null) object.settlement_value_dollars = market.result === 'yes' ? '1.0000' : '0.0000'
  if (market.status === 'settled') object.settlement_ts = updatedTime
  return object
}

/** Returns the Event object of section 4.2, with every market of the event where they are to be nested. */
export function eventObject(event: SimEvent, past: Past, isNested: boolean): JsonObject {
  const updatedMs = Math.max(0, ...event.markets.map((market) => past.updatedMs(market)))
  const object: JsonObject = {
    available_on_brokers: false,
    category: event.category,
    collateral_return_type: event.mutuallyExclusive ? 'MECNET' : '',
    event_ticker: event.id,
    exchange_index: exchangeIndex(event),
    last_updated_ts: timeText(updatedMs),
    mutually_exclusive: event.mutuallyExclusive,
    product_metadata: {},
    series_ticker: event.series,
    settlement_sources: [{ name: 'Simulator', url: 'http://127.0.0.1/' }],
    strike_period: '',
    sub_title: event.slug,
    title: event.title
  }
  if (isNested) object.markets = event.markets.map((market) => marketObject(market, past))
  return object
}

/** Returns the Series object of section 4.3, made from the events that carry its ticker. */
export function seriesObject(
  ticker: string,
  events: SimEvent[],
  past: Past,
  includeVolume: boolean
): JsonObject {
  const [first] = events
  const markets = events.flatMap((event) => event.markets)
  const object: JsonObject = {
    additional_prohibitions: [],
    categories: first ? [first.category] : [],
    category: first?.category ?? '',
    contract_terms_url: '',
    contract_url: '',
    exchange_index: first ? exchangeIndex(first) : 0,
    fee_multiplier: 1,
    fee_type: 'quadratic',
    frequency: 'custom',
    last_updated_ts: timeText(Math.max(0, ...markets.map((market) => past.updatedMs(market)))),
    product_metadata: {},
    settlement_sources: [{ name: 'Simulator', url: 'http://127.0.0.1/' }],
    tags: first && first.tags.length > 0 ? first.tags.map((tag) => tag.label) : null,
    ticker,
    title: first?.title ?? ''
  }
  if (includeVolume) object.volume_fp = countText(markets.reduce((sum, market) => sum + market.volumeE6, 0))
  return object
}

/** Returns the trade object of section 4.4. */
export function tradeObject(ticker: string, trade: SimTrade): JsonObject {
  const yes = trade.taker === 'buy'
  return {
    count_fp: countText(trade.sizeE6),
    created_time: timeText(trade.atMs),
    is_block_trade: false,
    no_price_dollars: priceText(10_000 - trade.priceE4),
    taker_book_side: yes ? 'bid' : 'ask',
    taker_outcome_side: yes ? 'yes' : 'no',
    taker_side: yes ? 'yes' : 'no',
    ticker,
    trade_id: trade.id,
    yes_price_dollars: priceText(trade.priceE4)
  }
}

/**
 * Returns the REST order book: bids of both outcomes in ascending price; `depth` keeps that many best, 0
 * all.
 */
export function orderbookObject(book: TrueBook, depth: number): JsonObject {
  const side = (name: 'yes' | 'no'): Json =>
    bidLevels(book, name)
      .slice(depth === 0 ? 0 : -depth)
      .map(([price, size]) => [priceText(price), countText(size)])
  return { no_dollars: side('no'), yes_dollars: side('yes') }
}
