/**
 * The channels that a connection may subscribe, and what each needs. The private ones are accepted and stay
 * silent.
 */
const CHANNELS = new Map<string, { sequenced: boolean; tickers: 'required' | 'optional' | 'ignored' }>([
  ['orderbook_delta', { sequenced: true, tickers: 'required' }],
  ['ticker', { sequenced: false, tickers: 'optional' }],
  ['trade', { sequenced: true, tickers: 'optional' }],
  ['market_lifecycle_v2', { sequenced: true, tickers: 'ignored' }],
  ['multivariate_market_lifecycle', { sequenced: true, tickers: 'ignored' }],
  ['fill', { sequenced: false, tickers: 'optional' }],
  ['user_orders', { sequenced: false, tickers: 'optional' }],
  ['market_positions', { sequenced: false, tickers: 'optional' }],
  ['order_group_updates', { sequenced: true, tickers: 'ignored' }],
  ['communications', { sequenced: true, tickers: 'ignored' }]
])

export function channelRules(channel: string) {
  return CHANNELS.get(channel)
}

/** One channel of one connection: there is never a second one. */
export interface Subscription {
  /** From 1, per connection. */
  readonly sid: number
  readonly channel: string
  readonly sequenced: boolean
  /** The markets asked for; null is all of them. */
  readonly tickers: Set<string> | null
  readonly yesPrice: boolean
  /** `skip_ticker_ack`: answers omit the list of markets. */
  skipsList: boolean
  /** The number of the last sequenced message, over all markets; 0 before the first. */
  seq: number
  /** A frame that a fault keeps back until the next one has gone. */
  held: string | null
}

export function covers(subscription: Subscription, ticker: string): boolean {
  return subscription.tickers === null || subscription.tickers.has(ticker)
}

/** The subscriptions of one connection, by `sid` and by channel. */
export class Subscriptions {
  readonly #bySid = new Map<number, Subscription>()
  readonly #byChannel = new Map<string, Subscription>()
  #lastSid = 0

  open(channel: string, tickers: Set<string> | null, yesPrice: boolean, skipsList: boolean): Subscription {
    const sequenced = CHANNELS.get(channel)?.sequenced ?? false
    const sid = ++this.#lastSid
    const subscription = { sid, channel, sequenced, tickers, yesPrice, skipsList, seq: 0, held: null }
    this.#bySid.set(sid, subscription)
    this.#byChannel.set(channel, subscription)
    return subscription
  }

  /** Ends a subscription; its `sid` is never used again. */
  end(subscription: Subscription): void {
    this.#bySid.delete(subscription.sid)
    this.#byChannel.delete(subscription.channel)
  }

  on(channel: string): Subscription | undefined {
    return this.#byChannel.get(channel)
  }

  get(sid: number): Subscription | undefined {
    return this.#bySid.get(sid)
  }

  list(): Subscription[] {
    return [...this.#bySid.values()]
  }
}
