/** One side as a Map from price to size, put in order whenever somebody reads it: the usual order book. */
export class MapBooks {
  private readonly sides: Map<number, number>[]

  constructor(markets: number) {
    this.sides = Array.from({ length: markets * 2 }, () => new Map<number, number>())
  }

  set(market: number, outcome: 0 | 1, price: number, size: number): void {
    this.side(market, outcome).set(price, size)
  }

  change(market: number, outcome: 0 | 1, price: number, change: number): void {
    const side = this.side(market, outcome)
    const size = (side.get(price) ?? 0) + change
    if (size === 0) side.delete(price)
    else side.set(price, size)
  }

  /** Returns the sum of price times size over the best levels. */
  sumOfTop(market: number, outcome: 0 | 1, depth: number): number {
    const side = this.side(market, outcome)
    const prices = [...side.keys()].sort((a, b) => b - a)
    let sum = 0
    for (let i = 0; i < depth && i < prices.length; i++) {
      const price = prices[i] as number
      sum += price * ((side.get(price) as number) / 10_000)
    }
    return sum
  }

  private side(market: number, outcome: 0 | 1): Map<number, number> {
    return this.sides[market * 2 + outcome] as Map<number, number>
  }
}
