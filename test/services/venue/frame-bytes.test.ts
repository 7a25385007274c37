import fc from 'fast-check'
import t from 'tap'
import { digitsEnd, hold, integerOf } from '../../../services/venue/frame-bytes.ts'

t.test('a run of digits ends at the first byte that is none, wherever that stands', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), fc.nat(15), (bytes, digits) => {
      const frame = Buffer.concat([Buffer.from('7'.repeat(digits)), bytes])
      hold(frame)
      const expected = [...frame].findIndex((byte) => byte < 0x30 || byte > 0x39)
      return digitsEnd(0) === (expected < 0 ? frame.length : expected)
    }),
    { numRuns: 2_000 }
  )
  for (let byte = 0; byte < 256; byte++)
    for (let at = 0; at < 8; at++) {
      const frame = Buffer.from('09090909')
      frame[at] = byte
      hold(frame)
      const isDigit = byte >= 0x30 && byte <= 0x39
      if (digitsEnd(0) !== (isDigit ? 8 : at)) throw new Error(`byte ${byte} at ${at}`)
    }
})

t.test('an integer of up to 15 digits is read exactly', async () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9]{1,15}$/), fc.nat(7), (digits, before) => {
      hold(Buffer.from(' '.repeat(before) + digits))
      return integerOf(before, before + digits.length) === Number(digits)
    }),
    { numRuns: 2_000 }
  )
})
