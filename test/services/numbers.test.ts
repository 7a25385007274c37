import fc from 'fast-check'
import t from 'tap'
import {
  formatPrice,
  formatScaled,
  formatSize,
  parsePriceE4,
  parseScaled,
  parseScaledBytes,
  parseSizeE6,
  writeScaled
} from '../../services/numbers/decimal.ts'

const safeValue = fc.integer({ min: 0, max: 999_999_999_999_999 })

t.test('decimal text round-trips exactly', async (t) => {
  fc.assert(
    fc.property(safeValue, fc.boolean(), fc.nat(6), (magnitude, negative, decimals) => {
      const value = negative && magnitude !== 0 ? -magnitude : magnitude
      return parseScaled(formatScaled(value, decimals), decimals) === value
    })
  )
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), (price) => parsePriceE4(formatPrice(price)) === price)
  )
  t.equal(formatPrice(4_200), '0.42')
  t.equal(formatPrice(10_000), '1')
  t.equal(formatPrice(1), '0.0001')
  t.equal(formatSize(13_500_000), '13.5')
  t.equal(formatSize(0), '0')
  t.equal(formatSize(999_999_999_999_999), '999999999.999999')
})

t.test('the byte writer writes what the text formatter returns', async () => {
  const bytes = Buffer.alloc(40)
  fc.assert(
    fc.property(safeValue, fc.nat(6), (value, decimals) => {
      const end = writeScaled(bytes, 3, value, decimals)
      return bytes.toString('latin1', 3, end) === formatScaled(value, decimals)
    })
  )
})

t.test('the byte parser agrees with the text parser, whatever the text', async () => {
  const text = fc.oneof(
    fc.string({ maxLength: 24 }),
    fc.stringMatching(/^-?[0-9]{0,18}\.?[0-9]{0,9}$/),
    fc.constantFrom('', '-', '.', '-.', '.5', '5.', '0', '-0', '1e3', '+1', '00.5000', ' 1', '1 ')
  )
  fc.assert(
    fc.property(text, fc.nat(6), (one, decimals) => {
      const bytes = Buffer.from(one, 'latin1')
      return Object.is(
        parseScaledBytes(bytes, 0, bytes.length, decimals),
        parseScaled(bytes.toString('latin1'), decimals)
      )
    }),
    { numRuns: 2_000 }
  )
})

t.test('a number that does not fit is refused, never rounded', async (t) => {
  t.equal(parsePriceE4('0.4200'), 4_200)
  t.equal(parsePriceE4('0.42000000'), 4_200, 'trailing zeros carry nothing')
  for (const text of [
    '0.42001',
    '1.0001',
    '-0.1',
    '',
    'x',
    '1e-1',
    '0.4 ',
    'NaN',
    'Infinity',
    '0,4',
    '0.4.2'
  ]) {
    t.ok(Number.isNaN(parsePriceE4(text)), `price ${JSON.stringify(text)}`)
  }
  t.equal(parseSizeE6('1174194.00'), 1_174_194_000_000)
  for (const text of ['0.0000001', '-1', '1000000000', '9'.repeat(400)]) {
    t.ok(Number.isNaN(parseSizeE6(text)), `size ${text.slice(0, 20)}`)
  }
  t.throws(() => formatScaled(0.5, 4), RangeError)
  t.throws(() => formatPrice(10_001), RangeError)
})
