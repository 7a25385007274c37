import fc from 'fast-check'
import t from 'tap'
import { fingerprintOf, fingerprintOfLevels } from '../../../services/integrity/fingerprint.ts'
import { MAX_SIZE_E6 } from '../../../services/numbers/decimal.ts'
import { BookArena, NO, type Outcome, YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'

const SLOT = 1

function bookOf(levels: readonly (readonly [Outcome, number, number])[]): BookArena {
  const arena = new BookArena(2, 100_000)
  for (const [side, price, size] of levels) arena.setLevel(SLOT, side, price, size)
  return arena
}

function listOf(arena: BookArena, side: Outcome): LevelList {
  const list = new LevelList()
  for (let depth = arena.count(SLOT, side) - 1; depth >= 0; depth--)
    list.push(arena.priceAt(SLOT, side, depth), arena.sizeAt(SLOT, side, depth))
  return list
}

const print = (levels: Parameters<typeof bookOf>[0]) => fingerprintOf(bookOf(levels), SLOT)

t.test('a book and a read of it have one fingerprint, whatever their levels', async () => {
  const level = fc.tuple(
    fc.constantFrom<Outcome>(YES, NO),
    fc.integer({ min: 0, max: 10_000 }),
    fc.integer({ min: 0, max: MAX_SIZE_E6 })
  )
  fc.assert(
    fc.property(fc.array(level, { maxLength: 60, size: 'max' }), (levels) => {
      const arena = bookOf(levels)
      const yes = listOf(arena, YES)
      yes.push(10_000, 0)
      return fingerprintOf(arena, SLOT) === fingerprintOfLevels(yes, listOf(arena, NO))
    })
  )
})

t.test('every difference changes the fingerprint', async (t) => {
  const prints = [
    print([]),
    print([[YES, 4_000, 1]]),
    print([[NO, 4_000, 1]]),
    print([[YES, 4_001, 1]]),
    print([[YES, 4_000, 2]]),
    print([[YES, 4_000, 1 + 2 ** 32]]),
    print([[YES, 4_000, 1 + 2 ** 33]]),
    print([
      [YES, 4_000, 1],
      [NO, 4_000, 1]
    ]),
    print([
      [YES, 4_000, 1],
      [YES, 4_001, 2]
    ]),
    print([
      [YES, 4_000, 2],
      [YES, 4_001, 1]
    ])
  ]
  t.equal(new Set(prints).size, prints.length)
  t.ok(prints.every((one) => Number.isSafeInteger(one) && one >= 0))
})

t.test('a book that differs in one level has another fingerprint', async () => {
  const price = fc.integer({ min: 0, max: 10_000 })
  const size = fc.integer({ min: 1, max: MAX_SIZE_E6 })
  const levels = fc.array(fc.tuple(fc.constantFrom<Outcome>(YES, NO), price, size), {
    maxLength: 60,
    size: 'max'
  })
  const fits = (one: number) => one > 0 && one <= MAX_SIZE_E6
  fc.assert(
    fc.property(levels, fc.tuple(price, size), price, size, (rest, [at, resting], otherPrice, otherSize) => {
      const others = rest.filter(([, one]) => one !== at && one !== otherPrice)
      const book = print([...others, [YES, at, resting]])
      const otherSizes = [resting + 2 ** 32, resting - 2 ** 32, resting + 1, otherSize]
      return (
        print(others) !== book &&
        print([...others, [NO, at, resting]]) !== book &&
        (otherPrice === at || print([...others, [YES, otherPrice, resting]]) !== book) &&
        otherSizes.every(
          (one) => !fits(one) || one === resting || print([...others, [YES, at, one]]) !== book
        )
      )
    })
  )
})

t.test('a book and its mirror have two fingerprints, unless both sides are alike', async (t) => {
  const side = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 1, max: MAX_SIZE_E6 }))
  )
  fc.assert(
    fc.property(side, side, (yes, no) => {
      const of = (one: typeof yes, other: typeof no) => {
        const arena = bookOf([])
        for (const [price, size] of one) arena.setLevel(SLOT, YES, price, size)
        for (const [price, size] of other) arena.setLevel(SLOT, NO, price, size)
        return arena
      }
      const book = of(yes, no)
      const alike = book.sidePrint(SLOT, YES) === book.sidePrint(SLOT, NO)
      return alike === (fingerprintOf(book, SLOT) === fingerprintOf(of(no, yes), SLOT))
    })
  )
  t.pass('none shared')
})

t.test('the levels of a read may come in any order', async (t) => {
  const list = (prices: number[]) => {
    const levels = new LevelList()
    for (const price of prices) levels.push(price, price * 2 ** 30)
    return levels
  }
  const none = new LevelList()
  t.equal(fingerprintOfLevels(list([1, 5, 9]), none), fingerprintOfLevels(list([9, 1, 5]), none))
})

t.test('books that differ little seldom share a fingerprint', async (t) => {
  const seen = new Set<number>()
  const arena = new BookArena(2, 100)
  for (let price = 1; price < 300; price++)
    for (let size = 1; size < 300; size++) {
      arena.setLevel(SLOT, YES, price, size * 10_000)
      seen.add(fingerprintOf(arena, SLOT))
      arena.setLevel(SLOT, YES, price, 0)
    }
  t.equal(seen.size, 299 * 299)
})
