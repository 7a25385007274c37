import type { PriceE4, SizeE6 } from '../numbers/decimal.ts'
import type { LevelListener, Outcome } from '../orderbook/arena.ts'

/** Hears every change of the levels as it is made, and of a book or its verdict once it is whole. Must not throw. */
export interface BookListener extends LevelListener {
  touched(slot: number): void
}

/**
 * Passes on what it hears to each of several listeners, in the order in which they came. A single listener is called
 * straight by the books; this stands between only where there are more.
 */
export class BookListeners implements BookListener {
  private readonly listeners: readonly BookListener[]

  constructor(listeners: readonly BookListener[]) {
    this.listeners = listeners
  }

  levelChanged(slot: number, outcome: Outcome, price: PriceE4, size: SizeE6): void {
    const { listeners } = this
    for (let i = 0; i < listeners.length; i++)
      (listeners[i] as BookListener).levelChanged(slot, outcome, price, size)
  }

  sideReplaced(slot: number, outcome: Outcome): void {
    const { listeners } = this
    for (let i = 0; i < listeners.length; i++) (listeners[i] as BookListener).sideReplaced(slot, outcome)
  }

  released(slot: number): void {
    const { listeners } = this
    for (let i = 0; i < listeners.length; i++) (listeners[i] as BookListener).released(slot)
  }

  touched(slot: number): void {
    const { listeners } = this
    for (let i = 0; i < listeners.length; i++) (listeners[i] as BookListener).touched(slot)
  }
}
