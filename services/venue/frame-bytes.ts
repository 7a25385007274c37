/** Frames that are longer are not held: those that are worth a scanner are far shorter. */
const CAPACITY = 1024 * 1024

// One frame at a time is copied here: memory that never moves is read twice as fast as a fresh buffer's, and the zero
// after the frame ends every loop and every comparison, since no text that a scanner accepts holds one.
/** The frame that is being scanned, and a zero after it. */
export const BYTES = new Uint8Array(CAPACITY + 8)
/** The same bytes, for reading four at a time. */
const VIEW = new DataView(BYTES.buffer)

const QUOTE = 0x22
const BACKSLASH = 0x5c
const SPACE = 0x20
const ZERO = 0x30
const NINE = 0x39

/** 1 for the bytes that stand for themselves inside a JSON string; the quote and the backslash do not. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= SPACE && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0
)

/** Takes a frame in; false when it is too long. */
export function hold(frame: Uint8Array): boolean {
  if (frame.length > CAPACITY) return false
  BYTES.set(frame)
  BYTES[frame.length] = 0
  return true
}

/** Returns the position of the first byte from `start` on that is no white space. */
export function skipBlanks(start: number): number {
  let at = start
  for (;;) {
    const byte = BYTES[at] as number
    if (byte > SPACE || (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return at
    at++
  }
}

/** Returns the position of the quote that closes a string of plain ASCII that starts at `start`; -1 if it is none. */
export function stringEnd(start: number): number {
  let at = start
  while (isPlain(VIEW.getInt32(at, true))) at += 4
  while (PLAIN[BYTES[at] as number] === 1) at++
  return BYTES[at] === QUOTE ? at : -1
}

/** Returns the position of the first byte from `start` on that is no digit. */
export function digitsEnd(start: number): number {
  let at = start
  while (areDigits(VIEW.getInt32(at, true))) at += 4
  while ((BYTES[at] as number) >= ZERO && (BYTES[at] as number) <= NINE) at++
  return at
}

/** Returns the number that at most 15 digits make. */
export function integerOf(start: number, end: number): number {
  // Eight digits fit 32 bits, where multiplying takes half as long; what is before them comes apart.
  const middle = Math.max(start, end - 8)
  return middle === start
    ? shortInteger(start, end)
    : shortInteger(start, middle) * 1e8 + shortInteger(middle, end)
}

function shortInteger(start: number, end: number): number {
  let value = 0
  let at = start
  for (; at + 4 <= end; at += 4) value = (Math.imul(value, 10_000) + fourDigits(VIEW.getInt32(at, true))) | 0
  for (; at < end; at++) value = (Math.imul(value, 10) + (BYTES[at] as number) - ZERO) | 0
  return value
}

/** The number that four digits make, the first in the lowest byte: pairs are joined, then the two pairs. */
function fourDigits(four: number): number {
  const digits = four - 0x30303030
  const pairs = (Math.imul(digits, 10) + (digits >>> 8)) & 0x00ff00ff
  return (Math.imul(pairs, 100) + (pairs >>> 16)) & 0xffff
}

/** True only for four digits. */
function areDigits(four: number): boolean {
  const above = four - 0x30303030
  return ((above | (above + 0x76767676) | four) & 0x80808080) === 0
}

/**
 * An ASCII text of at least four characters, to be compared eight at a time: as doubles, which are equal just when
 * their bytes are, since eight ASCII characters are neither a zero nor NaN.
 */
export class FixedText {
  readonly length: number
  private readonly eights: Float64Array
  /** The last four or eight characters, which overlap those before unless the length is a multiple. */
  private readonly last: number
  /** The first four of a text that is shorter than eight. */
  private readonly first: number

  constructor(text: string) {
    const bytes = Buffer.from(text, 'latin1')
    const { length } = bytes
    this.length = length
    this.eights = Float64Array.from({ length: (length - 1) >> 3 }, (_, i) => bytes.readDoubleLE(i * 8))
    this.first = bytes.readInt32LE(0)
    this.last = length < 8 ? bytes.readInt32LE(length - 4) : bytes.readDoubleLE(length - 8)
  }

  /** True when it stands at a position of the held frame. */
  isAt(at: number): boolean {
    const { eights, length } = this
    if (length < 8)
      return VIEW.getInt32(at, true) === this.first && VIEW.getInt32(at + length - 4, true) === this.last
    if (VIEW.getFloat64(at + length - 8, true) !== this.last) return false
    for (let i = 0; i < eights.length; i++) if (VIEW.getFloat64(at + i * 8, true) !== eights[i]) return false
    return true
  }
}

/** True only for four plain bytes: none is a quote, a backslash, a control byte or above ASCII. */
function isPlain(four: number): boolean {
  const quote = four ^ 0x22222222
  const backslash = four ^ 0x5c5c5c5c
  return (
    ((((quote - 0x01010101) & ~quote) |
      ((backslash - 0x01010101) & ~backslash) |
      ((four - 0x20202020) & ~four) |
      four) &
      0x80808080) ===
    0
  )
}
