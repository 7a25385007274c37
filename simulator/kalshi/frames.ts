import type { LevelChange, SimMarket, SimTrade, TrueBook } from '../model/types.ts'
import { type BidSide, bidLevels, type Top } from './book.ts'
import { openInterestE6 } from './objects.ts'
import { countText, priceText, seconds, timeText } from './text.ts'

/**
 * The three forms that the venue's numbers have had: since 2026-03-12, in the weeks before, and until 2025.
 */
export type WireForm = 'fixed' | 'transition' | 'cents'

/** The venue's clock at one act of its engine. All messages that the act causes carry the same. */
export interface Stamp {
  ms: number
  /** 0 to 999, below the millisecond. */
  micros: number
}

export interface BookForm {
  form: WireForm
  /** `use_yes_price`: NO prices come on the YES scale. */
  yesPrice: boolean
}

/**
 * Returns a whole frame around a message body; `seq` and `id` null where the message has none.
 */
export function frame(
  type: string,
  sid: number,
  seq: number | null,
  body: string,
  id: number | null = null
): string {
  const idPart = id === null ? '' : `"id":${id},`
  const seqPart = seq === null ? '' : `"seq":${seq},`
  return `{"type":"${type}",${idPart}"sid":${sid},${seqPart}"msg":${body}}`
}

/**
 * The size of a level in whole contracts, as the cents form and the integer fields of the transition form
 * carried it.
 */
function wholeCount(sizeE6: number): number {
  return Math.floor(sizeE6 / 1_000_000)
}

/**
 * The levels that the cents form can say: whole cents, whole contracts. The others are not in its book at
 * all.
 */
export function centLevels(book: TrueBook, side: BidSide): [cents: number, count: number][] {
  return bidLevels(book, side)
    .filter(([price, size]) => price % 100 === 0 && size >= 1_000_000)
    .map(([price, size]) => [price / 100, wholeCount(size)])
}

function sideFields(book: TrueBook, side: BidSide, { form, yesPrice }: BookForm): string[] {
  const fields: string[] = []
  const onScale = (cents: number): number => (yesPrice && side === 'no' ? 100 - cents : cents)
  if (form !== 'fixed') {
    const cents = centLevels(book, side)
    if (cents.length > 0) {
      fields.push(`"${side}":[${cents.map(([price, count]) => `[${onScale(price)},${count}]`).join(',')}]`)
    }
    if (form === 'cents') return fields
  }
  const levels = bidLevels(book, side).map(
    ([price, size]) => [priceText(yesPrice && side === 'no' ? 10_000 - price : price), size] as const
  )
  if (levels.length === 0) return fields
  if (form === 'transition') {
    fields.push(`"${side}_dollars":[${levels.map(([p, s]) => `["${p}",${wholeCount(s)}]`).join(',')}]`)
  }
  fields.push(`"${side}_dollars_fp":[${levels.map(([p, s]) => `["${p}","${countText(s)}"]`).join(',')}]`)
  return fields
}

/** Returns the body of `orderbook_snapshot`; a side without levels has no key. */
export function snapshotBody(market: SimMarket, book: TrueBook, form: BookForm): string {
  const fields = [...sideFields(book, 'yes', form), ...sideFields(book, 'no', form)]
  return `{"market_ticker":"${market.id}","market_id":"${market.uid}"${fields.map((field) => `,${field}`).join('')}}`
}

/**
 * Returns the body of one `orderbook_delta`, or null where the form cannot say it: the cents form has no
 * price between cents and no part of a contract, and an act that changes neither sends nothing.
 */
