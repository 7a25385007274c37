import { isIP, connect as netConnect, type Socket, type TcpNetConnectOpts } from 'node:net'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'

export interface FrameTapOptions {
  /** Longer frames are left to the library, which refuses them. */
  maxFrameBytes: number
  /** Called once for each read from the kernel, before its frames. */
  onRead: () => void
  /** Called with each whole text frame, in order; its memory is written again after the call. Must not throw. */
  onFrame: (frame: Buffer) => void
}

/** The parts of a socket that the tap stands on. */
export type TappedSocket = Pick<Socket, 'push' | 'readableFlowing' | 'readableLength' | 'destroyed'>

/** One buffer takes every read: fresh ones, freed late, would be cold memory each, which costs more than the frames. */
const READ_BYTES = 64 * 1024

const SWITCHING = 'HTTP/1.1 101 '
const HEADERS_END = '\r\n\r\n'
const HEADERS_MAX = 64 * 1024
const EMPTY = Buffer.alloc(0)

/** First byte of a frame: the last (or only) one of its message, three reserved bits, and what it is. */
const FIN = 0x80
const OPCODE = 0x0f
const CONTINUATION = 0x0
const TEXT = 0x1
const BINARY = 0x2
const CLOSE = 0x8
/** A text that is whole, neither compressed nor extended. */
const WHOLE_TEXT = FIN | TEXT
/** Second byte: masked or not, and the length, or where the length stands. */
const MASKED = 0x80
const LENGTH = 0x7f
const LENGTH_16 = 126
const LENGTH_64 = 127
const MASK_BYTES = 4

/**
 * Takes whole text frames off a venue's socket before they reach the WebSocket library, which spends more on each than
 * all the rest of us; everything else goes on to it: the handshake, pings, closing, messages in pieces, what is wrong.
 * Node hands it what was read (`onread`), and it pushes on what the library is to read. Frames are taken only while
 * the library has nothing left to read, so that none overtakes another. What is not understood ends the tap: all
 * further bytes go on.
 *
 * @example
 * const tap = new FrameTap({ maxFrameBytes, onRead, onFrame })
 * const socket = new WebSocket(url, { createConnection: tap.connector(url) })
 * socket.on('open', () => tap.open())
 */
export class FrameTap {
  private readonly options: FrameTapOptions
  private socket: TappedSocket | null = null
  private stage: 'headers' | 'frames' | 'ended' = 'headers'
  private isOpen = false
  /** A message in pieces is under way: a text frame in between would be wrong, and is the library's to refuse. */
  private isFragmented = false
  /** Headers of the answer so far, then the header of a frame that was cut. */
  private head: Buffer = EMPTY
  /** Bytes of a frame that goes on to the library, and are still to come. */
  private passLeft = 0
  /** A text frame that was cut, and how much of it is there. */
  private partial: Buffer | null = null
  private filled = 0
  /** Of the header that was read last. */
  private headerBytes = 0
  private payloadBytes = 0

  constructor(options: FrameTapOptions) {
    this.options = options
  }

  /** Returns what connects to `url` with this tap on the socket, for `WebSocket`. */
  connector(url: string): typeof netConnect {
    const isSecure = new URL(url).protocol === 'wss:'
    const connect = (options: TcpNetConnectOpts): Socket => {
      const { host = '' } = options
      const onread = {
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback: (length: number, buffer: Uint8Array) => this.read((buffer as Buffer).subarray(0, length))
      }
      // Upgrade requests carry a URL's path, which these would take for that of a local socket.
      const reading = { ...options, path: undefined, onread } as TcpNetConnectOpts
      // `onread` is an option of TLS too, which its types leave out.
      const socket = isSecure
        ? tlsConnect({ ...reading, servername: isIP(host) ? '' : host } as ConnectionOptions)
        : netConnect(reading)
      this.attach(socket)
      return socket
    }
    return connect as typeof netConnect
  }

  /** Sets the socket that what is not taken is pushed to. */
  attach(socket: TappedSocket): void {
    this.socket = socket
  }

  /** From now on frames are taken: the library has told that the connection is open. */
  open(): void {
    this.isOpen = true
  }

  /** Takes what was read, in memory that may be written again; false when the socket is to read no more for now. */
  read(chunk: Buffer): boolean {
    this.options.onRead()
    if (this.stage === 'frames') return this.frames(chunk)
    return this.stage === 'ended' ? this.pass(chunk) : this.headers(chunk)
  }

