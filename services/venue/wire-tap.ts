/**
 * Hears everything that passes between a venue and us, in order, synchronously, before it is applied. Must not throw,
 * and must not keep a frame's memory beyond the call.
 */
export interface WireTap {
  /** A connection was opened; returns the number that stands for it, unique within this run. */
  opened(venue: string, name: string, atMs: number): number
  closed(venue: string, connection: number, atMs: number, reason: string): void
  frame(venue: string, connection: number, atMs: number, bytes: Buffer): void
  command(venue: string, connection: number, atMs: number, text: string): void
  /** A connection keeps the venue's live books from now on, in place of another one. */
  adopted(venue: string, connection: number, atMs: number): void
  /** A book that was read over REST was put into the live books. */
  rest(venue: string, atMs: number, body: string): void
}

/** A trade that a venue told, in YES terms; prices in ten-thousandths of a dollar, sizes in millionths of a contract. */
export interface TradeNote {
  marketId: string
  tradeId: string | null
  venueTimeMs: number | null
  receivedAtMs: number
  price: number
  size: number
  takerSide: 'yes' | 'no' | null
}

/** Something that a feed lost, with what is known of it. Ends by itself once none of the books has the reason. */
export interface GapNote {
  venue: 'kalshi' | 'polymarket'
  kind: 'sequence_gap' | 'hash_mismatch' | 'audit_mismatch' | 'disconnected' | 'drift' | 'stray_change'
  connection: string | null
  subscription: string | null
  fromSequence: number | null
  toSequence: number | null
  /** Slots of the books concerned. */
  slots: readonly number[]
  /** Our clock when all was last known to be well: the last message before it. */
  startedAtMs: number
  detectedAtMs: number
  detail: string
}

/** What a feed tells whoever keeps history. All are called synchronously and must not throw. */
export interface HistoryTaps {
  wire: WireTap | null
  onTrade: (trade: TradeNote) => void
  onGap: (gap: GapNote) => void
  /** An independent REST read of a book; the lists hold ascending prices, YES bids and NO bids, reused after the call. */
  onPolled: (
    slot: number,
    receivedAtMs: number,
    yes: { count: number; price: Uint16Array; size: Float64Array },
    no: { count: number; price: Uint16Array; size: Float64Array }
  ) => void
}
