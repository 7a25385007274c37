import type { JournalRecord } from '../journal/record.ts'

/** A journal in what a replay needs of it. */
export interface RecordSource {
  /** The records of a half-open range in the order in which they were written, block by block. */
  records(range: { fromMs: number; toMs: number }): AsyncIterable<{ records: readonly JournalRecord[] }>
}

/** One record and the journal that it is of. */
export interface MergedRecord<Name> {
  from: Name
  record: JournalRecord
}

class Cursor<Name> {
  readonly name: Name
  private readonly batches: AsyncIterator<{ records: readonly JournalRecord[] }>
  private records: readonly JournalRecord[] = []
  private next = 0

  constructor(name: Name, batches: AsyncIterable<{ records: readonly JournalRecord[] }>) {
    this.name = name
    this.batches = batches[Symbol.asyncIterator]()
  }

  /** The next record; undefined until `fill`, and at the end. */
  get head(): JournalRecord | undefined {
    return this.records[this.next]
  }

  take(): void {
    this.next++
  }

  /** Reads on where there is no next record; false at the end. */
  async fill(): Promise<boolean> {
    while (this.head === undefined) {
      const { value, done } = await this.batches.next()
      if (done === true) return false
      this.records = value.records
      this.next = 0
    }
    return true
  }

  async close(): Promise<void> {
    await this.batches.return?.()
  }
}

/**
 * Yields the records of several journals by time, in runs that need no further reading. Each journal keeps its own
 * order; of records of one moment that of the journal named first goes first, so that the order is always the same.
 */
export async function* mergeRecords<Name>(
  sources: readonly (readonly [name: Name, source: RecordSource])[],
  range: { fromMs: number; toMs: number }
): AsyncGenerator<MergedRecord<Name>[]> {
  let cursors = sources.map(([name, source]) => new Cursor(name, source.records(range)))
  const all = cursors
  try {
    for (;;) {
      const isThere = await Promise.all(cursors.map((cursor) => cursor.fill()))
      cursors = cursors.filter((_, i) => isThere[i])
      if (cursors.length === 0) return
      yield runOf(cursors)
    }
  } finally {
    await Promise.all(all.map((cursor) => cursor.close()))
  }
}

/** Takes records until one of the journals must be read on. */
function runOf<Name>(cursors: readonly Cursor<Name>[]): MergedRecord<Name>[] {
  const run: MergedRecord<Name>[] = []
  for (;;) {
    let first: Cursor<Name> | undefined
    for (const cursor of cursors) {
      if (cursor.head === undefined) return run
      if (first?.head === undefined || cursor.head.atMs < first.head.atMs) first = cursor
    }
    if (first?.head === undefined) return run
    run.push({ from: first.name, record: first.head })
    first.take()
  }
}
