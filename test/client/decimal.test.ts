import fc from 'fast-check'
import t from 'tap'
import { compareDecimals, toScaled } from '../../client/src/index.ts'
import { formatScaled } from '../../services/numbers/decimal.ts'

const DECIMALS = 6
const scaled = fc.integer({ min: -(10 ** 15) + 1, max: 10 ** 15 - 1 })

t.test('decimal texts are ordered as the integers that they stand for', async (t) => {
  const check = fc.property(scaled, scaled, (a, b) => {
    const order = compareDecimals(formatScaled(a, DECIMALS), formatScaled(b, DECIMALS))
    return Math.sign(order) === Math.sign(a - b)
  })
  t.doesNotThrow(() => fc.assert(check, { numRuns: 2_000 }))
  for (const [low, high] of [
    ['0.4', '0.41'],
    ['0.09', '0.1'],
    ['9', '10'],
    ['-0.2', '-0.1'],
    ['-10', '-9.5'],
    ['-1', '0'],
    ['0.1234567890123456789', '0.123456789012345679']
  ] as const) {
    t.ok(compareDecimals(low, high) < 0 && compareDecimals(high, low) > 0, `${low} is below ${high}`)
  }
})

t.test('a decimal text becomes exactly its scaled integer, or is refused', async (t) => {
  const check = fc.property(
    scaled,
    (value) => toScaled(formatScaled(value, DECIMALS), DECIMALS) === BigInt(value)
  )
  t.doesNotThrow(() => fc.assert(check, { numRuns: 2_000 }))
  t.equal(toScaled('123456789012345678901.5', 2), 12345678901234567890150n, 'beyond what a double holds')
  for (const text of ['0.1234567', '', '.', '1.', '.5', '1e3', '0x1', '01', ' 1', 'NaN'])
    t.throws(() => toScaled(text, DECIMALS), RangeError, `'${text}' is refused`)
})
