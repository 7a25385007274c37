import { isUtf8 } from 'node:buffer'
import {
  ONE_E4,
  PRICE_DECIMALS,
  type PriceE4,
  parsePriceE4,
  parseScaled,
  parseSizeE6,
  SIZE_DECIMALS
} from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import type { LevelList } from '../orderbook/levels.ts'
import type { RawDelta, RawLifecycle, RawMessage, RawSnapshot } from './messages.ts'

/** A message whose envelope was understood; null stands for a field that is absent. */
export interface Envelope {
  readonly type: string
  readonly id: number | null
  readonly sid: number | null
  readonly seq: number | null
  readonly msg: unknown
}

/** Whether numbers come as dollars and fractions of contracts, or as cents and whole ones; 0 before the first. */
export const UNKNOWN_FORM = 0
export const FIXED_FORM = 1
export const CENTS_FORM = 2
export type Form = typeof UNKNOWN_FORM | typeof FIXED_FORM | typeof CENTS_FORM

/** One change of a book, from the scanner or from `parseDelta`. Reused from frame to frame. */
export class Delta {
  price: PriceE4 = 0
  /** Signed, in millionths of a contract. */
  change = 0
  outcome: Outcome = YES
  /** Epoch milliseconds; NaN where the venue sent none. */
  venueTimeMs = Number.NaN
  form: Form = FIXED_FORM
}

/** What the venue says of a market's life. Times are epoch milliseconds. */
export interface Lifecycle {
  readonly ticker: string
  readonly eventType: string
  readonly openMs: number | null
  readonly closeMs: number | null
  readonly result: string | null
  /** The new price grid in its wire form. */
  readonly priceRanges: unknown
}

/** Returns the message in a frame, or the word for what is wrong with it. Takes any bytes. */
export function parseFrame(frame: Buffer): Envelope | 'not_utf8' | 'not_json' | 'malformed' {
  // The socket leaves this to us: it would look at every frame, and most never come here.
  if (!isUtf8(frame)) return 'not_utf8'
  let value: unknown
  try {
    value = JSON.parse(frame.toString())
  } catch {
    return 'not_json'
  }
  if (!isObject(value)) return 'malformed'
  const { type, id, sid, seq, msg }: RawMessage = value
  if (typeof type !== 'string') return 'malformed'
  return { type, id: integerOrNull(id), sid: integerOrNull(sid), seq: integerOrNull(seq), msg }
}

/** Returns the market that a message is about, or null where it names none. */
export function parseTicker(msg: unknown): string | null {
  if (!isObject(msg)) return null
  const { market_ticker: ticker }: RawSnapshot = msg
  return typeof ticker === 'string' && ticker !== '' ? ticker : null
}

/** Returns the subscription that a `subscribed` answer opened, or null: older ones carried no `msg`. */
export function parseSubscribed(msg: unknown): { sid: number; channel: string } | null {
  if (!isObject(msg)) return null
  const sid = integerOrNull(msg.sid)
  return sid === null || typeof msg.channel !== 'string' ? null : { sid, channel: msg.channel }
}

/** Returns the code and text of an `error`; code 0 where it carries none. */
export function parseError(msg: unknown): { code: number; text: string } {
  if (!isObject(msg)) return { code: 0, text: '' }
  return { code: integerOrNull(msg.code) ?? 0, text: typeof msg.msg === 'string' ? msg.msg : '' }
}

/**
 * Fills `delta` from any of the three wire forms; false when the form is not one of them, the side is neither yes
 * nor no, or a number does not fit exactly.
 */
export function parseDelta(msg: unknown, useYesPrice: boolean, delta: Delta): boolean {
  if (!isObject(msg)) return false
  const {
    price_dollars: dollars,
    price,
    delta_fp: contracts,
    delta: whole,
    side,
    ts_ms: tsMs
  }: RawDelta = msg
  if (side !== 'yes' && side !== 'no') return false
  delta.outcome = side === 'yes' ? YES : NO
  const own = isPresent(dollars) ? priceOf(dollars) : priceOfCents(price)
  delta.price = useYesPrice && delta.outcome === NO ? ONE_E4 - own : own
  delta.form = isPresent(dollars) && isPresent(contracts) ? FIXED_FORM : CENTS_FORM
  delta.change = parseScaled(numeral(isPresent(contracts) ? contracts : whole), SIZE_DECIMALS)
  delta.venueTimeMs = integerOrNull(tsMs) ?? Number.NaN
  return !Number.isNaN(delta.price) && !Number.isNaN(delta.change)
}

