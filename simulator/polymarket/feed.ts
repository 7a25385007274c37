import type { Faults } from '../faults.ts'
import type { Random } from '../model/random.ts'
import type { Happening, LevelChange, SimMarket, World } from '../model/types.ts'
import { type BestTexts, bestTexts, hashView, type Outcome, viewBook } from './book-view.ts'
import type { Connection } from './connection.ts'
import { DelayedSends } from './delayed-sends.ts'
import {
  bestBidAsk,
  dumpBook,
  type GroupState,
  lastTradePrice,
  marketResolved,
  newMarket,
  priceChange,
  tickSizeChange,
  tradeBook
} from './messages.ts'
import { crossingChange } from './spoil.ts'
import type { Subscriptions } from './subscriptions.ts'

const OUTCOMES = [0, 1] as const
/** How late a trade is told after the book changes that it caused. */
const MAX_TRADE_DELAY_MS = 150

export interface FeedOptions {
  world: World
  faults: Faults
  random: Random
  subscriptions: Subscriptions
  connections: () => Iterable<Connection>
}

/** Translates what happens in the world into the frames that each connection gets. */
export class Feed {
  readonly #options: FeedOptions
  readonly #delayed = new DelayedSends()
  readonly #lastBest = new WeakMap<SimMarket, string>()
  readonly #unlisten: () => void

  constructor(options: FeedOptions) {
    this.#options = options
    this.#unlisten = options.world.onHappening((happening) => this.#on(happening))
  }

  stop(): void {
    this.#unlisten()
    this.#delayed.stop()
  }

  /** How far the venue's clock is ahead of ours. */
  clockOffsetMs(): number {
    return this.#options.faults.active('polymarket', 'clock_offset')?.ms ?? 0
  }

  /** Returns the array that answers a subscription, or null when no book is open among the tokens. */
  dump(connection: Connection, tokenIds: Iterable<string>): string | null {
    const { world, faults } = this.#options
    const books: string[] = []
    for (const tokenId of tokenIds) {
      const found = world.token(tokenId)
      if (found === undefined || !hasBook(found.market)) continue
      const place = { market: found.market.id, connection: connection.id }
      if (faults.consume('polymarket', 'no_snapshot', place)) continue
      if (faults.consume('polymarket', 'mute_market', place)) continue
      books.push(dumpBook(viewBook(found.market, this.clockOffsetMs()), found.outcome))
      this.#lastBest.set(found.market, keyOf(this.#best(found.market)))
    }
    return books.length === 0 ? null : `[${books.join(',')}]`
  }

