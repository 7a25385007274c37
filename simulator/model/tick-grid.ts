import { setLevel } from './book.ts'
import type { LevelChange, PriceE4, TrueBook } from './types.ts'

/** Moves resting sizes that are off a new grid to the next price away from the spread; returns what changed. */
export function moveToGrid(book: TrueBook, tickE4: PriceE4): LevelChange[] {
  const changes: LevelChange[] = []
  for (const side of ['bid', 'ask'] as const) {
    const levels = side === 'bid' ? book.bids : book.asks
    const round = side === 'bid' ? Math.floor : Math.ceil
    for (const [price, size] of [...levels]) {
      if (price % tickE4 === 0) continue
      changes.push(setLevel(book, side, price, 0))
      const target = round(price / tickE4) * tickE4
      // At 0 and at 1 nothing can rest: those orders are gone.
      if (target <= 0 || target >= 10_000) continue
      changes.push(setLevel(book, side, target, (levels.get(target) ?? 0) + size))
    }
  }
  return changes
}
