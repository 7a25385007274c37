/** Integer ten-thousandths of a dollar per contract: $0.42 is 4_200. */
export type PriceE4 = number
/** Integer millionths of a contract: 13 contracts are 13_000_000. */
export type SizeE6 = number

export type SimVenue = 'kalshi' | 'polymarket'
export type Side = 'bid' | 'ask'
export type SimStatus = 'initialized' | 'active' | 'paused' | 'closed' | 'settled'

/** The truth about one market: resting size by price, in YES (first outcome) terms. Never crossed. */
export interface TrueBook {
  bids: Map<PriceE4, SizeE6>
  asks: Map<PriceE4, SizeE6>
}

export interface SimTrade {
  id: string
  priceE4: PriceE4
  sizeE6: SizeE6
  /** What the taker did in YES terms: lifted asks or hit bids. */
  taker: 'buy' | 'sell'
  atMs: number
}

/** One binary market as its venue knows it. `id` is the Kalshi ticker or the Polymarket condition id. */
export interface SimMarket {
  venue: SimVenue
  id: string
  event: SimEvent
  title: string
  yesLabel: string
  noLabel: string
  rules: string
  /** Polymarket only: the token of the first and of the second outcome; empty strings on Kalshi. */
  tokens: [string, string]
  /** Kalshi: a UUID. Polymarket: Gamma's decimal id. */
  uid: string
  slug: string
  status: SimStatus
  result: 'yes' | 'no' | null
  openMs: number
  closeMs: number
  createdMs: number
  updatedMs: number
  tickE4: PriceE4
  negRisk: boolean
  /** Contracts traded since the start and over 24 h. */
  volumeE6: SizeE6
  volume24hE6: SizeE6
  lastTrade: SimTrade | null
  /** The venue's clock at the last change of this book. */
  changedMs: number
  book: TrueBook
  /** The question that a market of the other venue shares, or null. */
  twinOf: string | null
  /** The outcome's label inside its event: a candidate, a threshold; empty for a lone market. */
  groupLabel: string
  strike: Strike
}

/** What a market measures, where it is a number. */
export interface Strike {
  type: 'greater' | 'less' | 'between' | 'custom'
  floor: number | null
  cap: number | null
}

export interface SimEvent {
  venue: SimVenue
  /** Kalshi event ticker, Polymarket Gamma event id. */
  id: string
  slug: string
  series: string
  title: string
  category: string
  tags: { id: string; label: string; slug: string }[]
  mutuallyExclusive: boolean
  markets: SimMarket[]
}

export interface LevelChange {
  side: Side
  priceE4: PriceE4
  /** New total resting at the price; 0 when the level is gone. */
  sizeE6: SizeE6
  /** Signed change of that total. */
  changeE6: number
}

/** What happened to a market, already applied to its `book`. One happening is one act of the matching engine. */
export type Happening =
  | { kind: 'levels'; market: SimMarket; changes: LevelChange[]; atMs: number }
  | {
      /** A taker order: its resting remainder first (if any), then every consumed level, then the trades. */
      kind: 'match'
      market: SimMarket
      remainder: LevelChange | null
      consumed: LevelChange[]
      trades: SimTrade[]
      atMs: number
    }
  | {
      kind:
        | 'listed'
        | 'opened'
        | 'paused'
        | 'resumed'
        | 'closed'
        | 'determined'
        | 'settled'
        | 'tick_changed'
        | 'close_moved'
      market: SimMarket
      atMs: number
      /** `tick_changed` only. */
      oldTickE4?: PriceE4
    }

/** The seeded market model. It owns every book; the wires only translate. */
export interface World {
  readonly seed: number
  /** Happenings a second that `start` aims at, over both venues. */
  readonly rate: number
  readonly running: boolean
  /** The clock that it was given, epoch milliseconds. */
  now(): number
  /** Happenings since the start, by venue. */
  happenings(venue: SimVenue): number
  markets(venue: SimVenue): SimMarket[]
  events(venue: SimVenue): SimEvent[]
  market(venue: SimVenue, id: string): SimMarket | undefined
  /** Polymarket: the market and the outcome (0 or 1) of a token id. */
  token(tokenId: string): { market: SimMarket; outcome: 0 | 1 } | undefined
  /** Listeners run synchronously, in order, within the step that made the happening. */
  onHappening(listener: (happening: Happening) => void): () => void
  /** Moves books at this many happenings a second over both venues; 0 pauses. */
  setRate(perSecond: number): void
  start(): void
  stop(): void
  /** Makes exactly one happening now (tests); returns it. */
  step(venue?: SimVenue): Happening
  /** Makes exactly one happening in one active market, hushed or not. @throws {RangeError} unless it is active */
  act(market: SimMarket): Happening
  /** The same, and never a trade. */
  quote(market: SimMarket): Happening
  /** Nothing happens in a hushed market by itself; `wake`, and every change of its status, ends that. */
  hush(market: SimMarket): void
  wake(market: SimMarket): void
  /** Lifecycle by hand: each applies the change and tells the listeners. */
  list(venue: SimVenue): SimMarket
  pause(market: SimMarket): void
  resume(market: SimMarket): void
  close(market: SimMarket): void
  settle(market: SimMarket, result: 'yes' | 'no'): void
  changeTick(market: SimMarket, tickE4: PriceE4): void
}
