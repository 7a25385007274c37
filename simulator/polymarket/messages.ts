import { priceText, sizeText } from '../model/decimal.ts'
import type { LevelChange, SimMarket, SimTrade } from '../model/types.ts'
import {
  type BestTexts,
  type BookView,
  hashView,
  levelTexts,
  MIN_ORDER_SIZE,
  type Outcome,
  outcomePrice,
  outcomeSide
} from './book-view.ts'
import { feeSchedule } from './fees.ts'

// Built by hand: the order of the keys and the blanks are the venue's, and clients have leaned on both.

/** Returns one element of the first array of a subscription: compact, in the dump's key order. */
export function dumpBook(view: BookView, outcome: Outcome): string {
  const { bids, asks } = levelTexts(view, outcome, ',')
  return (
    `{"market":"${view.market.id}","asset_id":"${view.market.tokens[outcome]}",` +
    `"timestamp":"${view.timestamp}","hash":"${hashView(view, outcome)}","bids":[${bids}],"asks":[${asks}],` +
    `"tick_size":"${view.tickSize}","event_type":"book","last_trade_price":"${view.lastTradePrice}"}`
  )
}

/** Returns a book as REST answers it. */
export function restBook(view: BookView, outcome: Outcome): string {
  const { bids, asks } = levelTexts(view, outcome, ',')
  return (
    `{"market":"${view.market.id}","asset_id":"${view.market.tokens[outcome]}",` +
    `"timestamp":"${view.timestamp}","hash":"${hashView(view, outcome)}","bids":[${bids}],"asks":[${asks}],` +
    `"min_order_size":"${MIN_ORDER_SIZE}","tick_size":"${view.tickSize}","neg_risk":${view.market.negRisk},` +
    `"last_trade_price":"${view.lastTradePrice}"}`
  )
}

/** Returns the book that follows a match: another key order, no tick size, no last trade. */
export function tradeBook(view: BookView, outcome: Outcome): string {
  const { bids, asks } = levelTexts(view, outcome, ', ')
  return (
    `{"market":"${view.market.id}", "asset_id":"${view.market.tokens[outcome]}", "bids":[${bids}], ` +
    `"asks":[${asks}], "hash":"${hashView(view, outcome)}", "timestamp":"${view.timestamp}", "event_type":"book"}`
  )
}

/** What is the same in every element of one group of changes. */
export interface GroupState {
  timestamp: string
  hashes: readonly [string, string]
  best: readonly [BestTexts, BestTexts]
}

/** Returns a change of one level, on both tokens, the one of `native` first. */
export function priceChange(
  market: SimMarket,
  change: LevelChange,
  native: Outcome,
  state: GroupState
): string {
  const element = (outcome: Outcome) => {
    const { bid, ask } = state.best[outcome]
    return (
      `{"asset_id":"${market.tokens[outcome]}", "price":"${priceText(outcomePrice(change.priceE4, outcome))}", ` +
      `"size":"${sizeText(change.sizeE6)}", ` +
      `"side":"${outcomeSide(change.side, outcome) === 'bid' ? 'BUY' : 'SELL'}", "hash":"${state.hashes[outcome]}"` +
      `${bid === null ? '' : `, "best_bid":"${bid}"`}${ask === null ? '' : `, "best_ask":"${ask}"`}}`
    )
  }
  return (
    `{"market":"${market.id}", "price_changes":[${element(native)}, ${element(native === 0 ? 1 : 0)}], ` +
    `"timestamp":"${state.timestamp}", "event_type":"price_change"}`
  )
}

export function bestBidAsk(market: SimMarket, outcome: Outcome, best: BestTexts, timestamp: string): string {
  return (
    `{"market":"${market.id}", "asset_id":"${market.tokens[outcome]}"` +
    `${best.bid === null ? '' : `, "best_bid":"${best.bid}"`}${best.ask === null ? '' : `, "best_ask":"${best.ask}"`}` +
    `, "spread":"${best.spread}", "timestamp":"${timestamp}", "event_type":"best_bid_ask"}`
  )
}

/** Returns a trade, told on the first outcome's token. */
export function lastTradePrice(
  market: SimMarket,
  trade: SimTrade,
  transactionHash: string,
  timestamp: string
) {
  return (
    `{"market":"${market.id}", "asset_id":"${market.tokens[0]}", "price":"${priceText(trade.priceE4)}", ` +
    `"size":"${sizeText(trade.sizeE6)}", "fee_rate_bps":"0", "side":"${trade.taker === 'buy' ? 'BUY' : 'SELL'}", ` +
    `"timestamp":"${timestamp}", "event_type":"last_trade_price", "transaction_hash":"${transactionHash}"}`
  )
}

export function tickSizeChange(
  market: SimMarket,
  outcome: Outcome,
  oldTickE4: number,
  timestamp: string
): string {
  return (
    `{"market":"${market.id}", "asset_id":"${market.tokens[outcome]}", "old_tick_size":"${priceText(oldTickE4)}", ` +
    `"new_tick_size":"${priceText(market.tickE4)}", "timestamp":"${timestamp}", "event_type":"tick_size_change"}`
  )
}

export function newMarket(market: SimMarket, timestamp: string): string {
  return spaced({
    id: market.uid,
    question: market.title,
    market: market.id,
    slug: market.slug,
    description: market.rules,
    assets_ids: market.tokens,
    outcomes: [market.yesLabel, market.noLabel],
    event_message: eventMessage(market),
    timestamp,
    event_type: 'new_market',
    tags: market.event.tags.map((tag) => tag.slug),
    condition_id: market.id,
    active: true,
    clob_token_ids: market.tokens,
    sports_market_type: market.event.category === 'Sports' ? 'moneyline' : '',
    line: '',
    game_start_time: '',
    order_price_min_tick_size: priceText(market.tickE4),
    group_item_title: market.groupLabel,
    taker_base_fee: '1000',
    fees_enabled: true,
    fee_schedule: feeSchedule(market)
  })
}

export function marketResolved(market: SimMarket, timestamp: string): string {
  const winner: Outcome = market.result === 'yes' ? 0 : 1
  return spaced({
    id: market.uid,
    market: market.id,
    assets_ids: market.tokens,
    winning_asset_id: market.tokens[winner],
    winning_outcome: winner === 0 ? market.yesLabel : market.noLabel,
    timestamp,
    event_type: 'market_resolved',
    tags: market.event.tags.map((tag) => tag.slug),
    event_message: eventMessage(market)
  })
}

function eventMessage(market: SimMarket) {
  const { id, slug, title } = market.event
  return { id, ticker: slug, slug, title, description: market.rules }
}

/** Returns JSON with a blank after each comma between members, none after colons. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${spaced(member)}`)
  return `{${members.join(', ')}}`
}
