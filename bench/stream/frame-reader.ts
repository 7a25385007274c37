const NOTHING = Buffer.alloc(0)
const PAYLOAD_TEXT = 0x81
const CLOSE = 0x88

/** Reads what a server sends over a WebSocket: whole unmasked text frames, as all of ours are. */
export class FrameReader {
  /** The code with which the server closed; null while it has not. */
  closeCode: number | null = null
  private rest: Buffer = NOTHING
  private readonly onMessage: (payload: Buffer) => void

  /** A payload's memory is written again after the call. */
  constructor(onMessage: (payload: Buffer) => void) {
    this.onMessage = onMessage
  }

  /** Takes bytes whose memory is written again after the call. */
  read(chunk: Buffer): void {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    let at = 0
    while (bytes.length - at >= 2) {
      const short = bytes[at + 1] as number
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (bytes.length - at < header) break
      const length =
        header === 2
          ? short
          : header === 4
            ? bytes.readUInt16BE(at + 2)
            : Number(bytes.readBigUInt64BE(at + 2))
      const end = at + header + length
      if (bytes.length < end) break
      this.take(bytes[at] as number, bytes.subarray(at + header, end))
      at = end
    }
    this.rest = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at))
  }

  private take(opening: number, payload: Buffer): void {
    if (opening === PAYLOAD_TEXT) this.onMessage(payload)
    else if (opening === CLOSE) this.closeCode = payload.readUInt16BE(0)
  }
}

/** Returns a short text as a client sends it: masked, with a mask of zeros. */
export function clientFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const { length } = payload
  const header =
    length < 126 ? [0x81, 0x80 | length] : [0x81, 0x80 | 126, (length >> 8) & 0xff, length & 0xff]
  if (length > 0xffff) throw new Error('a command is too long')
  return Buffer.concat([Buffer.from([...header, 0, 0, 0, 0]), payload])
}
