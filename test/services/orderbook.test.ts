import fc from 'fast-check'
import t from 'tap'
import { ArenaFullError } from '../../services/errors.ts'
import { formatPrice, formatSize, MAX_SIZE_E6, ONE_E4 } from '../../services/numbers/decimal.ts'
import { BookArena, NO, type Outcome, YES } from '../../services/orderbook/arena.ts'
import { getDepth } from '../../services/orderbook/depth.ts'
import { levelPrint } from '../../services/orderbook/level-print.ts'
import { LevelList } from '../../services/orderbook/levels.ts'
import { mirror } from '../../services/orderbook/mirror.ts'
import { getQuote } from '../../services/orderbook/quote.ts'

/** The naive way: a Map a side, sorted on read. */
class NaiveBooks {
  readonly sides = new Map<string, Map<number, number>>()

  side(slot: number, outcome: Outcome): Map<number, number> {
    const key = `${slot}/${outcome}`
    let side = this.sides.get(key)
    if (side === undefined) {
      side = new Map()
      this.sides.set(key, side)
    }
    return side
  }

  set(slot: number, outcome: Outcome, price: number, size: number): void {
    if (size === 0) this.side(slot, outcome).delete(price)
    else this.side(slot, outcome).set(price, size)
  }

  bestFirst(slot: number, outcome: Outcome): [number, number][] {
    return [...this.side(slot, outcome)].sort(([a], [b]) => b - a)
  }
}

function bestFirst(arena: BookArena, slot: number, outcome: Outcome): [number, number][] {
  return Array.from({ length: arena.count(slot, outcome) }, (_, i) => [
    arena.priceAt(slot, outcome, i),
    arena.sizeAt(slot, outcome, i)
  ])
}

const slot = fc.nat(2)
const outcome = fc.constantFrom(YES, NO)
/** Few prices make runs of inserts and removals at one place; many make long runs. */
const price = fc.oneof(fc.nat(20), fc.nat(ONE_E4))
const size = fc.oneof(fc.constant(0), fc.nat(1_000_000), fc.nat(MAX_SIZE_E6), fc.constant(MAX_SIZE_E6))
/** A step of 2^32 shows in the high half of a size only. */
const step = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom(2 ** 32, -(2 ** 32)))
const command = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), slot, outcome, price, size }),
  fc.record({
    kind: fc.constant('change' as const),
    slot,
    outcome,
    price,
    size: step
  }),
  fc.record({ kind: fc.constant('release' as const), slot }),
  fc.record({
    kind: fc.constant('replace' as const),
    slot,
    outcome,
    levels: fc.uniqueArray(fc.tuple(price, size), { selector: ([at]) => at, maxLength: 80, size: 'max' })
  })
)
type Command = typeof command extends fc.Arbitrary<infer One> ? One : never

/** Does the same to both; false when they answer differently. */
function agreeOn(one: Command, arena: BookArena, naive: NaiveBooks): boolean {
  if (one.kind === 'set') {
    const before = naive.side(one.slot, one.outcome).get(one.price) ?? 0
    if (arena.setLevel(one.slot, one.outcome, one.price, one.size) !== before) return false
    naive.set(one.slot, one.outcome, one.price, one.size)
  } else if (one.kind === 'change') {
    const after = (naive.side(one.slot, one.outcome).get(one.price) ?? 0) + one.size
    const said = arena.changeLevel(one.slot, one.outcome, one.price, one.size)
    const fits = after >= 0 && after <= MAX_SIZE_E6
    if (said !== (fits ? after : -1)) return false
    if (fits) naive.set(one.slot, one.outcome, one.price, after)
  } else if (one.kind === 'release') {
    arena.release(one.slot)
    for (const side of [YES, NO] as const) naive.side(one.slot, side).clear()
  } else {
    const levels = new LevelList()
    for (const [at, resting] of one.levels) levels.push(at, resting)
    if (!levels.sort()) return false
    arena.replace(one.slot, one.outcome, levels)
    naive.side(one.slot, one.outcome).clear()
    for (const [at, resting] of one.levels) naive.set(one.slot, one.outcome, at, resting)
  }
  return true
}

t.test('any sequence of changes equals the naive model', async (t) => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 300, size: 'max' }), (commands) => {
      const arena = new BookArena(3, 50_000)
      const naive = new NaiveBooks()
      for (const one of commands) if (!agreeOn(one, arena, naive)) return false
      for (let at = 0; at < 3; at++) {
        for (const side of [YES, NO] as const) {
          const expected = naive.bestFirst(at, side)
          if (JSON.stringify(bestFirst(arena, at, side)) !== JSON.stringify(expected)) return false
          for (const [one, resting] of expected) if (arena.sizeOf(at, side, one) !== resting) return false
        }
      }
      return true
    }),
    { numRuns: 300 }
  )
  t.pass('all equal')
})

