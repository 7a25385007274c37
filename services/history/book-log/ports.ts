import type { JournalPosition, JournalRecord, RecordKind } from '../journal/record.ts'
import type { TimeRange } from '../records.ts'

/** The journal that the book log is written to. */
export interface BookLogSink {
  /** Appends a record and copies its body before it returns: the bytes are used again. Never waits nor throws. */
  append(kind: RecordKind, atMs: number, connection: number, body: Uint8Array, key?: string): void
  /** Resolves when all that was appended can be read. */
  flush(): Promise<void>
}

/** The journal that the book log is read from. */
export interface BookLogSource {
  /** Returns where the last record with this key stands that is not younger; null when there is none. */
  findLast(key: string, atMs: number): Promise<JournalPosition | null>
  /** Returns the time of the first record with this key; null when there is none. */
  findFirst(key: string): Promise<number | null>
  /** Returns the times of the first and the last record, both included; null when there is none. */
  span(): Promise<TimeRange | null>
  /** The records of a range in the order in which they were appended, from a position on if one is given. */
  records(
    range: TimeRange & { start?: JournalPosition }
  ): AsyncIterable<{ position: JournalPosition; records: readonly JournalRecord[] }>
}
