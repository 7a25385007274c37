/** Size by price as text: what a first version of such a program keeps. */
export type NaiveSide = Map<string, number>

export interface NaiveBook {
  bids: NaiveSide
  /** Kalshi: bids for NO. Polymarket: asks. */
  asks: NaiveSide
}

/** Books kept the obvious way: each frame to a string, through JSON.parse, into Maps of floats. */
export interface NaiveBooks {
  readonly books: Map<string, NaiveBook>
  apply(frame: string): void
}

interface KalshiFrame {
  type: string
  msg: {
    market_ticker: string
    yes_dollars_fp: [string, string][]
    no_dollars_fp: [string, string][]
    price_dollars: string
    delta_fp: string
    side: string
  }
}

/** Less than any size that a venue tells: what is left of a level by rounding. */
const DUST = 1e-7

export class NaiveKalshiBooks implements NaiveBooks {
  readonly books = new Map<string, NaiveBook>()

  apply(frame: string): void {
    const { type, msg } = JSON.parse(frame) as KalshiFrame
    if (type === 'orderbook_snapshot') {
      this.books.set(msg.market_ticker, { bids: sideOf(msg.yes_dollars_fp), asks: sideOf(msg.no_dollars_fp) })
      return
    }
    const book = this.books.get(msg.market_ticker)
    if (type !== 'orderbook_delta' || book === undefined) return
    const side = msg.side === 'yes' ? book.bids : book.asks
    const size = (side.get(msg.price_dollars) ?? 0) + Number(msg.delta_fp)
    if (size < DUST) side.delete(msg.price_dollars)
    else side.set(msg.price_dollars, size)
  }
}

interface PolymarketLevel {
  price: string
  size: string
}

interface PolymarketFrame {
  event_type: string
  asset_id: string
  bids: PolymarketLevel[]
  asks: PolymarketLevel[]
  price_changes: (PolymarketLevel & { asset_id: string; side: string })[]
}

export class NaivePolymarketBooks implements NaiveBooks {
  readonly books = new Map<string, NaiveBook>()

  apply(frame: string): void {
    const message = JSON.parse(frame) as PolymarketFrame
    if (message.event_type === 'book') {
      const pairs = (levels: PolymarketLevel[]) =>
        levels.map(({ price, size }): [string, string] => [price, size])
      this.books.set(message.asset_id, {
        bids: sideOf(pairs(message.bids)),
        asks: sideOf(pairs(message.asks))
      })
      return
    }
    for (const { asset_id: asset, price, size, side } of message.price_changes) {
      const book = this.books.get(asset)
      if (book === undefined) continue
      const levels = side === 'BUY' ? book.bids : book.asks
      if (Number(size) === 0) levels.delete(price)
      else levels.set(price, Number(size))
    }
  }
}

function sideOf(levels: [string, string][]): NaiveSide {
  return new Map(levels.map(([price, size]) => [price, Number(size)]))
}