t.test('the print that is kept of a side is that of its levels after every change', async (t) => {
  const printOf = (levels: Iterable<[number, number]>) => {
    let print = 0
    for (const [at, resting] of levels) print = (print + levelPrint(at, resting)) | 0
    return print
  }
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200, size: 'max' }), (commands) => {
      const arena = new BookArena(3, 50_000)
      const naive = new NaiveBooks()
      return commands.every((one) => {
        if (!agreeOn(one, arena, naive)) return false
        const sides = 'outcome' in one ? [one.outcome] : ([YES, NO] as const)
        return sides.every((side) => arena.sidePrint(one.slot, side) === printOf(naive.side(one.slot, side)))
      })
    }),
    { numRuns: 300 }
  )
  t.pass('all equal')
})

t.test('who listens is told of every change, after it, and keeps the same books by that alone', async (t) => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200, size: 'max' }), (commands) => {
      const arena = new BookArena(3, 50_000)
      const told = new NaiveBooks()
      let isTrue = true
      arena.listener = {
        levelChanged: (slot, outcome, price, size) => {
          isTrue &&=
            arena.sizeOf(slot, outcome, price) === size && told.side(slot, outcome).get(price) !== size
          told.set(slot, outcome, price, size)
        },
        sideReplaced: (slot, outcome) => {
          told.side(slot, outcome).clear()
          for (const [price, size] of bestFirst(arena, slot, outcome)) told.set(slot, outcome, price, size)
        },
        released: (slot) => {
          for (const side of [YES, NO] as const) told.side(slot, side).clear()
        }
      }
      const naive = new NaiveBooks()
      for (const one of commands) {
        if (!agreeOn(one, arena, naive) || !isTrue) return false
        for (const side of [YES, NO] as const) {
          const books = [told, naive].map((books) => JSON.stringify(books.bestFirst(one.slot, side)))
          if (books[0] !== books[1]) return false
        }
      }
      return true
    }),
    { numRuns: 200 }
  )
  t.pass('all equal')
})

t.test('what changes nothing is told to nobody', async (t) => {
  const arena = new BookArena(1, 8)
  for (let price = 1; price <= 8; price++) arena.setLevel(0, YES, price, price)
  const told: unknown[] = []
  const note = (...change: unknown[]) => told.push(change)
  arena.listener = { levelChanged: note, sideReplaced: note, released: note }
  arena.setLevel(0, YES, 1, 1)
  arena.setLevel(0, YES, 9, 0)
  arena.changeLevel(0, YES, 9, 0)
  arena.changeLevel(0, YES, 1, -2)
  t.throws(() => arena.setLevel(0, YES, 9, 1), ArenaFullError)
  t.strictSame(told, [])
  arena.listener = null
  arena.setLevel(0, YES, 1, 7)
  t.strictSame(told, [])
})

t.test('a change that is refused leaves the print as it was', async (t) => {
  const arena = new BookArena(2, 8)
  for (let price = 1; price <= 8; price++) arena.setLevel(0, YES, price, price)
  const print = arena.sidePrint(0, YES)
  t.equal(arena.changeLevel(0, YES, 1, -2), -1)
  t.equal(arena.changeLevel(0, YES, 9, -1), -1)
  t.throws(() => arena.setLevel(0, YES, 9, 1), ArenaFullError)
  t.throws(() => arena.setLevel(1, YES, 1, 1), ArenaFullError)
  t.equal(arena.sidePrint(0, YES), print)
  t.equal(arena.sidePrint(1, YES), 0)
})

t.test('a change below zero leaves the book as it was and says so', async (t) => {
  const arena = new BookArena(1, 1_000)
  arena.setLevel(0, YES, 4_200, 5)
  t.equal(arena.changeLevel(0, YES, 4_200, -6), -1)
  t.equal(arena.changeLevel(0, YES, 4_100, -1), -1)
  t.strictSame(bestFirst(arena, 0, YES), [[4_200, 5]])
})

t.test('a size never grows past what is exact', async (t) => {
  const arena = new BookArena(1, 1_000)
  arena.setLevel(0, YES, 4_200, MAX_SIZE_E6)
  t.equal(arena.changeLevel(0, YES, 4_200, 1), -1)
  t.strictSame(bestFirst(arena, 0, YES), [[4_200, MAX_SIZE_E6]])
  t.equal(formatSize(MAX_SIZE_E6), '999999999.999999')
})

