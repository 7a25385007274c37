import type { ServerResponse } from 'node:http'
import { eventOf, type Frame } from './frame.ts'
import type { StreamTransport } from './transport.ts'

const PROBE = ':\n\n'

/** Sends to a client as server-sent events; all messages of one turn leave in one write. */
export class EventTransport implements StreamTransport {
  private readonly response: ServerResponse
  /** Called when the client took what it was probed with. */
  private readonly onAlive: () => void
  private isCorked = false
  private readonly uncork = () => {
    this.isCorked = false
    this.response.uncork()
  }

  constructor(response: ServerResponse, onAlive: () => void) {
    this.response = response
    this.onAlive = onAlive
  }

  get waitingBytes(): number {
    return this.response.writableLength
  }

  get leftBytes(): number {
    const { socket } = this.response
    return socket === null ? 0 : socket.bytesWritten - socket.writableLength
  }

  send(type: string, message: Buffer, resumeId: string | null): void {
    this.write(eventOf(type, message, resumeId))
  }

  sendFrame(frame: Frame, isResumable: boolean): void {
    this.write(frame.event(isResumable))
  }

  probe(): void {
    if (!this.response.writableEnded) this.response.write(PROBE, (error) => error ?? this.onAlive())
  }

  /** There is no code to give; whoever looks at the stream finds the reason in a comment. */
  close(code: number, reason: string): void {
    if (!this.response.writableEnded) this.response.end(`: ${code} ${reason}\n\n`)
  }

  terminate(): void {
    this.response.destroy()
  }

  private write(event: Buffer): void {
    if (this.response.writableEnded || this.response.destroyed) return
    if (!this.isCorked) {
      this.isCorked = true
      this.response.cork()
      process.nextTick(this.uncork)
    }
    this.response.write(event)
  }
}
