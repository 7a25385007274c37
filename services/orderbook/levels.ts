import { ONE_E4, type PriceE4, type SizeE6 } from '../numbers/decimal.ts'

/** As many levels as there are prices: 0.0000 to 1.0000 in steps of 0.0001. */
export const MAX_LEVELS = ONE_E4 + 1

/**
 * Levels collected from one frame, before any of them touches a book: a frame is applied whole or not at all.
 * Reused from frame to frame, so that reading one allocates nothing.
 */
export class LevelList {
  readonly price = new Uint16Array(MAX_LEVELS)
  readonly size = new Float64Array(MAX_LEVELS)
  count = 0

  clear(): void {
    this.count = 0
  }

  /** Adds a level; returns false when there are more levels than prices, so the frame is malformed. */
  push(price: PriceE4, size: SizeE6): boolean {
    if (this.count === MAX_LEVELS) return false
    this.price[this.count] = price
    this.size[this.count] = size
    this.count++
    return true
  }

  /** Orders the levels by ascending price; returns false if a price occurs twice. */
  sort(): boolean {
    const { price, size, count } = this
    let ascending = true
    let descending = true
    for (let i = 1; i < count; i++) {
      const step = (price[i] as number) - (price[i - 1] as number)
      if (step <= 0) ascending = false
      if (step >= 0) descending = false
    }
    if (ascending) return true
    if (descending) {
      price.subarray(0, count).reverse()
      size.subarray(0, count).reverse()
      return true
    }
    const order = Array.from({ length: count }, (_, i) => i)
    order.sort((a, b) => (price[a] as number) - (price[b] as number))
    const prices = order.map((i) => price[i] as number)
    const sizes = order.map((i) => size[i] as number)
    for (let i = 0; i < count; i++) {
      if (i > 0 && prices[i] === prices[i - 1]) return false
      price[i] = prices[i] as number
      size[i] = sizes[i] as number
    }
    return true
  }
}
