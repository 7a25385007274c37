import { type Static, Type } from 'typebox'
import { nullable } from './common.ts'

const count = (description: string) => Type.Integer({ minimum: 0, description })
const countsBy = (description: string) =>
  Type.Record(Type.String(), Type.Integer({ minimum: 0 }), { description })
const milliseconds = (description: string) =>
  Type.Number({ minimum: 0, description: `${description}, milliseconds` })

const JournalHealthSchema = Type.Object(
  {
    state: Type.Enum(['ok', 'disk_full', 'failed', 'stopped'], {
      type: 'string',
      description: 'ok: it is written; disk_full, failed: nothing is written, and it is tried again'
    }),
    records: count('Records taken in since the start'),
    bytes: count('Their bytes, before compression'),
    bytesWritten: count('Bytes written to files'),
    pendingBytes: count('Bytes taken in and not yet written'),
    lagMs: milliseconds('Age of the oldest record that is not on the disk'),
    segments: count('Files begun'),
    holes: count('Stretches in which records were lost'),
    lostRecords: count('Records lost')
  },
  { $id: 'JournalHealth', additionalProperties: false, description: 'How one journal is doing' }
)

export const HistoryHealthSchema = Type.Object(
  {
    engine: nullable(
      Type.Enum(['pglite', 'postgres'], {
        type: 'string',
        description: 'The database; null until it is open'
      })
    ),
    state: Type.Enum(['opening', 'well', 'away', 'stopped'], {
      type: 'string',
      description: 'away: the database does not answer, rows wait'
    }),
    error: nullable(Type.String({ description: 'Why the database is not open or did not answer last' })),
    lagMs: milliseconds('Age of the oldest row that waits for the database'),
    pending: count('Changes that no row was made of yet'),
    waiting: count('Rows that wait for the database'),
    written: count('Rows written since the start'),
    conflated: count('Snapshots whose place a newer one of their market took'),
    dropped: count('Rows given up for want of room'),
    failures: count('Writes that failed'),
    snapshotsByCause: countsBy('Snapshots recorded, by cause'),
    openGaps: count('Gaps that are not over'),
    gapFiller: Type.Object(
      {
        runs: count('Looks at open gaps'),
        closed: countsBy('Gaps that were closed, by how'),
        unrecoverable: count('Gaps that nothing can close'),
        successRate: nullable(
          Type.Number({ description: 'Closed of all that were decided, 0 to 1; null before the first' })
        )
      },
      { additionalProperties: false, description: 'What became of gaps' }
    ),
    journals: Type.Record(
      Type.String(),
      Type.Unsafe<Static<typeof JournalHealthSchema>>(Type.Ref('JournalHealth')),
      {
        description: 'The raw journal of each venue, and that of the books'
      }
    )
  },
  { $id: 'HistoryHealth', additionalProperties: false, description: 'How recording is doing' }
)
export type HistoryHealth = Static<typeof HistoryHealthSchema>

export const HISTORY_HEALTH_SCHEMAS = [JournalHealthSchema, HistoryHealthSchema]
