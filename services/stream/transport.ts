import type { Frame } from './frame.ts'

/** How bytes reach one client. None of it throws; what is sent after the end is dropped. */
export interface StreamTransport {
  /** Bytes that wait for the client to read them. */
  readonly waitingBytes: number
  /** Bytes that have left so far: grows while the client reads. */
  readonly leftBytes: number
  /** Sends one message; `resumeId` says where to resume after it, null while that would lose something. */
  send(type: string, message: Buffer, resumeId: string | null): void
  sendFrame(frame: Frame, isResumable: boolean): void
  /** Makes the client show that it is there. */
  probe(): void
  /** Ends it with a code and a reason that the client can read. */
  close(code: number, reason: string): void
  /** Ends it at once. */
  terminate(): void
}
