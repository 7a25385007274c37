import type { Happening, LevelChange, SimMarket } from '../model/types.ts'
import { topOf } from './book.ts'
import type { Connection } from './connection.ts'
import { deltaBody, type Stamp, tickerBody, tradeBody, type WireForm } from './frames.ts'
import { lifecycleChannel, lifecycleMessages } from './lifecycle.ts'
import { covers } from './subscriptions.ts'

/** Turns happenings into messages and gives them to every connection that subscribed to them. */
export class Feed {
  readonly #connections: ReadonlySet<Connection>
  readonly #stampOf: (atMs: number) => Stamp
  /** What the last `ticker` of a market said, to send none that says the same. */
  readonly #tickers = new WeakMap<SimMarket, string>()

  /** @param stampOf the venue's clock at a time of the model */
  constructor(connections: ReadonlySet<Connection>, stampOf: (atMs: number) => Stamp) {
    this.#connections = connections
    this.#stampOf = stampOf
  }

  /**
   * Tells the connections of one happening, in the order that the venue keeps: books, trades, ticker,
   * lifecycle.
   */
  tell(happening: Happening): void {
    if (this.#connections.size === 0) return
    const { market } = happening
    const stamp = this.#stampOf(happening.atMs)
    if (happening.kind === 'levels' || happening.kind === 'match') {
      this.#tellChanges(market, inSafeOrder(happening), stamp)
      if (happening.kind === 'match') this.#tellTrades(happening, stamp)
      this.#tellTicker(market, stamp)
      return
    }
    for (const { type, msg } of lifecycleMessages(happening)) {
      this.#broadcast(lifecycleChannel(market.id), market.id, type, () => JSON.stringify(msg))
    }
  }

  #tellChanges(market: SimMarket, changes: LevelChange[], stamp: Stamp): void {
    const bodies = changes.map((change) => bodyPerForm(market, change, stamp))
    for (const connection of this.#connections) {
      const subscription = connection.subscriptions.on('orderbook_delta')
      if (subscription === undefined || !covers(subscription, market.id)) continue
      const { form } = connection
      for (const bodyIn of bodies) {
        if (connection.isMuted(market.id)) continue
        const body = bodyIn(form, subscription.yesPrice)
        if (body !== null) connection.sendDelta(subscription, market, body)
      }
      connection.lie(subscription, market, stamp)
    }
  }

  #tellTrades({ market, trades }: Extract<Happening, { kind: 'match' }>, stamp: Stamp): void {
    for (const trade of trades) {
      this.#broadcast('trade', market.id, 'trade', (form) => tradeBody(market, trade, form, stamp))
    }
  }

  #tellTicker(market: SimMarket, stamp: Stamp): void {
    if (![...this.#connections].some((connection) => connection.subscriptions.on('ticker'))) return
    const top = topOf(market.book)
    const said = `${top.bidE4} ${top.bidSizeE6} ${top.askE4} ${top.askSizeE6} ${market.volumeE6}`
    if (this.#tickers.get(market) === said) return
    this.#tickers.set(market, said)
    this.#broadcast('ticker', market.id, 'ticker', (form) => tickerBody(market, top, form, stamp))
  }

  #broadcast(channel: string, ticker: string, type: string, bodyIn: (form: WireForm) => string): void {
    for (const connection of this.#connections) {
      const subscription = connection.subscriptions.on(channel)
      if (subscription === undefined || !covers(subscription, ticker) || connection.isMuted(ticker)) continue
      connection.send(subscription, type, bodyIn(connection.form))
    }
  }
}

/**
 * Returns the changes of one act so that the book is crossed after none of them: what goes first, what comes
 * last. For a taker order that is the consumed levels before the remainder.
 */
function inSafeOrder(happening: Extract<Happening, { kind: 'levels' | 'match' }>): LevelChange[] {
  const changes =
    happening.kind === 'levels'
      ? happening.changes
      : [...happening.consumed, ...(happening.remainder ? [happening.remainder] : [])]
  if (changes.length < 2) return changes
  return [...changes.filter((one) => one.changeE6 < 0), ...changes.filter((one) => one.changeE6 > 0)]
}

/** Returns an encoder that writes each form of a change once, however many connections ask. */
function bodyPerForm(
  market: SimMarket,
  change: LevelChange,
  stamp: Stamp
): (form: WireForm, yesPrice: boolean) => string | null {
  const bodies = new Map<string, string | null>()
  return (form, yesPrice) => {
    const key = yesPrice ? `${form} yes` : form
    let body = bodies.get(key)
    if (body === undefined) {
      body = deltaBody(market, change, { form, yesPrice }, stamp)
      bodies.set(key, body)
    }
    return body
  }
}
