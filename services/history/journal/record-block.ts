import { type JournalHole, type JournalRecord, RECORD_KINDS, type RecordKind } from './record.ts'

/** Kind (1 byte), time (float64), connection (u32), length of the body (u32); little endian, then the body. */
export const RECORD_HEADER_BYTES = 17

const KIND_CODES = Object.fromEntries(RECORD_KINDS.map((kind, code) => [kind, code])) as Record<
  RecordKind,
  number
>

/** When the records of one key in one block were, epoch milliseconds, both included. */
export interface KeySpan {
  fromMs: number
  toMs: number
}

/** Records in the making: they are copied into one buffer, and nothing is allocated for any of them but its key. */
export class RecordBlock {
  /** Counts blocks of a run, and so says which came first. */
  readonly serial: number
  readonly capacity: number
  length = 0
  records = 0
  /** Lowest and highest time of its records. */
  fromMs = Number.POSITIVE_INFINITY
  toMs = Number.NEGATIVE_INFINITY
  readonly keys = new Map<string, KeySpan>()
  /** Holes that some of its records tell of: to be told again if this block is lost. */
  readonly holes: JournalHole[] = []
  /** Our clock at the first record. */
  openedAtMs = 0
  readonly buffer: Buffer
  private readonly view: DataView

  constructor(serial: number, buffer: Buffer) {
    this.serial = serial
    this.buffer = buffer
    this.capacity = buffer.length
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  }

  /** What was recorded so far. */
  get raw(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  /** Appends a record. The caller knows that it fits. */
  append(kind: RecordKind, atMs: number, connection: number, body: Uint8Array): void {
    this.buffer.set(body, this.length + RECORD_HEADER_BYTES)
    this.close(kind, atMs, connection, body.length)
  }

  /** Appends a record whose body is text. The caller knows that three bytes a UTF-16 unit fit. */
  appendText(kind: RecordKind, atMs: number, connection: number, text: string): void {
    const bytes = this.buffer.write(text, this.length + RECORD_HEADER_BYTES, 'utf8')
    this.close(kind, atMs, connection, bytes)
  }

  /** Makes the last record findable by a key. */
  addKey(key: string, atMs: number): void {
    const span = this.keys.get(key)
    if (span === undefined) this.keys.set(key, { fromMs: atMs, toMs: atMs })
    else if (atMs > span.toMs) span.toMs = atMs
    else if (atMs < span.fromMs) span.fromMs = atMs
  }

  private close(kind: RecordKind, atMs: number, connection: number, bytes: number): void {
    const { view, length } = this
    view.setUint8(length, KIND_CODES[kind])
    view.setFloat64(length + 1, atMs, true)
    view.setUint32(length + 9, connection, true)
    view.setUint32(length + 13, bytes, true)
    this.length = length + RECORD_HEADER_BYTES + bytes
    this.records++
    if (atMs < this.fromMs) this.fromMs = atMs
    if (atMs > this.toMs) this.toMs = atMs
  }
}

/**
 * Returns the records of a block with `fromMs <= atMs < toMs`. Their bodies are windows into `raw`, not copies.
 * `kinds` says what each kind's number meant when the block was written.
 */
export function decodeRecords(
  raw: Buffer,
  kinds: readonly RecordKind[],
  fromMs: number,
  toMs: number
): JournalRecord[] {
  const records: JournalRecord[] = []
  let at = 0
  while (at < raw.length) {
    const kind = kinds[raw.readUInt8(at)]
    const atMs = raw.readDoubleLE(at + 1)
    const bodyAt = at + RECORD_HEADER_BYTES
    const end = bodyAt + raw.readUInt32LE(at + 13)
    // A kind that a later version added is passed over: the rest can still be read.
    if (kind !== undefined && atMs >= fromMs && atMs < toMs) {
      records.push({ kind, atMs, connection: raw.readUInt32LE(at + 9), body: raw.subarray(bodyAt, end) })
    }
    at = end
  }
  return records
}
