/** Frames of a venue, encoded once and sent over and over: the end of one turn is the beginning of the next. */
export interface FrameCycle {
  /** WebSocket frames back to back, as a server sends them. */
  bytes: Buffer
  /** Where each frame ends. */
  ends: Int32Array
  /** Where each frame has the digits that name its turn, if its frames are numbered. */
  turnAt: Int32Array | null
}

/** Digits of the number of a turn; the first turn is 10,000, so that there are never more or fewer. */
export const TURN_DIGITS = 5
export const FIRST_TURN = 10_000

/**
 * Returns the cycle of some texts. Where a text holds `mark`, once and as long as `TURN_DIGITS`, the sender writes
 * the number of the turn there.
 */
export function encodeCycle(texts: readonly string[], mark: string | null = null): FrameCycle {
  const payloads = texts.map((text) => Buffer.from(text))
  const total = payloads.reduce((sum, { length }) => sum + length + headerBytes(length), 0)
  const bytes = Buffer.allocUnsafeSlow(total)
  const ends = new Int32Array(payloads.length)
  const turnAt = mark === null ? null : new Int32Array(payloads.length)
  let at = 0
  payloads.forEach((payload, i) => {
    at = writeHeader(bytes, at, payload.length)
    payload.copy(bytes, at)
    if (turnAt !== null && mark !== null) turnAt[i] = at + payload.indexOf(mark)
    at += payload.length
    ends[i] = at
  })
  return { bytes, ends, turnAt }
}

function headerBytes(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10
}

/** A final, unmasked text frame. */
function writeHeader(bytes: Buffer, at: number, length: number): number {
  bytes[at] = 0x81
  if (length < 126) return bytes.writeUInt8(length, at + 1)
  if (length < 65_536) {
    bytes[at + 1] = 126
    return bytes.writeUInt16BE(length, at + 2)
  }
  bytes[at + 1] = 127
  return bytes.writeBigUInt64BE(BigInt(length), at + 2)
}
