import { type Static, Type } from 'typebox'
import { dateTime, nullable } from './common.ts'

const count = (description: string) => Type.Integer({ description, minimum: 0 })
const milliseconds = (description: string) =>
  Type.Number({ description: `${description}, milliseconds`, minimum: 0 })

export const IncidentSchema = Type.Object(
  {
    id: count('Number of the incident since the start'),
    at: dateTime('When it was seen'),
    venue: Type.String({ description: 'At which venue' }),
    kind: Type.String({ description: 'What happened, as a stable code such as drift or sequence_gap' }),
    marketId: nullable(Type.String({ description: 'Which market; null where it concerns none, or many' })),
    connection: nullable(Type.String({ description: 'On which connection; null where it concerns none' })),
    detail: Type.String({ description: 'What happened, in a sentence' }),
    sample: nullable(Type.String({ description: 'The start of the offending message' })),
    endedAt: nullable(dateTime('When it was over; null while it goes on, or where it has no length'))
  },
  { $id: 'Incident', additionalProperties: false, description: 'Something that went wrong at a venue' }
)

export const IncidentsHealthSchema = Type.Object(
  {
    total: count('Incidents since the start, listed or not'),
    byVenueAndKind: Type.Record(Type.String(), Type.Record(Type.String(), Type.Integer()), {
      description: 'Incidents since the start, by venue and kind'
    }),
    latest: Type.Array(Type.Unsafe<Static<typeof IncidentSchema>>(Type.Ref('Incident')), {
      description: 'The latest 20, newest first; the same at the same place is listed once a minute'
    })
  },
  { $id: 'IncidentsHealth', additionalProperties: false, description: 'What went wrong at the venues' }
)
export type IncidentsHealth = Static<typeof IncidentsHealthSchema>

export const AuditHealthSchema = Type.Object(
  {
    books: count('Books that are to be audited now'),
    equal: count('Comparisons with an independent read that found no difference'),
    explained: Type.Record(Type.String(), Type.Integer(), {
      description: 'Differences that prove nothing against the book, by why'
    }),
    mismatch: count('Reads that nothing explains, first and second ones'),
    confirmed: count('Books that two reads in a row contradicted'),
    failedReads: count('Reads for audits that failed as a whole'),
    polls: Type.Object(
      {
        reads: count('Reads that were answered'),
        failed: count('Reads that failed as a whole'),
        books: count('Books that they gave'),
        equal: count('Of these the ones that equalled the live book'),
        differing: count('Of these the ones that did not, mostly since one of the two was a moment ahead')
      },
      { additionalProperties: false, description: 'Reads beside the stream, round after round, by no audit' }
    ),
    ageMs: nullable(
      Type.Object(
        {
          p50: milliseconds('Median'),
          p99: milliseconds('99th percentile'),
          max: milliseconds('Longest')
        },
        { additionalProperties: false, description: 'Time since the last comparison of each book' }
      )
    )
  },
  { $id: 'AuditHealth', additionalProperties: false, description: 'How books compare with independent reads' }
)

export const LivenessHealthSchema = Type.Object(
  {
    silent: count('Connections that are silent now and not yet found quiet'),
    silences: count('Times that a connection was unusually silent'),
    quietConnections: count('Silent connections that were only quiet'),
    deadConnections: count('Silent connections that were dead'),
    asked: count('Markets audited because they were unusually silent'),
    quietMarkets: count('Silent markets that were only quiet'),
    deadMarkets: count('Silent markets that were dead')
  },
  { $id: 'LivenessHealth', additionalProperties: false, description: 'Which silences were deaths' }
)

export const INTEGRITY_SCHEMAS = [
  IncidentSchema,
  IncidentsHealthSchema,
  AuditHealthSchema,
  LivenessHealthSchema
]
