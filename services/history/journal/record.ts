/**
 * What a record of a journal is. `frame`: bytes that came; `command`: text that we sent; `opened`, `closed`: a connection's
 * life, JSON; `rest`: a book read over REST that was put into the books, JSON; `market`: what a venue says of a market,
 * JSON; `adopted`: from now on this connection keeps the books; `book`: changes of books, binary; `checkpoint`: a whole
 * book, JSON; `hole`: records were lost here, JSON.
 */
export const RECORD_KINDS = [
  'frame',
  'command',
  'opened',
  'closed',
  'rest',
  'market',
  'adopted',
  'book',
  'checkpoint',
  'hole'
] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

/** One entry of a journal, as read back. */
export interface JournalRecord {
  kind: RecordKind
  /** Our clock, epoch milliseconds. */
  atMs: number
  /** Which connection of ours, unique within a run; 0 for none. */
  connection: number
  body: Buffer
}

/** Where a record stands; later ones compare greater, segment first. */
export interface JournalPosition {
  /** Name of the segment file, which sorts by time. */
  segment: string
  /** Which block of it, from 0. */
  block: number
}

/** Records that were lost, for whoever keeps the gaps. */
export interface JournalHole {
  journal: string
  fromMs: number
  toMs: number
  records: number
  reason: 'queue_full' | 'disk_full' | 'write_failed' | 'torn' | 'corrupt'
}
