/** Starts a character of two bytes; whatever follows in these frames is no second byte of one. */
const HALF_A_CHARACTER = 0xc3

/** Returns a text as the bytes of a frame, with half a character at the start of a value in its second half. */
export function brokenText(text: string): Buffer {
  const at = text.indexOf('":"', text.length >> 1) + 3
  return Buffer.concat([
    Buffer.from(text.slice(0, at)),
    Buffer.of(HALF_A_CHARACTER),
    Buffer.from(text.slice(at))
  ])
}
