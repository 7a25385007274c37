import type { BookLogSink, BookLogSource } from '../../../services/history/book-log/ports.ts'
import type { JournalPosition, JournalRecord, RecordKind } from '../../../services/history/journal/record.ts'
import type { TimeRange } from '../../../services/history/records.ts'

/** Records a block: so few that a reader has to cross blocks. */
const BLOCK = 5

/** A journal in memory, with records to take out or put in. */
export class MemoryJournal implements BookLogSink, BookLogSource {
  entries: { record: JournalRecord; key: string | undefined }[] = []

  append(kind: RecordKind, atMs: number, connection: number, body: Uint8Array, key?: string): void {
    this.entries.push({ record: { kind, atMs, connection, body: Buffer.from(body) }, key })
  }

  async flush(): Promise<void> {}

  async findLast(key: string, atMs: number): Promise<JournalPosition | null> {
    const at = this.entries.findLastIndex((entry) => entry.key === key && entry.record.atMs <= atMs)
    return at < 0 ? null : { segment: 'memory', block: Math.floor(at / BLOCK) }
  }

  async findFirst(key: string): Promise<number | null> {
    return this.entries.find((entry) => entry.key === key)?.record.atMs ?? null
  }

  async span(): Promise<TimeRange | null> {
    const times = this.entries.map(({ record }) => record.atMs)
    return times.length === 0 ? null : { fromMs: Math.min(...times), toMs: Math.max(...times) }
  }

  async *records({ fromMs, toMs, start }: TimeRange & { start?: JournalPosition }) {
    for (let block = start?.block ?? 0; block * BLOCK < this.entries.length; block++) {
      const records = this.entries.slice(block * BLOCK, (block + 1) * BLOCK).map(({ record }) => record)
      yield {
        position: { segment: 'memory', block },
        records: records.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      }
    }
  }
}
