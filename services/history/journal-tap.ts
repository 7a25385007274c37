import type { WireTap } from '../venue/wire-tap.ts'
import type { RecordKind } from './journal/record.ts'

/** The part of a journal's writer that a tap needs. */
export interface JournalSink {
  append(kind: RecordKind, atMs: number, connection: number, body: Uint8Array): void
  appendText(kind: RecordKind, atMs: number, connection: number, text: string): void
}

/** Writes what passes on the wires into the journal of its venue. Records of no connection bear the number 0. */
export class JournalTap implements WireTap {
  private readonly journals: ReadonlyMap<string, JournalSink>
  private connections = 0

  constructor(journals: ReadonlyMap<string, JournalSink>) {
    this.journals = journals
  }

  opened(venue: string, name: string, atMs: number): number {
    const connection = ++this.connections
    this.of(venue).appendText('opened', atMs, connection, JSON.stringify({ name }))
    return connection
  }

  closed(venue: string, connection: number, atMs: number, reason: string): void {
    this.of(venue).appendText('closed', atMs, connection, JSON.stringify({ reason }))
  }

  frame(venue: string, connection: number, atMs: number, bytes: Buffer): void {
    this.of(venue).append('frame', atMs, connection, bytes)
  }

  command(venue: string, connection: number, atMs: number, text: string): void {
    this.of(venue).appendText('command', atMs, connection, text)
  }

  adopted(venue: string, connection: number, atMs: number): void {
    this.of(venue).appendText('adopted', atMs, connection, '{}')
  }

  rest(venue: string, atMs: number, body: string): void {
    this.of(venue).appendText('rest', atMs, 0, body)
  }

  private of(venue: string): JournalSink {
    const journal = this.journals.get(venue)
    if (journal === undefined) throw new Error(`no journal is kept of ${venue}`)
    return journal
  }
}
