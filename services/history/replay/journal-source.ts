import { JournalReader } from '../journal/reader.ts'
import type { JournalHole, JournalRecord } from '../journal/record.ts'
import type { RecordSource } from './merge.ts'

/** Returns a journal in which a `hole` record stands for what is damaged or missing, before what came later. */
export function openJournal(folder: string, name: string): RecordSource {
  return {
    async *records(range) {
      const holes: JournalRecord[] = []
      const onHole = (hole: JournalHole) => holes.push(recordOf(hole, range.fromMs))
      for await (const { records } of new JournalReader({ folder, name, onHole }).records(range))
        yield { records: [...holes.splice(0), ...records] }
      yield { records: holes }
    }
  }
}

/** It has the time of the first record that is lost: from there on nobody knows what the books were. */
function recordOf(hole: JournalHole, startMs: number): JournalRecord {
  return {
    kind: 'hole',
    atMs: Math.max(hole.fromMs, startMs),
    connection: 0,
    body: Buffer.from(JSON.stringify(hole))
  }
}
