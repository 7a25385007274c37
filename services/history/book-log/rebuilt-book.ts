import { ONE_E4, type PriceE4, type SizeE6 } from '../../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../../orderbook/arena.ts'
import { levelPrint } from '../../orderbook/level-print.ts'
import type { RecordedLevel } from '../records.ts'
import { type ChangeCursor, CLEARED } from './change-buffer.ts'
import type { BookCheckpoint } from './checkpoint.ts'

/** A book that is put together from what the log says of it. */
export class RebuiltBook {
  private readonly sides = [new Map<PriceE4, SizeE6>(), new Map<PriceE4, SizeE6>()] as const

  replace({ bids, asks }: Pick<BookCheckpoint, 'bids' | 'asks'>): void {
    for (const [outcome, levels] of [bids, asks].entries()) {
      const side = this.side(outcome)
      side.clear()
      for (const [price, size] of levels) side.set(price, size)
    }
  }

  apply(change: ChangeCursor): void {
    change.each((what, price, size) => {
      if (what >= CLEARED) this.side(what - CLEARED).clear()
      else if (size > 0) this.side(what).set(price, size)
      else this.side(what).delete(price)
    })
  }

  /** Returns the print of a side's levels, worked out anew: see `BookArena.sidePrint`. */
  print(outcome: Outcome): number {
    let print = 0
    for (const [price, size] of this.side(outcome)) print = (print + levelPrint(price, size)) | 0
    return print
  }

  /** Returns what stands for all levels: prints and numbers of levels, hexadecimal. */
  digest(): string {
    const hex = (value: number) => (value >>> 0).toString(16).padStart(8, '0')
    return [
      hex(this.print(YES)),
      hex(this.print(NO)),
      hex(this.sides[YES].size),
      hex(this.sides[NO].size)
    ].join('')
  }

  /** Best first. */
  bids(): RecordedLevel[] {
    return [...this.sides[YES]].sort(([a], [b]) => b - a)
  }

  /** In YES terms, best first. */
  asks(): RecordedLevel[] {
    return [...this.sides[NO]].sort(([a], [b]) => b - a).map(([price, size]) => [ONE_E4 - price, size])
  }

  private side(outcome: number): Map<PriceE4, SizeE6> {
    return this.sides[outcome === YES ? YES : NO]
  }
}