t.test('a full arena is an explicit error, and freed runs are used again', async (t) => {
  const arena = new BookArena(4, 32)
  for (let slot = 0; slot < 4; slot++) arena.setLevel(slot, YES, 1, 1)
  t.throws(() => arena.setLevel(0, NO, 1, 1), ArenaFullError)
  arena.release(3)
  arena.setLevel(0, NO, 1, 7)
  t.equal(arena.sizeOf(0, NO, 1), 7)
  for (let slot = 0; slot < 4; slot++) arena.release(slot)
  t.equal(arena.reservedLevels, 32)
})

t.test('a freed long run serves short ones', async (t) => {
  const arena = new BookArena(10, 64)
  const levels = new LevelList()
  for (let price = 0; price < 40; price++) levels.push(price, 1)
  arena.replace(0, YES, levels)
  arena.release(0)
  for (let slot = 1; slot < 9; slot++) arena.setLevel(slot, YES, slot, slot)
  for (let slot = 1; slot < 9; slot++) t.strictSame(bestFirst(arena, slot, YES), [[slot, slot]])
  t.throws(() => arena.setLevel(9, YES, 1, 1), ArenaFullError)
})

t.test('levels of a frame are ordered, and a price named twice is refused', async (t) => {
  const levels = new LevelList()
  for (const price of [5, 1, 9]) levels.push(price, price)
  t.ok(levels.sort())
  t.strictSame([...levels.price.subarray(0, 3)], [1, 5, 9])
  t.strictSame([...levels.size.subarray(0, 3)], [1, 5, 9])
  levels.push(5, 1)
  t.notOk(levels.sort())
  levels.clear()
  for (let price = 0; price <= ONE_E4; price++) levels.push(price, 1)
  t.equal(levels.count, ONE_E4 + 1)
  t.notOk(levels.push(0, 1), 'more levels than prices')
})

t.test('quotes and depth are in the outcome’s own terms', async (t) => {
  const arena = new BookArena(1, 1_000)
  arena.setLevel(0, YES, 4_100, 120_000_000)
  arena.setLevel(0, YES, 4_200, 35_500_000)
  arena.setLevel(0, NO, 5_699, 200_250_000)
  t.strictSame(getQuote(arena, 0, YES), {
    bestBid: '0.42',
    bestBidSize: '35.5',
    bestAsk: '0.4301',
    bestAskSize: '200.25',
    mid: '0.42505',
    spread: '0.0101'
  })
  t.strictSame(getQuote(arena, 0, NO), {
    bestBid: '0.5699',
    bestBidSize: '200.25',
    bestAsk: '0.58',
    bestAskSize: '35.5',
    mid: '0.57495',
    spread: '0.0101'
  })
  t.strictSame(getDepth(arena, 0, 1), {
    bids: [{ price: '0.42', size: '35.5' }],
    asks: [{ price: '0.4301', size: '200.25' }]
  })
  t.strictSame(getDepth(arena, 0, 0), { bids: [], asks: [] })
  t.notOk(arena.crossed(0))
  arena.setLevel(0, NO, 5_800, 1)
  t.ok(arena.crossed(0), '0.42 + 0.58 could match')
})

t.test('an empty side has no quote, never 0', async (t) => {
  const arena = new BookArena(1, 1_000)
  arena.setLevel(0, YES, 0, 1)
  t.strictSame(getQuote(arena, 0, YES), {
    bestBid: '0',
    bestBidSize: '0.000001',
    bestAsk: null,
    bestAskSize: null,
    mid: null,
    spread: null
  })
  t.notOk(arena.crossed(0))
})

t.test('the mirror of the mirror is the book, and the mirror is the other outcome', async () => {
  const side = fc.uniqueArray(fc.tuple(fc.nat(ONE_E4), fc.integer({ min: 1, max: 1e12 })), {
    selector: ([at]) => at,
    maxLength: 40
  })
  fc.assert(
    fc.property(side, side, (yes, no) => {
      const arena = new BookArena(1, 10_000)
      for (const [at, resting] of yes) arena.setLevel(0, YES, at, resting)
      for (const [at, resting] of no) arena.setLevel(0, NO, at, resting)
      const view = getDepth(arena, 0, 100)
      const other = getDepth(arena, 0, 100, NO)
      return (
        JSON.stringify(mirror(mirror(view))) === JSON.stringify(view) &&
        JSON.stringify(mirror(view)) === JSON.stringify(other) &&
        view.bids.every(({ price, size }) =>
          yes.some(([at, q]) => formatPrice(at) === price && formatSize(q) === size)
        )
      )
    })
  )
})
