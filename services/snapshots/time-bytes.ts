import { isoTime } from './aggregate.ts'

const DAY_MS = 86_400_000
const NULL = Buffer.from('null')
/** `"2026-11-20T`: nearly every reading is of one or two days, so the last day's text is kept. */
let dayText = Buffer.alloc(0)
let dayStartMs = Number.NaN

/**
 * Writes a clock reading as ISO 8601 text in quotes, or null for NaN and for what `isoTime` cannot say; returns
 * the position after it. The caller guarantees 26 free bytes.
 */
export function writeIsoTime(bytes: Uint8Array, at: number, epochMs: number): number {
  let rest = epochMs - dayStartMs
  // Not `rest < 0 ||`: NaN, on either side, must come here too.
  if (!(rest >= 0 && rest < DAY_MS)) {
    const text = isoTime(epochMs)
    if (text === null) {
      bytes.set(NULL, at)
      return at + NULL.length
    }
    dayText = Buffer.from(`"${text.slice(0, 11)}`)
    dayStartMs = Math.floor(epochMs / DAY_MS) * DAY_MS
    rest = epochMs - dayStartMs
  }
  for (let i = 0; i < dayText.length; i++) bytes[at + i] = dayText[i] as number
  rest |= 0
  const milliseconds = rest % 1_000
  rest = (rest - milliseconds) / 1_000
  const seconds = rest % 60
  rest = (rest - seconds) / 60
  const minutes = rest % 60
  let end = at + dayText.length
  end = writeTwo(bytes, end, (rest - minutes) / 60, COLON)
  end = writeTwo(bytes, end, minutes, COLON)
  end = writeTwo(bytes, end, seconds, POINT)
  const hundreds = (milliseconds / 100) | 0
  bytes[end++] = ZERO + hundreds
  end = writeTwo(bytes, end, milliseconds - hundreds * 100, Z)
  bytes[end++] = QUOTE
  return end
}

const QUOTE = 34
const POINT = 46
const ZERO = 48
const COLON = 58
const Z = 90

function writeTwo(bytes: Uint8Array, at: number, value: number, after: number): number {
  const tens = (value / 10) | 0
  bytes[at] = ZERO + tens
  bytes[at + 1] = ZERO + value - tens * 10
  bytes[at + 2] = after
  return at + 3
}
