import { bestPrice, type Level, setLevel, sortedLevels } from './book.ts'
import type { Random } from './random.ts'
import type { Happening, LevelChange, PriceE4, Side, SimMarket, SimTrade, SizeE6 } from './types.ts'

/** What traders believe, as log-odds; twins on both venues share one, so their prices stay near. */
export interface Belief {
  logit: number
  /** Where it drifts back to, so that a long run does not end with every price at 0 or 1. */
  anchor: number
}

/** A market with what moves it. */
export interface Actor {
  market: SimMarket
  belief: Belief
  /** This venue's own opinion, added to the shared log-odds. */
  bias: number
  /** Levels a side that the market hovers around. */
  depth: number
}

const MIN_LEVELS = 5
const MAX_LEVELS = 60
/** No size grows past this, so that it stays exact. */
const MAX_SIZE_E6 = 5_000_000_000_000
const DRIFT = 0.006
const PULL = 0.0005

/** Returns the fair price of YES in ten-thousandths of a dollar. */
export function fairPrice(actor: Actor): PriceE4 {
  return Math.round(10_000 / (1 + Math.exp(-(actor.belief.logit + actor.bias))))
}

/** Fills an empty book around the fair price and returns the levels. */
export function seedBook(actor: Actor, random: Random): LevelChange[] {
  const changes: LevelChange[] = []
  for (const side of ['bid', 'ask'] as const) {
    for (let level = 0; level < actor.depth; level++) {
      const change = insert(actor, side, random)
      if (change !== null) changes.push(change)
    }
  }
  return changes
}

/** Makes one act of the matching engine happen to a market, already applied to its book. */
export function act(actor: Actor, random: Random, atMs: number): Happening {
  const { market } = actor
  drift(actor.belief, random)
  const fair = fairPrice(actor)
  if (market.venue === 'polymarket' && market.tickE4 === 100 && (fair > 9_600 || fair < 400)) {
    market.tickE4 = 10
    return { kind: 'tick_changed', market, atMs, oldTickE4: 100 }
  }
  return quoteOffFair(actor, fair, random, atMs) ?? ordinaryAct(actor, random, atMs)
}

/** Takes or withdraws a quote that the fair price has passed. */
function quoteOffFair(actor: Actor, fair: PriceE4, random: Random, atMs: number): Happening | null {
  const { market } = actor
  const bid = bestPrice(market.book, 'bid')
  const ask = bestPrice(market.book, 'ask')
  const side: Side | null =
    bid !== undefined && bid > fair ? 'bid' : ask !== undefined && ask < fair ? 'ask' : null
  if (side === null) return null
  if (random.chance(0.3)) return match(actor, side === 'bid' ? 'sell' : 'buy', random, atMs)
  const price = side === 'bid' ? bid : ask
  if (price === undefined) return null
  return { kind: 'levels', market, changes: [setLevel(market.book, side, price, 0)], atMs }
}

/** Makes a level come, grow, shrink or go, without a trade; nothing else of the book changes. */
export function quote(actor: Actor, random: Random, atMs: number): Happening {
  const { market } = actor
  const side: Side = random.chance(0.5) ? 'bid' : 'ask'
  const other: Side = side === 'bid' ? 'ask' : 'bid'
  const change = insert(actor, side, random) ?? insert(actor, other, random)
  const { bids, asks } = market.book
  if (change === null && bids.size + asks.size === 0)
    throw new RangeError(`${market.id} has no room for a quote`)
  const changes = [change ?? reduce(market, bids.size > 0 ? 'bid' : 'ask', random)]
  return { kind: 'levels', market, changes, atMs }
}

function ordinaryAct(actor: Actor, random: Random, atMs: number): Happening {
  const { market } = actor
  const { book } = market
  const side: Side = random.chance(0.5) ? 'bid' : 'ask'
  const levels = side === 'bid' ? book.bids : book.asks
  if (levels.size >= MIN_LEVELS && random.chance(0.07)) {
    return match(actor, side === 'bid' ? 'sell' : 'buy', random, atMs)
  }
  const wantsMore =
    levels.size < MIN_LEVELS ||
    (levels.size < MAX_LEVELS && random.chance(actor.depth / (actor.depth + levels.size)))
  const changes: LevelChange[] = []
  if (!wantsMore) changes.push(reduce(market, side, random))
  // Kalshi sends several deltas with one time when an order is replaced.
  if (wantsMore || (market.venue === 'kalshi' && random.chance(0.25))) {
    const change = insert(actor, side, random) ?? insert(actor, side === 'bid' ? 'ask' : 'bid', random)
    if (change !== null) changes.push(change)
  }
  return { kind: 'levels', market, changes, atMs }
}

