/**
 * The venue's own shapes, as they stand on the wire. Everything but an id may be missing or of another type: these
 * types say what to look for, `parse.ts` and `parse-market.ts` check it.
 */

export interface WireLevel {
  price: string
  size: string
}

/** `GET /book`, an element of `POST /books`, and the `book` message of the market channel. */
export interface WireBook {
  market: string
  asset_id: string
  /** Epoch milliseconds as decimal text: the last change of the book, not the time of the answer. */
  timestamp: string
  /** SHA-1 of the whole book, see `hash.ts`. */
  hash: string
  /** Worst first on the wire; no order is relied upon. */
  bids: WireLevel[]
  asks: WireLevel[]
  tick_size?: string
  last_trade_price?: string
  min_order_size?: string
  neg_risk?: boolean
  event_type?: 'book'
}

/** One level's new total: not a signed change. */
export interface WirePriceChange {
  asset_id: string
  price: string
  size: string
  side: 'BUY' | 'SELL'
  hash: string
  best_bid?: string
  best_ask?: string
}

/** The shape since September 2025. */
export interface WirePriceChanges {
  event_type: 'price_change'
  market: string
  timestamp: string
  price_changes: WirePriceChange[]
}

/** September 2024 to September 2025: one asset, several levels. */
export interface WireChangesOfAsset {
  event_type: 'price_change'
  asset_id: string
  market: string
  hash: string
  timestamp: string
  changes: Pick<WirePriceChange, 'price' | 'size' | 'side'>[]
}

/** Before September 2024: one asset, one level. */
export interface WireFlatChange extends WirePriceChange {
  event_type: 'price_change'
  market: string
  timestamp: string
}

export interface WireTickSizeChange {
  event_type: 'tick_size_change'
  market: string
  asset_id: string
  old_tick_size: string
  new_tick_size: string
  timestamp: string
}

/** Both carry far more; only the condition id is used, since they are hints. */
export interface WireMarketHint {
  event_type: 'new_market' | 'market_resolved'
  market: string
}

/** A Gamma market: the fields that are read. Absence is common; an empty text means null. */
export interface GammaMarket {
  id: string
  conditionId?: string
  slug?: string
  question?: string
  description?: string
  /** Text holding a JSON array of texts, or the array itself; so are the next two. */
  outcomes?: string | string[]
  outcomePrices?: string | string[]
  clobTokenIds?: string | string[]
  /** Protocol V2: the ids that the CLOB uses instead of `clobTokenIds`. */
  positionIds?: string[]
  version?: 'v1' | 'v2'
  active?: boolean
  closed?: boolean
  archived?: boolean
  acceptingOrders?: boolean
  enableOrderBook?: boolean
  deploying?: boolean
  pendingDeployment?: boolean
  acceptingOrdersTimestamp?: string
  startDate?: string
  endDate?: string
  eventStartTime?: string
  gameStartTime?: string
  umaResolutionStatus?: string
  automaticallyResolved?: boolean
  volume?: string | number
  volume24hr?: number | string
  orderPriceMinTickSize?: number | string
  orderMinSize?: number | string
  negRisk?: boolean
  events?: GammaEvent[]
  tags?: GammaTag[]
}

export interface GammaEvent {
  id: string
  slug?: string
  title?: string
  negRisk?: boolean
  seriesSlug?: string
  volume24hr?: number
  markets?: GammaMarket[]
  tags?: GammaTag[]
}

export interface GammaTag {
  slug?: string
  label?: string
}
