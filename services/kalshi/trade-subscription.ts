import type { Counters } from '../venue/counters.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import type { Command, Commands } from './commands.ts'
import { BLOCK_TRADE, parseTrade } from './parse-trade.ts'
import { missingNumbers, type StreamLoss } from './stream-loss.ts'
import { CHANNELS, chunksOf } from './urls.ts'

export interface TradeSubscriptionOptions {
  commands: Commands
  counters: () => Counters
  /** The slots of its markets. */
  slots: () => Iterable<number>
  onTrade: (trade: TradeNote) => void
  /** Trades may have been missed. */
  onLost: (loss: StreamLoss) => void
  now: () => number
}

/** As for books: halved where the venue takes fewer, for a connection. */
const MARKETS_PER_COMMAND = 256

/**
 * The subscription of a connection to the trades of its markets. Nothing but the history hangs on it: what goes wrong
 * here is told as a gap and makes no book doubtful.
 */
export class TradeSubscription {
  private readonly options: TradeSubscriptionOptions
  private readonly tickers = new Set<string>()
  private isOpen = false
  private sid: number | null = null
  /** Markets that went while the subscription was on its way: they are on it, and are taken off once it is there. */
  private readonly left = new Set<string>()
  private chunkSize = MARKETS_PER_COMMAND
  /** Our clock at the last message on it, or when it was opened. */
  private heardAtMs = Number.NaN

  constructor(options: TradeSubscriptionOptions) {
    this.options = options
  }

  follow(tickers: readonly string[]): void {
    for (const ticker of tickers) this.tickers.add(ticker)
    if (this.isOpen) this.subscribe(tickers)
  }

  unfollow(tickers: readonly string[]): void {
    const gone = tickers.filter((ticker) => this.tickers.delete(ticker))
    if (this.sid !== null) this.update('delete_markets', gone)
    else if (this.isOpen) for (const ticker of gone) this.left.add(ticker)
  }

  /** Subscribes all markets on a new connection. */
  open(): void {
    this.isOpen = true
    this.chunkSize = MARKETS_PER_COMMAND
    this.subscribe([...this.tickers])
  }

  /** The connection is gone. */
  close(): void {
    this.isOpen = false
    this.sid = null
    this.left.clear()
  }

  /** The venue answered with the `sid` that trades come on. */
  opened(sid: number): void {
    this.sid = sid
    this.heardAtMs = this.options.now()
    const left = [...this.left].filter((ticker) => !this.tickers.has(ticker))
    this.left.clear()
    this.update('delete_markets', left)
  }

  is(sid: number | null): boolean {
    return sid !== null && sid === this.sid
  }

  /** Takes a `trade` message. */
  take(msg: unknown, receivedAtMs: number): void {
    this.heardAtMs = receivedAtMs
    const trade = parseTrade(msg, receivedAtMs)
    if (trade === null) this.options.counters().observe('trade_malformed')
    else if (trade !== BLOCK_TRADE) this.options.onTrade(trade)
  }

  /** Numbers were skipped. */
  lost(expected: number, got: number): void {
    this.tell(missingNumbers(expected, got))
  }

  /** The venue ended the subscription; it is opened `again`. */
  ended(reason: string): void {
    this.sid = null
    this.left.clear()
    this.tell({ fromSequence: null, toSequence: null, detail: reason })
  }

  again(): void {
    if (this.isOpen && this.sid === null) this.subscribe([...this.tickers])
  }

  /** The venue takes fewer markets at once than this command had; where it takes no single one more, it is full. */
  splitSmaller({ tickers = [] }: Command): void {
    if (tickers.length < 2) return
    this.chunkSize = Math.min(this.chunkSize, Math.ceil(tickers.length / 2))
    this.subscribe(tickers.filter((ticker) => this.tickers.has(ticker)))
  }

  private tell(missing: Pick<StreamLoss, 'fromSequence' | 'toSequence' | 'detail'>): void {
    this.options.onLost({
      kind: 'sequence_gap',
      subscription: CHANNELS.trade,
      slots: [...this.options.slots()],
      startedAtMs: this.heardAtMs,
      ...missing
    })
  }

  private subscribe(tickers: readonly string[]): void {
    if (this.sid !== null) {
      this.update('add_markets', tickers)
      return
    }
    for (const chunk of chunksOf(tickers, this.chunkSize))
      this.options.commands.run({
        cmd: 'subscribe',
        params: { channels: [CHANNELS.trade], market_tickers: chunk, skip_ticker_ack: true },
        purpose: 'trades',
        tickers: chunk
      })
  }

  private update(action: 'add_markets' | 'delete_markets', tickers: readonly string[]): void {
    for (const chunk of chunksOf(tickers, this.chunkSize))
      this.options.commands.run({
        cmd: 'update_subscription',
        params: { sids: [this.sid], action, market_tickers: chunk },
        purpose: 'trades',
        ...(action === 'add_markets' ? { tickers: chunk } : {})
      })
  }
}
