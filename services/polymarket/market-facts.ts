import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { hashHead, hashTail } from './hash-writer.ts'
import type { ParsedBook } from './parse.ts'

/**
 * What goes into the hash of one market's books besides their levels. The market channel tells two of them now and
 * then; the rest comes from a book of the REST API, which is believed once it proves itself.
 */
export class MarketFacts {
  readonly assetId: string
  private readonly complementId: string | null
  /** The venue's text, empty if it never traded; null until it is known. */
  lastTrade: string | null = null
  /** As the stream told it last; null until it did. */
  tickSize: string | null = null
  /** The venue's clock when the tick size changed. */
  tickChangedAtMs = 0
  /** All but the time, the levels and the last trade; null until it is known. */
  tail: Buffer | null = null
  private market: string | null = null
  private minOrderSize = ''
  private negRisk = false
  private readonly heads: [Buffer | null, Buffer | null] = [null, null]

  constructor(assetId: string, complementId: string | null) {
    this.assetId = assetId
    this.complementId = complementId
  }

  /** The start of an outcome's text; null where it is not known. */
  head(outcome: Outcome): Buffer | null {
    return this.heads[outcome]
  }

  /** True when a hash can be worked out. */
  get isKnown(): boolean {
    return this.tail !== null && this.lastTrade !== null
  }

  /** Takes over what a REST book told that proved itself. */
  learn(book: ParsedBook): void {
    const { market, minOrderSize, negRisk, tickSize, timestampMs, lastTrade } = book
    if (market === null || minOrderSize === null || negRisk === null || tickSize === null) return
    if (market !== this.market) {
      this.market = market
      this.heads[YES] = hashHead(market, this.assetId)
      this.heads[NO] = this.complementId === null ? null : hashHead(market, this.complementId)
    }
    this.minOrderSize = minOrderSize
    this.negRisk = negRisk
    this.lastTrade ??= lastTrade
    // An answer of before the change still has the old tick.
    const isOld = this.tickSize !== null && timestampMs < this.tickChangedAtMs
    this.setTickSize(isOld ? (this.tickSize as string) : tickSize)
  }

  setTickSize(tickSize: string): void {
    if (tickSize === this.tickSize && this.tail !== null) return
    this.tickSize = tickSize
    if (this.market !== null) this.tail = hashTail(this.minOrderSize, tickSize, this.negRisk)
  }

  /** The venue's rule is not the one that we know: nothing is proved until a REST book proves itself again. */
  forgetRule(): void {
    this.tail = null
    this.market = null
  }
}
