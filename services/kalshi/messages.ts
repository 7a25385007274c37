/**
 * What Kalshi sends, as it sends it. Every field is `unknown` until parse.ts has looked at it: the venue has changed
 * its wire form twice in a year, and a type here would only be a hope.
 *
 * @see https://docs.kalshi.com/asyncapi.yaml
 */

/** One WebSocket message; one message a text frame, keys in any order. */
export interface RawMessage {
  readonly type?: unknown
  /** Only on answers to commands. */
  readonly id?: unknown
  /** The subscription, numbered from 1 in each connection. */
  readonly sid?: unknown
  /** Counts over every message of one `sid`, whatever its type or market. */
  readonly seq?: unknown
  readonly msg?: unknown
}

/** `msg` of `orderbook_snapshot`: YES bids and NO bids, ascending; an empty side is absent, null or []. */
export interface RawSnapshot {
  readonly market_ticker?: unknown
  /** Since March 2026: [["0.4100", "120.00"], ...], dollars and contracts. */
  readonly yes_dollars_fp?: unknown
  readonly no_dollars_fp?: unknown
  /** Since autumn 2025: [["0.4100", 120], ...]. */
  readonly yes_dollars?: unknown
  readonly no_dollars?: unknown
  /** Until March 2026: [[41, 120], ...], cents and contracts. */
  readonly yes?: unknown
  readonly no?: unknown
}

/** `msg` of `orderbook_delta`: a signed change of the size resting at one price. */
export interface RawDelta {
  readonly market_ticker?: unknown
  readonly price_dollars?: unknown
  /** Cents, until March 2026. */
  readonly price?: unknown
  readonly delta_fp?: unknown
  /** Whole contracts, until March 2026. */
  readonly delta?: unknown
  /** Which list of bids: `yes` or `no`. */
  readonly side?: unknown
  /** Epoch milliseconds, since April 2026; the older `ts` has changed its meaning and is not read. */
  readonly ts_ms?: unknown
}

/** `msg` of `trade`, and a trade of the REST API. */
export interface RawTrade {
  readonly trade_id?: unknown
  /** WebSocket. */
  readonly market_ticker?: unknown
  /** REST. */
  readonly ticker?: unknown
  readonly yes_price_dollars?: unknown
  /** Cents, until March 2026. */
  readonly yes_price?: unknown
  readonly count_fp?: unknown
  /** Whole contracts, until March 2026. */
  readonly count?: unknown
  /** The outcome that the taker bought: `yes` or `no`. */
  readonly taker_outcome_side?: unknown
  /** The same, deprecated; the only one in older messages. */
  readonly taker_side?: unknown
  /** Off the book; not sent before August 2026. */
  readonly is_block_trade?: unknown
  /** WebSocket: epoch milliseconds, and seconds, the only one in older messages. */
  readonly ts_ms?: unknown
  readonly ts?: unknown
  /** REST: RFC 3339. */
  readonly created_time?: unknown
}

/** `msg` of `market_lifecycle_v2`; times in seconds, fields only where they apply. */
export interface RawLifecycle {
  readonly market_ticker?: unknown
  readonly event_type?: unknown
  readonly open_ts?: unknown
  readonly close_ts?: unknown
  readonly result?: unknown
  readonly price_ranges?: unknown
}

/** A market of the REST API, in the fields that are read. */
export interface RawMarket {
  readonly ticker?: unknown
  readonly event_ticker?: unknown
  readonly market_type?: unknown
  /** Deprecated. */
  readonly title?: unknown
  readonly yes_sub_title?: unknown
  readonly no_sub_title?: unknown
  readonly status?: unknown
  readonly result?: unknown
  readonly open_time?: unknown
  readonly close_time?: unknown
  readonly occurrence_datetime?: unknown
  readonly price_ranges?: unknown
  readonly volume_fp?: unknown
  readonly volume_24h_fp?: unknown
  readonly open_interest_fp?: unknown
  readonly rules_primary?: unknown
  readonly rules_secondary?: unknown
}

/** An event of the REST API, in the fields that are read. */
export interface RawEvent {
  readonly event_ticker?: unknown
  readonly series_ticker?: unknown
  readonly title?: unknown
  readonly category?: unknown
  readonly mutually_exclusive?: unknown
  /** Only with `with_nested_markets`. */
  readonly markets?: unknown
}