export function deltaBody(
  market: SimMarket,
  change: LevelChange,
  form: BookForm,
  stamp: Stamp
): string | null {
  const side: BidSide = change.side === 'bid' ? 'yes' : 'no'
  const priceE4 = side === 'yes' || form.yesPrice ? change.priceE4 : 10_000 - change.priceE4
  const head = `{"market_ticker":"${market.id}","market_id":"${market.uid}"`
  if (form.form === 'fixed') {
    return (
      `${head},"price_dollars":"${priceText(priceE4)}","delta_fp":"${countText(change.changeE6)}",` +
      `"side":"${side}","ts":"${timeText(stamp.ms, stamp.micros)}","ts_ms":${stamp.ms}}`
    )
  }
  const cents = priceE4 / 100
  const count = wholeCount(change.sizeE6) - wholeCount(change.sizeE6 - change.changeE6)
  const isWhole = Number.isInteger(cents)
  if (form.form === 'cents') {
    if (!isWhole || count === 0) return null
    const ts = `${new Date(stamp.ms).toISOString().slice(0, 23)}${stamp.micros.toString().padStart(3, '0')}000Z`
    return `${head},"price":${cents},"delta":${count},"side":"${side}","ts":"${ts}"}`
  }
  return (
    `${head},${isWhole ? `"price":${cents},` : ''}"price_dollars":"${priceText(priceE4)}","delta":${count},` +
    `"delta_fp":"${countText(change.changeE6)}","side":"${side}","ts":"${timeText(stamp.ms, stamp.micros)}"}`
  )
}

function wholeDollars(sizeE6: number, priceE4: number): number {
  return Math.floor((sizeE6 / 1_000_000) * (priceE4 / 10_000))
}

/** Returns the body of `ticker`; before the first trade its price is 0. */
export function tickerBody(market: SimMarket, top: Top, form: WireForm, stamp: Stamp): string {
  const last = market.lastTrade
  const price = last?.priceE4 ?? 0
  const openInterest = openInterestE6(market)
  const head = { market_id: market.uid, market_ticker: market.id }
  const integers = {
    price: Math.floor(price / 100),
    yes_bid: Math.floor(top.bidE4 / 100),
    yes_ask: Math.ceil(top.askE4 / 100),
    volume: wholeCount(market.volumeE6),
    open_interest: wholeCount(openInterest)
  }
  const dollars = {
    price_dollars: priceText(price),
    yes_bid_dollars: priceText(top.bidE4),
    yes_ask_dollars: priceText(top.askE4)
  }
  const counts = { volume_fp: countText(market.volumeE6), open_interest_fp: countText(openInterest) }
  const money = {
    dollar_volume: wholeDollars(market.volumeE6, price),
    dollar_open_interest: wholeDollars(openInterest, price)
  }
  const sizes = {
    yes_bid_size_fp: countText(top.bidSizeE6),
    yes_ask_size_fp: countText(top.askSizeE6),
    last_trade_size_fp: countText(last?.sizeE6 ?? 0)
  }
  const ts = seconds(stamp.ms)
  const time = timeText(stamp.ms, stamp.micros)
  if (form === 'cents') return JSON.stringify({ ...head, ...integers, ...money, ts, Clock: stamp.ms })
  if (form === 'transition') {
    return JSON.stringify({ ...head, ...integers, ...dollars, ...counts, ...money, ...sizes, ts, time })
  }
  return JSON.stringify({ ...head, ...dollars, ...counts, ...money, ...sizes, ts, ts_ms: stamp.ms, time })
}

/** Returns the body of `trade`. */
export function tradeBody(market: SimMarket, trade: SimTrade, form: WireForm, stamp: Stamp): string {
  const taker = trade.taker === 'buy' ? 'yes' : 'no'
  const ts = seconds(stamp.ms)
  const head = { trade_id: trade.id, market_ticker: market.id }
  const integers = {
    yes_price: Math.floor(trade.priceE4 / 100),
    no_price: 100 - Math.floor(trade.priceE4 / 100),
    count: wholeCount(trade.sizeE6)
  }
  const texts = {
    yes_price_dollars: priceText(trade.priceE4),
    no_price_dollars: priceText(10_000 - trade.priceE4),
    count_fp: countText(trade.sizeE6)
  }
  if (form === 'cents') return JSON.stringify({ ...head, ...integers, taker_side: taker, ts })
  if (form === 'transition') return JSON.stringify({ ...head, ...integers, ...texts, taker_side: taker, ts })
  return JSON.stringify({
    ...head,
    ...texts,
    taker_side: taker,
    taker_outcome_side: taker,
    taker_book_side: taker === 'yes' ? 'bid' : 'ask',
    is_block_trade: false,
    ts,
    ts_ms: stamp.ms
  })
}
