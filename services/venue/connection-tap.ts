import type { WireTap } from './wire-tap.ts'

export interface ConnectionTapOptions {
  wire: WireTap
  venue: string
  name: string
  /** Whether what comes goes into the live books from the start. */
  keepsBooks: boolean
  now: () => number
}

/** Tells a wire tap of one connection of ours, under the number that it gave to each of its openings. */
export class ConnectionTap {
  private readonly options: ConnectionTapOptions
  private keepsBooks: boolean
  /** Null while the connection is not open. */
  private number: number | null = null

  constructor(options: ConnectionTapOptions) {
    this.options = options
    this.keepsBooks = options.keepsBooks
  }

  opened(): void {
    const { wire, venue, name, now } = this.options
    this.number = wire.opened(venue, name, now())
    if (this.keepsBooks) this.adopt()
  }

  closed(reason: string): void {
    const { wire, venue, now } = this.options
    if (this.number === null) return
    wire.closed(venue, this.number, now(), reason)
    this.number = null
  }

  frame(frame: Buffer, atMs: number): void {
    const { wire, venue } = this.options
    if (this.number !== null) wire.frame(venue, this.number, atMs, frame)
  }

  command(text: string): void {
    const { wire, venue, now } = this.options
    if (this.number !== null) wire.command(venue, this.number, now(), text)
  }

  /** From now on, over every opening, what comes goes into the live books. */
  adopt(): void {
    const { wire, venue, now } = this.options
    this.keepsBooks = true
    if (this.number !== null) wire.adopted(venue, this.number, now())
  }
}