  #on(happening: Happening): void {
    const { market } = happening
    if (market.venue !== 'polymarket') return
    const timestamp = String(happening.atMs + this.clockOffsetMs())
    if (happening.kind === 'levels') this.#onChanges(market, happening.changes, false, timestamp)
    else if (happening.kind === 'match') {
      const { remainder, consumed } = happening
      this.#onChanges(market, remainder === null ? consumed : [remainder, ...consumed], true, timestamp)
      for (const trade of happening.trades) this.#tellTrade(market, trade)
    } else if (happening.kind === 'listed') this.#tellFlagged(newMarket(market, timestamp), null)
    else if (happening.kind === 'opened') this.#tellOpened(market)
    else if (happening.kind === 'tick_changed') this.#tellTick(market, happening.oldTickE4, timestamp)
    else if (happening.kind === 'settled') this.#tellResolved(market, timestamp)
  }

  #onChanges(market: SimMarket, changes: LevelChange[], isMatch: boolean, timestamp: string): void {
    const { subscriptions, random, faults } = this.#options
    const followers = subscriptions.ofMarket(market)
    if (followers.length === 0) return
    const view = viewBook(market, this.clockOffsetMs())
    const best = this.#best(market)
    if (market.book.bids.size === 0 || market.book.asks.size === 0) {
      faults.consume('polymarket', 'empty_side_notation')
    }
    const state: GroupState = { timestamp, hashes: [hashView(view, 0), hashView(view, 1)], best }
    this.#tellBest(market, best, timestamp)
    for (const change of changes) {
      const text = priceChange(market, change, isMatch ? 0 : nativeOutcome(change, random.next()), state)
      for (const connection of followers) connection.sendChange(text, market)
    }
    if (isMatch) {
      for (const outcome of OUTCOMES) {
        const tokenFollowers = [...subscriptions.ofToken(market.tokens[outcome])]
        if (tokenFollowers.length === 0) continue
        const text = tradeBook(view, outcome)
        for (const connection of tokenFollowers) connection.sendData(text, market)
      }
    }
    this.#cross(market, followers, state)
  }

  #best(market: SimMarket): readonly [BestTexts, BestTexts] {
    const form = this.#options.faults.active('polymarket', 'empty_side_notation')?.form ?? 'zero_one'
    return [bestTexts(market, 0, form), bestTexts(market, 1, form)]
  }

  /** Tells the best prices to those who asked, when they changed since they were last told. */
  #tellBest(market: SimMarket, best: readonly [BestTexts, BestTexts], timestamp: string): void {
    const key = keyOf(best)
    if (this.#lastBest.get(market) === key) return
    this.#lastBest.set(market, key)
    for (const outcome of OUTCOMES) {
      let text: string | undefined
      for (const connection of this.#options.subscriptions.ofToken(market.tokens[outcome])) {
        if (!connection.customFeatures) continue
        text ??= bestBidAsk(market, outcome, best[outcome], timestamp)
        connection.sendData(text, market)
      }
    }
  }

  #cross(market: SimMarket, followers: Connection[], state: GroupState): void {
    const { faults } = this.#options
    for (const connection of followers) {
      const place = { market: market.id, connection: connection.id }
      if (faults.active('polymarket', 'crossed_book', place) === undefined) continue
      const change = crossingChange(market)
      if (change === null) continue
      faults.consume('polymarket', 'crossed_book', place)
      connection.sendData(priceChange(market, change, 0, state), market)
    }
  }

  #tellTrade(market: SimMarket, trade: Parameters<typeof lastTradePrice>[1]): void {
    const { subscriptions, random } = this.#options
    if ([...subscriptions.ofToken(market.tokens[0])].length === 0) return
    const delayMs = random.int(MAX_TRADE_DELAY_MS + 1)
    const timestamp = String(trade.atMs + delayMs + this.clockOffsetMs())
    const text = lastTradePrice(market, trade, `0x${random.hex(64)}`, timestamp)
    this.#delayed.send(delayMs, () => {
      for (const connection of subscriptions.ofToken(market.tokens[0])) connection.sendData(text, market)
    })
  }

  #tellFlagged(text: string, market: SimMarket | null): void {
    for (const connection of this.#options.connections()) {
      if (connection.customFeatures) connection.sendData(text, market)
    }
  }

  /** A token that was subscribed before its market opened gets its first book now. */
  #tellOpened(market: SimMarket): void {
    for (const connection of this.#options.subscriptions.ofMarket(market)) {
      const text = this.dump(
        connection,
        market.tokens.filter((token) => connection.assets.has(token))
      )
      if (text !== null) connection.sendData(text, market)
    }
  }

  #tellTick(market: SimMarket, oldTickE4: number | undefined, timestamp: string): void {
    if (oldTickE4 === undefined) return
    for (const outcome of OUTCOMES) {
      const text = tickSizeChange(market, outcome, oldTickE4, timestamp)
      for (const connection of this.#options.subscriptions.ofToken(market.tokens[outcome])) {
        connection.sendData(text, market)
      }
    }
  }

  #tellResolved(market: SimMarket, timestamp: string): void {
    const { faults, connections } = this.#options
    const text = marketResolved(market, timestamp)
    for (const connection of connections()) {
      if (!connection.customFeatures) continue
      if (faults.consume('polymarket', 'no_resolution_message', { connection: connection.id })) continue
      connection.sendData(text, market)
    }
  }
}

function keyOf([first]: readonly [BestTexts, BestTexts]): string {
  return `${first.bid} ${first.ask}`
}

/** Returns true when a market has a book to show: open, halted, or closed and not resolved. */
export function hasBook(market: SimMarket): boolean {
  return market.status === 'active' || market.status === 'paused' || market.status === 'closed'
}

/** Returns the token that an order was placed on: most orders are bids, on one token or the other. */
function nativeOutcome(change: LevelChange, chance: number): Outcome {
  const asBid: Outcome = change.side === 'bid' ? 0 : 1
  return chance < 0.94 ? asBid : asBid === 0 ? 1 : 0
}