  /** Finds where the answer to the upgrade ends. */
  private headers(chunk: Buffer): boolean {
    const before = this.head.length
    this.head = Buffer.concat([this.head, chunk])
    const end = this.head.indexOf(HEADERS_END)
    if (end < 0) {
      if (this.head.length > HEADERS_MAX) this.end()
      return this.pass(chunk)
    }
    const isSwitching = this.head.toString('latin1', 0, SWITCHING.length) === SWITCHING
    this.head = EMPTY
    this.stage = isSwitching ? 'frames' : 'ended'
    if (!isSwitching) return this.pass(chunk)
    // Frames may stand right behind: they go on with the headers, before the library can be open.
    const framesAt = end + HEADERS_END.length - before
    return this.walk(chunk, framesAt, 0)
  }

  private frames(chunk: Buffer): boolean {
    const { partial } = this
    if (partial !== null) return this.fill(partial, chunk)
    if (this.passLeft > 0) {
      const length = Math.min(this.passLeft, chunk.length)
      this.passLeft -= length
      return this.walk(chunk, length, 0)
    }
    if (this.head.length === 0) return this.walk(chunk, 0, 0)
    const joined = Buffer.concat([this.head, chunk])
    this.head = EMPTY
    return this.walk(joined, 0, 0)
  }

  private fill(partial: Buffer, chunk: Buffer): boolean {
    const copied = chunk.copy(partial, this.filled)
    this.filled += copied
    if (this.filled < partial.length) return true
    this.partial = null
    this.options.onFrame(partial)
    return this.walk(chunk, copied, copied)
  }

  /** Goes from frame to frame from `at` on; what stands before it, back to `passFrom`, is to go on. */
  private walk(chunk: Buffer, start: number, passFrom: number): boolean {
    const { length } = chunk
    let at = start
    let from = passFrom
    let goesOn = true
    while (at < length) {
      if (!this.header(chunk, at)) {
        // Known only with the next read; it waits here, since nobody can do anything with half a header.
        this.head = Buffer.from(chunk.subarray(at))
        return (from < at ? this.pass(chunk.subarray(from, at)) : true) && goesOn
      }
      const payloadAt = at + this.headerBytes
      const end = payloadAt + this.payloadBytes
      if (this.isTakeable(chunk, at)) {
        if (from < at) goesOn = this.pass(chunk.subarray(from, at)) && goesOn
        if (this.isClear()) {
          if (end > length) {
            this.partial = Buffer.allocUnsafe(this.payloadBytes)
            this.filled = chunk.copy(this.partial, 0, payloadAt)
            return goesOn
          }
          this.options.onFrame(chunk.subarray(payloadAt, end))
          at = end
          from = end
          continue
        }
        from = at
      }
      if (this.stage === 'ended') return this.pass(chunk.subarray(from)) && goesOn
      this.passLeft = Math.max(0, end - length)
      at = end
    }
    return (from < length ? this.pass(chunk.subarray(from)) : true) && goesOn
  }

  /** Reads a frame's header; false when it is cut. */
  private header(chunk: Buffer, at: number): boolean {
    const { length } = chunk
    if (at + 2 > length) return false
    const second = chunk[at + 1] as number
    const mask = (second & MASKED) === 0 ? 0 : MASK_BYTES
    const given = second & LENGTH
    if (given < LENGTH_16) {
      this.headerBytes = 2 + mask
      this.payloadBytes = given
      return true
    }
    const wide = given === LENGTH_64 ? 8 : 2
    if (at + 2 + wide > length) return false
    this.headerBytes = 2 + wide + mask
    this.payloadBytes = wide === 2 ? chunk.readUInt16BE(at + 2) : Number(chunk.readBigUInt64BE(at + 2))
    return true
  }

  /** Whether the frame is one for us; notes what it means for those that follow. */
  private isTakeable(chunk: Buffer, at: number): boolean {
    const first = chunk[at] as number
    if (first === WHOLE_TEXT && ((chunk[at + 1] as number) & MASKED) === 0) {
      if (this.payloadBytes <= this.options.maxFrameBytes) return this.isOpen && !this.isFragmented
      this.end()
      return false
    }
    const opcode = first & OPCODE
    const isLast = (first & FIN) !== 0
    if (opcode === CLOSE || this.payloadBytes > this.options.maxFrameBytes) this.end()
    else if (opcode === CONTINUATION && isLast) this.isFragmented = false
    else if ((opcode === TEXT || opcode === BINARY) && !isLast) this.isFragmented = true
    return false
  }

  /** The library may keep what it gets, so it gets a copy. */
  private pass(chunk: Buffer): boolean {
    return this.socket?.push(Buffer.from(chunk)) ?? false
  }

  /** True while the library has read all that went on to it, and reads. */
  private isClear(): boolean {
    const { socket } = this
    return (
      socket !== null && socket.readableFlowing === true && socket.readableLength === 0 && !socket.destroyed
    )
  }

  private end(): void {
    this.stage = 'ended'
    this.head = EMPTY
  }
}
