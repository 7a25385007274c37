import { BookArena, NO, type Outcome, YES } from '../../../services/orderbook/arena.ts'
import { bookHash } from '../../../services/polymarket/hash.ts'

/** A level's new total in the first outcome's terms, contracts: `bid` or `ask`. */
export type Told = [side: 'bid' | 'ask', price: number, contracts: number]

/** One market as the venue knows it, which prints what the venue would send, with real hashes. */
export class TrueVenue {
  readonly arena = new BookArena(1, 1_000)
  readonly market: string
  readonly yes: string
  readonly no: string
  lastTrade = '0.420'
  tickSize = '0.01'
  minOrderSize = '5'
  atMs = 1_795_000_000_000
  changedAtMs = this.atMs

  constructor(name = '7') {
    this.market = `0x${name.repeat(64)}`
    this.yes = name.repeat(77)
    this.no = `1${name.repeat(76)}`
    this.set(['bid', 40, 100], ['bid', 41, 50.5], ['ask', 45, 200], ['ask', 43, 30])
  }

  /** The array that answers a subscription. */
  snapshot(): string {
    return JSON.stringify([{ ...this.book(), tick_size: this.tickSize, event_type: 'book' }])
  }

  /** A book as REST answers it. */
  rest() {
    return {
      ...this.book(),
      min_order_size: this.minOrderSize,
      tick_size: this.tickSize,
      neg_risk: false
    }
  }

  /** The book after a match: another order of keys, neither tick size nor last trade. */
  tradeBook(): string {
    const { market, asset_id, timestamp, hash, bids, asks } = this.book()
    return spaced({ market, asset_id, bids, asks, hash, timestamp, event_type: 'book' })
  }

  /** Changes the book a millisecond later and returns the messages that tell it: one for each level, one hash. */
  change(...told: Told[]): string[] {
    this.atMs++
    this.changedAtMs = this.atMs
    this.set(...told)
    return told.map((one) => this.element(one))
  }

  /** A match at a price: as `change`, and the last trade is another one. */
  match(lastTrade: string, ...told: Told[]): string[] {
    this.lastTrade = lastTrade
    return this.change(...told)
  }

  trade(price: string): string {
    const fields = { market: this.market, asset_id: this.yes, price, size: '1', side: 'BUY' }
    return spaced({ ...fields, timestamp: String(this.atMs), event_type: 'last_trade_price' })
  }

  tick(to: string): string {
    this.tickSize = to
    this.atMs++
    const fields = { market: this.market, asset_id: this.yes, old_tick_size: '0.01', new_tick_size: to }
    return spaced({ ...fields, timestamp: String(this.atMs), event_type: 'tick_size_change' })
  }

  private book() {
    const levels = (outcome: Outcome) => {
      const side = []
      for (let depth = this.arena.count(0, outcome) - 1; depth >= 0; depth--) {
        const price = this.arena.priceAt(0, outcome, depth)
        side.push({
          price: String((outcome === YES ? price : 10_000 - price) / 10_000),
          size: String(this.arena.sizeAt(0, outcome, depth) / 1e6)
        })
      }
      return side
    }
    return {
      market: this.market,
      asset_id: this.yes,
      timestamp: String(this.changedAtMs),
      hash: this.hash(YES),
      bids: levels(YES),
      asks: levels(NO),
      last_trade_price: this.lastTrade
    }
  }

  private element([side, cents, contracts]: Told): string {
    const bid = this.arena.priceAt(0, YES, 0)
    const ask = this.arena.priceAt(0, NO, 0)
    const best = (price: number, empty: string) => (price < 0 ? empty : String(price / 10_000))
    const size = String(contracts)
    const own = {
      asset_id: this.yes,
      price: String(cents / 100),
      size,
      side: side === 'bid' ? 'BUY' : 'SELL',
      hash: this.hash(YES),
      best_bid: best(bid, '0'),
      best_ask: best(ask < 0 ? -1 : 10_000 - ask, '1')
    }
    const mirrored = {
      asset_id: this.no,
      price: String((100 - cents) / 100),
      size,
      side: side === 'bid' ? 'SELL' : 'BUY',
      hash: this.hash(NO),
      best_bid: best(ask, '0'),
      best_ask: best(bid < 0 ? -1 : 10_000 - bid, '1')
    }
    return spaced({
      market: this.market,
      price_changes: [own, mirrored],
      timestamp: String(this.atMs),
      event_type: 'price_change'
    })
  }

  private set(...told: Told[]): void {
    for (const [side, cents, contracts] of told)
      this.arena.setLevel(
        0,
        side === 'bid' ? YES : NO,
        side === 'bid' ? cents * 100 : 10_000 - cents * 100,
        contracts * 1e6
      )
  }

  private hash(outcome: Outcome): string {
    return bookHash(this.arena, 0, outcome, {
      market: this.market,
      assetId: outcome === YES ? this.yes : this.no,
      timestamp: String(this.changedAtMs),
      minOrderSize: this.minOrderSize,
      tickSize: this.tickSize,
      negRisk: false,
      lastTradePrice: this.lastTrade
    })
  }
}

/** JSON as the venue prints it: a blank after each comma. */
function spaced(value: unknown): string {
  return JSON.stringify(value).replaceAll(',"', ', "').replaceAll(',{', ', {')
}
