import fc from 'fast-check'
import t from 'tap'
import { RangeInvalidError } from '../../../../services/errors.ts'
import {
  CANDLES_MAX,
  parseInstant,
  parseRange,
  parseTime,
  wholeCandles
} from '../../../../services/history/read/time-range.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 12, 34, 56, 789)
const DAY_MS = 86_400_000
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const times = fc.integer({ min: DAY_MS, max: LAST_MS - DAY_MS })

/** The text of a time as a clock with another offset shows it. */
function textAt(timeMs: number, offsetMinutes: number, plus = '+'): string {
  const local = new Date(timeMs + offsetMinutes * 60_000).toISOString().slice(0, -1)
  const minutes = Math.abs(offsetMinutes)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${local}${offsetMinutes < 0 ? '-' : plus}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`
}

t.test('a time is the same instant in every form that it can be written in', async () => {
  fc.assert(
    fc.property(times, fc.integer({ min: -23 * 60, max: 23 * 60 }), (timeMs, offset) => {
      const iso = new Date(timeMs).toISOString()
      const forms = [
        iso,
        iso.toLowerCase(),
        String(timeMs),
        textAt(timeMs, offset),
        textAt(timeMs, offset, ' ')
      ]
      return forms.every((text) => parseTime(text, 'from') === timeMs)
    })
  )
})

t.test('decimals of a second may be fewer than three', async (t) => {
  t.equal(parseTime('2026-11-20T12:34:56Z', 'from'), NOW_MS - 789)
  t.equal(parseTime('2026-11-20T12:34:56.7Z', 'from'), NOW_MS - 89)
  t.equal(parseTime('2026-11-20T12:34:56.78Z', 'from'), NOW_MS - 9)
  t.equal(parseTime('1970-01-01T00:00:00.000Z', 'from'), 0)
  t.equal(parseTime('2028-02-29T00:00:00.000Z', 'from'), Date.UTC(2028, 1, 29))
})

const MALFORMED = [
  '',
  'now',
  'yesterday',
  '-1',
  '1.5',
  '1e12',
  '0x10',
  ' 1',
  '9999999999999999',
  '253402300800000',
  '2026-11-20',
  '2026-11-20T12:34:56.789',
  '2026-11-20T12:34Z',
  '2026-11-20 12:34:56Z',
  '2026-11-20T12:34:56,789Z',
  '2026-11-20T12:34:56.7891Z',
  '2026-11-20T12:34:56.Z',
  '2026-11-20T24:00:00Z',
  '2026-11-20T12:60:00Z',
  '2026-11-20T12:34:60Z',
  '2026-13-01T00:00:00Z',
  '2026-00-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-02-29T00:00:00Z',
  '2026-11-00T00:00:00Z',
  '2026-11-20T12:34:56+24:00',
  '2026-11-20T12:34:56+02:60',
  '2026-11-20T12:34:56+0200',
  '2026-11-20T12:34:56+02',
  '1969-12-31T23:59:59.999Z',
  '0026-11-20T12:34:56Z',
  '+002026-11-20T12:34:56Z',
  '2026-11-20T12:34:56Z\n',
  '２０２６-11-20T12:34:56Z'
]

t.test('what is no time is refused, and the parameter is named', async (t) => {
  for (const text of MALFORMED)
    t.throws(
      () => parseTime(text, 'asOf'),
      { code: 'RANGE_INVALID', message: /^query parameter asOf must be / },
      JSON.stringify(text)
    )
})

t.test('any text is a time or refused, never something else', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-0-9T:.Z+ ]{0,30}$/)), (text) => {
      try {
        const timeMs = parseTime(text, 'to')
        return Number.isSafeInteger(timeMs) && timeMs >= 0 && timeMs <= LAST_MS
      } catch (error) {
        return error instanceof RangeInvalidError
      }
    }),
    { numRuns: 1_000 }
  )
})

t.test('a range is the last day unless the client says otherwise', async (t) => {
  t.same(parseRange({}, NOW_MS), { fromMs: NOW_MS - DAY_MS, toMs: NOW_MS })
  t.same(parseRange({ from: '1000' }, NOW_MS), { fromMs: 1_000, toMs: NOW_MS })
  t.same(parseRange({ to: String(10 * DAY_MS) }, NOW_MS), { fromMs: 9 * DAY_MS, toMs: 10 * DAY_MS })
  t.same(parseRange({ to: '1000' }, NOW_MS), { fromMs: 0, toMs: 1_000 })
  t.same(
    parseRange({ to: String(NOW_MS + 5) }, NOW_MS),
    { fromMs: NOW_MS - DAY_MS, toMs: NOW_MS + 5 },
    'an end that is yet to come leaves the start where it would be'
  )
})

t.test('a range without an inside is refused', async (t) => {
  const refused = (range: { from?: string; to?: string }, message: RegExp) =>
    t.throws(() => parseRange(range, NOW_MS), { code: 'RANGE_INVALID', message })
  refused({ from: '2000', to: '1000' }, /^query parameter from must be before to/)
  refused({ from: '1000', to: '1000' }, /^query parameter from must be before to/)
  refused({ to: '0' }, /^query parameter from must be before to/)
  refused({ from: String(NOW_MS + 1) }, /^query parameter from must be in the past/)
  refused({ from: String(NOW_MS), to: String(NOW_MS + 1) }, /^query parameter from must be in the past/)
  refused({ from: 'x', to: '1000' }, /^query parameter from /)
  refused({ from: '1000', to: 'x' }, /^query parameter to /)
})

t.test('an instant may be now, but not later', async (t) => {
  t.equal(parseInstant(String(NOW_MS), 'asOf', NOW_MS), NOW_MS)
  t.throws(() => parseInstant(String(NOW_MS + 1), 'asOf', NOW_MS), {
    code: 'RANGE_INVALID',
    message: 'query parameter asOf is in the future'
  })
})

t.test('candles are whole ones, up to the one that is running', async (t) => {
  const minute = (n: number) => Date.UTC(2026, 10, 20, 12, n)
  t.same(wholeCandles({ fromMs: minute(1) + 1, toMs: minute(3) - 1 }, '1m', NOW_MS), {
    fromMs: minute(1),
    toMs: minute(3)
  })
  t.same(wholeCandles({ fromMs: minute(1), toMs: minute(3) }, '1m', NOW_MS), {
    fromMs: minute(1),
    toMs: minute(3)
  })
  t.same(
    wholeCandles({ fromMs: minute(30), toMs: minute(59) }, '1m', NOW_MS).toMs,
    minute(35),
    'none of the future'
  )
  t.same(wholeCandles({ fromMs: minute(1), toMs: minute(2) }, '1d', NOW_MS), {
    fromMs: Date.UTC(2026, 10, 20),
    toMs: Date.UTC(2026, 10, 21)
  })
  const most = { fromMs: minute(0) - (CANDLES_MAX - 1) * 60_000, toMs: minute(1) }
  t.equal(wholeCandles(most, '1m', NOW_MS).fromMs, most.fromMs)
  t.throws(() => wholeCandles({ ...most, fromMs: most.fromMs - 1 }, '1m', NOW_MS), {
    code: 'RANGE_INVALID',
    message: /^query parameter interval 1m makes 5001 candles .* 5000 at most/
  })
})