/**
 * Collects both sides of a snapshot in any of the three wire forms, prices ascending, and returns in which: an empty
 * book has none, and dollars alone do not tell. Returns null for a form that has changed: a side under none of its three names counts as empty only
 * if no other `yes...` or `no...` is there.
 */
export function parseSnapshot(
  msg: unknown,
  useYesPrice: boolean,
  yes: LevelList,
  no: LevelList
): Form | null {
  if (!isObject(msg)) return null
  const raw: RawSnapshot = msg
  const isRead =
    collectSide(msg, 'yes', [raw.yes_dollars_fp, raw.yes_dollars, raw.yes], false, yes) &&
    collectSide(msg, 'no', [raw.no_dollars_fp, raw.no_dollars, raw.no], useYesPrice, no)
  if (!isRead) return null
  if (isPresent(raw.yes_dollars_fp) || isPresent(raw.no_dollars_fp)) return FIXED_FORM
  return isPresent(raw.yes_dollars) || isPresent(raw.no_dollars) || (yes.count === 0 && no.count === 0)
    ? UNKNOWN_FORM
    : CENTS_FORM
}

/** Returns what a `market_lifecycle_v2` says, or null when it lacks its market or kind. */
export function parseLifecycle(msg: unknown): Lifecycle | null {
  const ticker = parseTicker(msg)
  if (ticker === null || !isObject(msg)) return null
  const raw: RawLifecycle = msg
  if (typeof raw.event_type !== 'string') return null
  return {
    ticker,
    eventType: raw.event_type,
    openMs: secondsToMs(raw.open_ts),
    closeMs: secondsToMs(raw.close_ts),
    result: typeof raw.result === 'string' && raw.result !== '' ? raw.result : null,
    priceRanges: raw.price_ranges
  }
}

const SIDE_KEYS = new Set(['yes_dollars_fp', 'yes_dollars', 'yes', 'no_dollars_fp', 'no_dollars', 'no'])

function collectSide(
  msg: Record<string, unknown>,
  prefix: 'yes' | 'no',
  [fixed, dollars, cents]: [unknown, unknown, unknown],
  mirrored: boolean,
  levels: LevelList
): boolean {
  levels.clear()
  if (isPresent(fixed)) return collect(fixed, priceOf, mirrored, levels)
  if (isPresent(dollars)) return collect(dollars, priceOf, mirrored, levels)
  if (isPresent(cents)) return collect(cents, priceOfCents, mirrored, levels)
  for (const key in msg) if (key.startsWith(prefix) && !SIDE_KEYS.has(key)) return false
  return true
}

function collect(
  side: unknown,
  price: (value: unknown) => PriceE4,
  mirrored: boolean,
  levels: LevelList
): boolean {
  if (!Array.isArray(side)) return false
  for (const level of side as unknown[]) {
    if (!Array.isArray(level) || level.length < 2) return false
    const own = price(level[0])
    const size = parseSizeE6(numeral(level[1]))
    if (Number.isNaN(own) || Number.isNaN(size)) return false
    if (!levels.push(mirrored ? ONE_E4 - own : own, size)) return false
  }
  return levels.sort()
}

/** Dollars, as text or number. */
export function priceOf(value: unknown): PriceE4 {
  return parsePriceE4(numeral(value))
}

/** Cents, as number or text: two decimals of a cent are a ten-thousandth of a dollar. */
export function priceOfCents(value: unknown): PriceE4 {
  const price = parseScaled(numeral(value), PRICE_DECIMALS - 2)
  return price >= 0 && price <= ONE_E4 ? price : Number.NaN
}

/** The text of a decimal that came as text or as a JSON number; empty, so no number, for anything else. */
export function numeral(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

export function secondsToMs(value: unknown): number | null {
  const seconds = integerOrNull(value)
  return seconds === null || seconds > MAX_SECONDS ? null : seconds * 1_000
}

/** The last second that a `Date` can tell. */
const MAX_SECONDS = 8.64e12

export function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null
}

export function integerOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
