/** Eight hex digits are 32 bits: enough to tell two books of one asset and one millisecond apart. */
const DIGITS = 8
const SHA1_DIGITS = 40
const FIRST_DIGITS = /^[0-9a-f]{8}/

/**
 * Returns the number that the first eight hex digits of a book hash make, or -1 where there is no such hash. It names
 * a state of a book in typed arrays, where a text for each message would be garbage.
 */
export function foldHashBytes(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== SHA1_DIGITS) return -1
  let value = 0
  for (let at = start; at < start + DIGITS; at++) {
    const byte = bytes[at] as number
    if (byte >= 0x30 && byte <= 0x39) value = (value << 4) | (byte - 0x30)
    else if (byte >= 0x61 && byte <= 0x66) value = (value << 4) | (byte - 0x57)
    else return -1
  }
  return value >>> 0
}

/** Does what `foldHashBytes` does for a text. */
export function foldHash(hash: string): number {
  return hash.length === SHA1_DIGITS && FIRST_DIGITS.test(hash)
    ? Number.parseInt(hash.slice(0, DIGITS), 16)
    : -1
}
