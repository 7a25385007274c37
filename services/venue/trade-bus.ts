import type { HistoryTaps, TradeNote } from './wire-tap.ts'

export type TradeListener = (trade: TradeNote) => void

/** Tells each trade, once, to whoever listens; whoever keeps history is one of them. */
export class TradeBus {
  private listeners: readonly TradeListener[] = []

  /** Adds a listener, which must not throw; returns what ends it. */
  listen(listener: TradeListener): () => void {
    this.listeners = [...this.listeners, listener]
    return () => {
      this.listeners = this.listeners.filter((one) => one !== listener)
    }
  }

  readonly tell = (trade: TradeNote): void => {
    for (const listener of this.listeners) listener(trade)
  }

  /** Returns what feeds are given: what history hears, where there is one, with its trades told to all. */
  taps(history: HistoryTaps | null): HistoryTaps {
    if (history === null) return { wire: null, onGap: () => {}, onPolled: () => {}, onTrade: this.tell }
    this.listen(history.onTrade)
    return { ...history, onTrade: this.tell }
  }
}
