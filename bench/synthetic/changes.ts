import { createRandom } from '../../simulator/model/random.ts'
import { type LevelRange, randomSize, type SyntheticBook, syntheticBook, TICK, USUAL_LEVELS } from './book.ts'

/** A change of the size resting at one price: as a signed step and as the size after it. */
export interface LevelChange {
  market: number
  outcome: 0 | 1
  price: number
  change: number
  after: number
}

const SEED = 0xc4a26e
/** Changes that wait to be taken back; more of them make longer-lived levels. */
const OPEN_MAX = 2_000
/** How far from the best price changes fall, ticks. */
const REACH = 60

/**
 * Returns `count` changes of synthetic books, skewed to few markets and to the top of the book, that leave every book
 * as it began: whatever is added or taken away is put back before the end. None of them crosses a book.
 */
export function cyclicChanges(
  count: number,
  markets: number,
  range: LevelRange = USUAL_LEVELS
): LevelChange[] {
  const random = createRandom(SEED)
  const books = new Map<number, SyntheticBook>()
  const open: LevelChange[] = []
  const busy = new Set<string>()
  const changes: LevelChange[] = []

  const takeBack = () => {
    const at = random.int(open.length)
    const undone = open[at] as LevelChange
    open[at] = open[open.length - 1] as LevelChange
    open.pop()
    busy.delete(nameOf(undone))
    changes.push({ ...undone, change: -undone.change, after: undone.after - undone.change })
  }

  while (changes.length < count) {
    const mustClose = open.length >= Math.min(OPEN_MAX, count - changes.length)
    if (mustClose || (open.length > 0 && random.chance(0.49))) {
      takeBack()
      continue
    }
    // Busiest first, as the product gives out its slots.
    const market = Math.floor(markets * random.next() ** 3)
    const book = books.get(market) ?? syntheticBook(market, range)
    books.set(market, book)
    const outcome = random.chance(0.5) ? 0 : 1
    const { prices, sizes } = book.sides[outcome]
    const price = (prices[0] as number) - Math.floor(REACH * random.next() ** 2) * TICK
    if (price <= 0) continue
    const at = prices.indexOf(price)
    const before = at < 0 ? 0 : (sizes[at] as number)
    const change = before > 0 && random.chance(0.5) ? -before : randomSize(random)
    const made = { market, outcome, price, change, after: before + change } as const
    if (busy.has(nameOf(made))) continue
    busy.add(nameOf(made))
    open.push(made)
    changes.push(made)
  }
  return changes
}

function nameOf({ market, outcome, price }: LevelChange): string {
  return `${market}:${outcome}:${price}`
}
