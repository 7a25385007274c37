import { RangeInvalidError } from '../../errors.ts'
import { CANDLE_INTERVALS, type CandleInterval, type TimeRange } from '../records.ts'

/** 9999-12-31T23:59:59.999Z: what four digits of a year can say. */
const LAST_MS = 253_402_300_799_999
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

/** An unescaped plus sign of a query arrives as a space, so before an offset that is what it means. */
const ISO_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?(?:[Zz]|([-+ ])(\d\d):(\d\d))$/
const EPOCH_MS = /^\d{1,15}$/

/** Candles that one answer may hold. */
export const CANDLES_MAX = 5_000

/** What a client says of a range. */
export interface AskedRange {
  from?: string | undefined
  to?: string | undefined
}

/**
 * Returns a time in epoch milliseconds from ISO 8601 text with an offset or Z and at most three decimals of a second,
 * or from epoch milliseconds as digits.
 *
 * @throws {RangeInvalidError} that names the parameter, for everything else and for times before 1970
 */
export function parseTime(text: string, parameter: string): number {
  const timeMs = EPOCH_MS.test(text) ? Number(text) : parseIsoTime(text)
  if (timeMs >= 0 && timeMs <= LAST_MS) return timeMs
  throw invalid(
    parameter,
    'must be ISO 8601 with Z or an offset, such as 2026-11-20T12:34:56.789Z, or epoch milliseconds, from 1970 to 9999'
  )
}

/** Returns an instant that is not ahead of `nowMs`. */
export function parseInstant(text: string, parameter: string, nowMs: number): number {
  const timeMs = parseTime(text, parameter)
  if (timeMs > nowMs) throw invalid(parameter, 'is in the future')
  return timeMs
}

/** Returns the half-open range that is asked for; without a start, the 24 hours before its end, and without an end, now. */
export function parseRange({ from, to }: AskedRange, nowMs: number): TimeRange {
  const toMs = to === undefined ? nowMs : parseTime(to, 'to')
  const fromMs = from === undefined ? Math.max(0, Math.min(toMs, nowMs) - DAY_MS) : parseTime(from, 'from')
  if (fromMs >= nowMs) throw invalid('from', 'must be in the past')
  if (fromMs >= toMs) throw invalid('from', 'must be before to')
  return { fromMs, toMs }
}

/** Returns the part of a range that is over. */
export function pastPart({ fromMs, toMs }: TimeRange, nowMs: number): TimeRange {
  return { fromMs, toMs: Math.min(toMs, nowMs) }
}

/**
 * Returns a range widened to whole candles, up to the one that is running.
 *
 * @throws {RangeInvalidError} that tells the limit, for more than `CANDLES_MAX` candles
 */
export function wholeCandles(range: TimeRange, interval: CandleInterval, nowMs: number): TimeRange {
  const lengthMs = CANDLE_INTERVALS[interval]
  const past = pastPart(range, nowMs)
  const fromMs = Math.floor(past.fromMs / lengthMs) * lengthMs
  const toMs = Math.max(Math.ceil(past.toMs / lengthMs) * lengthMs, fromMs + lengthMs)
  const candles = (toMs - fromMs) / lengthMs
  if (candles <= CANDLES_MAX) return { fromMs, toMs }
  throw invalid(
    'interval',
    `${interval} makes ${candles} candles of this range, and an answer holds ${CANDLES_MAX} at most: ask for a ` +
      'shorter range or longer candles'
  )
}

/** Says what is wrong with which parameter. */
export function invalid(parameter: string, problem: string): RangeInvalidError {
  return new RangeInvalidError(`query parameter ${parameter} ${problem}`)
}

/** NaN for what is no time: also for a day that its month does not have. */
function parseIsoTime(text: string): number {
  const match = ISO_TIME.exec(text)
  if (match === null) return Number.NaN
  const number = (group: number) => Number(match[group] ?? 0)
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(number) as Six
  const [offsetHours, offsetMinutes] = [number(9), number(10)]
  if (year < 1970 || hour > 23 || minute > 59 || second > 59 || offsetHours > 23 || offsetMinutes > 59)
    return Number.NaN
  const localMs = Date.UTC(
    year,
    month - 1,
    day,
    hour,
    minute,
    second,
    Number((match[7] ?? '').padEnd(3, '0'))
  )
  const local = new Date(localMs)
  if (local.getUTCMonth() !== month - 1 || local.getUTCDate() !== day) return Number.NaN
  const offsetMs = (offsetHours * 60 + offsetMinutes) * MINUTE_MS
  return match[8] === '-' ? localMs + offsetMs : localMs - offsetMs
}

type Six = [number, number, number, number, number, number]