/** Adds size somewhere below the best price that does not cross; null when the grid has no room on that side. */
function insert(actor: Actor, side: Side, random: Random): LevelChange | null {
  const { market } = actor
  const { book, tickE4: tick } = market
  const fair = fairPrice(actor)
  const away = Math.floor(-Math.log(1 - random.next()) * (tick === 100 ? 8 : 25))
  let price: number
  if (side === 'bid') {
    const ask = bestPrice(book, 'ask') ?? 10_000
    const nearest = Math.min(Math.ceil(fair / tick) * tick, ask, 10_000) - tick
    if (nearest < tick) return null
    price = Math.max(tick, nearest - away * tick)
  } else {
    const bid = bestPrice(book, 'bid') ?? 0
    const nearest = Math.max(Math.floor(fair / tick) * tick, bid, 0) + tick
    if (nearest > 10_000 - tick) return null
    price = Math.min(10_000 - tick, nearest + away * tick)
  }
  const levels = side === 'bid' ? book.bids : book.asks
  const size = Math.min(MAX_SIZE_E6, (levels.get(price) ?? 0) + randomSize(market, random))
  return setLevel(book, side, price, size)
}

/** Withdraws all or a part of a level by chance. */
function reduce(market: SimMarket, side: Side, random: Random): LevelChange {
  const levels = side === 'bid' ? market.book.bids : market.book.asks
  const [price, size] = random.pick([...levels])
  return setLevel(market.book, side, price, random.chance(0.45) ? 0 : size - partOf(market, size, random))
}

/** A taker order meets the best levels; what it could not fill may rest at its limit. */
function match(actor: Actor, taker: 'buy' | 'sell', random: Random, atMs: number): Happening {
  const { market } = actor
  const side: Side = taker === 'buy' ? 'ask' : 'bid'
  const resting = sortedLevels(market.book, side)
  const count = Math.min(resting.length, random.pick([1, 1, 1, 2, 3]))
  const taken = resting.slice(0, count)
  const last = taken.at(-1)
  if (last === undefined) throw new RangeError('a match needs a resting level')
  const leavesLast = resting.length === count || random.chance(0.6)
  const consumed: LevelChange[] = []
  const trades: SimTrade[] = []
  for (const level of taken) {
    const size = level === last && leavesLast ? partOf(market, level[1], random) : level[1]
    consumed.push(setLevel(market.book, side, level[0], level[1] - size))
    trades.push({ id: random.uuid(), priceE4: level[0], sizeE6: size, taker, atMs })
    market.volumeE6 += size
    market.volume24hE6 += size
  }
  market.lastTrade = trades.at(-1) ?? null
  const remainder = !leavesLast && random.chance(0.5) ? rest(market, taker, last, random) : null
  return { kind: 'match', market, remainder, consumed, trades, atMs }
}

function rest(market: SimMarket, taker: 'buy' | 'sell', limit: Level, random: Random): LevelChange {
  return setLevel(market.book, taker === 'buy' ? 'bid' : 'ask', limit[0], randomSize(market, random))
}

/** Returns a size from the lot up to the whole. */
function partOf(market: SimMarket, sizeE6: SizeE6, random: Random): SizeE6 {
  const lot = market.venue === 'kalshi' ? 10_000 : 1
  const lots = Math.floor(sizeE6 / lot)
  if (lots <= 1) return sizeE6
  const coarse = lots > 1_000_000 && random.chance(0.97) ? 10_000 / lot : 1
  return Math.max(1, Math.floor((lots * (0.1 + 0.8 * random.next())) / coarse) * coarse) * lot
}

function randomSize(market: SimMarket, random: Random): SizeE6 {
  const contracts = 5 * 10 ** (random.next() * 3)
  const decimals = random.chance(0.6) ? 0 : market.venue === 'polymarket' && random.chance(0.05) ? 6 : 2
  return Math.max(1, Math.round(contracts * 10 ** decimals)) * 10 ** (6 - decimals)
}

function drift(belief: Belief, random: Random): void {
  const step = (random.next() + random.next() + random.next() - 1.5) * 2 * DRIFT
  belief.logit += step + (belief.anchor - belief.logit) * PULL
}
