import type { ParsedChange } from './parse.ts'

/** More elements than this in one message take the generic path; the venue sends two. */
export const MAX_CHANGES = 64

/** In place of what a message did not say. */
export const NOT_TOLD = -1

/**
 * The elements of one `price_change`, column by column: numbers in typed arrays, where as arguments or fields each
 * would be a new object for every message. A `book` has its asset, hash and time at 0.
 */
export class ChangeList {
  count = 0
  /** Where the asset's id stands in the frame. */
  readonly assetStart = new Int32Array(MAX_CHANGES)
  readonly assetEnd = new Int32Array(MAX_CHANGES)
  /** Ten-thousandths of a dollar. */
  readonly price = new Int32Array(MAX_CHANGES)
  /** Millionths of a contract. */
  readonly size = new Float64Array(MAX_CHANGES)
  readonly outcome = new Uint8Array(MAX_CHANGES)
  /** See `foldHash`. */
  readonly hash = new Float64Array(MAX_CHANGES)
  /** The best prices after the message as it tells them, ten-thousandths; NOT_TOLD without one that is a price. */
  readonly bestBid = new Int32Array(MAX_CHANGES)
  readonly bestAsk = new Int32Array(MAX_CHANGES)
  /** Where the texts of a `book`'s last trade and tick size stand in the frame; NOT_TOLD for a start. */
  lastTradeStart = NOT_TOLD
  lastTradeEnd = 0
  tickStart = NOT_TOLD
  tickEnd = 0
  /** Epoch milliseconds, one for all. */
  readonly timestampMs = new Float64Array(1)

  /** Puts one change first, as the generic path reads them. */
  setFirst({ outcome, price, size, timestampMs, hash, bestBid, bestAsk }: ParsedChange): void {
    this.outcome[0] = outcome
    this.price[0] = price
    this.size[0] = size
    this.hash[0] = hash
    this.bestBid[0] = bestBid
    this.bestAsk[0] = bestAsk
    this.timestampMs[0] = timestampMs
  }
}
